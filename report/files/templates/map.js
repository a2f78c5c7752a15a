"use strict";
/* Owns the map: every photo that has a place, drawn on a canvas, with zoom, labels, thumbnails near enough, and hover.
   Of the page it knows only what it is given; what a photo is called and what a click does is not its own. */

const SPACING = 64; // pixels from thumbnail to thumbnail when they first show
const CROWD = 50; // photos for each thumbnail up to which thumbnails show; with more the dust says more
const NEAR = 4; // times, from where they show in any case
const FEW_PHOTOS = 600; // so few show theirs always, as large as there is room
const DEEPEST = 120; // times
const LOADING = 12; // pictures on their way at a time
const KEPT = 700; // thumbnails ready to draw

/* `x`, `y`: a place per photo or null; `kinds`: the colour of each, -1 grey; `typical`: all photos, the most typical
   first; `labels`: [{lines, x, y, top, kind, rows, big, from, until}],
   the first wins the room; `thumbnail(photo)`: an address or null;
   `colours()`: {font, ground, ink, soft, of(kind), name(kind)}, and groundRgb, softRgb, rgb(kind) in numbers;
   `hover(photo or null, x, y)`, `open(photo)`. */
function makeMap(canvas, { x, y, kinds, typical, labels, thumbnail, colours, hover, open }) {
  const context = canvas.getContext("2d", { alpha: false });
  const placed = typical.filter((photo) => x[photo] !== null);
  const total = placed.length;
  // Columns in the order of drawing: grey first, below all, then colour by colour, so that the brush changes seldom.
  const order = Int32Array.from(placed).sort((a, b) => kinds[a] - kinds[b]);
  const xs = Float32Array.from(order, (photo) => x[photo]);
  const ys = Float32Array.from(order, (photo) => y[photo]);
  const batches = [];
  for (let at = 0; at < total; at++) {
    if (!at || kinds[order[at]] !== kinds[order[at - 1]]) batches.push({ kind: kinds[order[at]], from: at, to: at });
    batches.at(-1).to = at + 1;
  }
  // A few stray photos lie far out: what is seen at first is fitted to all but the outermost.
  const fit = (values) => {
    const sorted = values.slice().sort(), out = Math.floor(total * 0.004);
    return total ? [sorted[out], sorted[total - 1 - out] - sorted[out] || 1] : [0, 1];
  };
  const [[left, wide], [top, high]] = [fit(xs), fit(ys)];

  let width = 0, height = 0, spacing = SPACING, scale = 1, originX = 0, originY = 0; // map units to pixels before zoom
  let view = d3.zoomIdentity, paint = colours(), lit = null;
  let frame = 0, moving = false, settling = 0, drawn = [], chosen = null;
  let tree = null, picture = null, pixels = null;
  const ratio = () => Math.min(2, window.devicePixelRatio || 1);
  const screenX = (photo) => view.applyX(originX + x[photo] * scale);
  const screenY = (photo) => view.applyY(originY + y[photo] * scale);

  /* Which photos may stand for their neighbourhood, by depth: none of them nearer to another than the spacing, typical ones
     first. A level holds all of the level before, so zooming in only adds. */
  const levels = [];
  function level(depth) {
    while (levels.length <= depth) {
      const cell = spacing / (scale * 2 ** levels.length), taken = new Map(), list = [];
      const tryOne = (photo) => {
        const cx = Math.floor(x[photo] / cell), cy = Math.floor(y[photo] / cell);
        for (let dx = -1; dx <= 1; dx++) {
          for (let dy = -1; dy <= 1; dy++) {
            const other = taken.get((cx + dx) * 1e7 + cy + dy);
            if (other !== undefined && Math.abs(x[other] - x[photo]) < cell && Math.abs(y[other] - y[photo]) < cell) return;
          }
        }
        taken.set(cx * 1e7 + cy, photo);
        list.push(photo);
      };
      const before = levels.at(-1) ?? [];
      before.forEach(tryOne);
      if (before.length < total) placed.forEach(tryOne);
      levels.push(list);
    }
    return levels[depth];
  }

  /* Thumbnails: a bounded number of ready bitmaps; only what stands still is fetched. */
  const ready = new Map();
  let wanted = [], underway = 0;
  function fetchNext() {
    while (underway < LOADING && wanted.length) {
      const photo = wanted.shift();
      if (ready.has(photo)) continue;
      ready.set(photo, null);
      underway++;
      const image = new Image();
      image.src = thumbnail(photo);
      image.decode()
        .then(() => createImageBitmap(image, { resizeHeight: Math.min(image.naturalHeight, 160 * ratio()), resizeQuality: "medium" }))
        .then((bitmap) => ready.set(photo, bitmap), () => ready.set(photo, null)) // a missing one stays a dot
        .finally(() => {
          underway--;
          schedule();
          fetchNext();
        });
    }
    for (const photo of ready.keys()) {
      if (ready.size <= KEPT) break;
      ready.get(photo)?.close();
      ready.delete(photo);
    }
  }

  function resize() {
    const box = canvas.parentElement.getBoundingClientRect();
    if (!box.width || (box.width === width && box.height === height)) return;
    const [oldScale, oldWidth, oldHeight] = [scale, width, height];
    [width, height] = [box.width, box.height];
    canvas.width = Math.round(width * ratio());
    canvas.height = Math.round(height * ratio());
    picture = context.createImageData(canvas.width, canvas.height);
    pixels = picture.data;
    spacing = total > FEW_PHOTOS ? SPACING : Math.min(150, Math.max(46, 0.75 * Math.sqrt((width * height) / (total || 1))));
    const margin = Math.max(Math.min(60, width / 12), spacing * 0.6); // room for what stands at the edge
    scale = Math.min((width - 2 * margin) / wide, (height - 2 * margin) / high);
    originX = (width - wide * scale) / 2 - left * scale;
    originY = (height - high * scale) / 2 - top * scale;
    levels.length = 0;
    zoom.extent([[0, 0], [width, height]]).translateExtent([[-width, -height], [width * 2, height * 2]]);
    if (!oldWidth || oldScale !== scale) schedule();
    if (oldHeight !== height) schedule();
  }

  function schedule() {
    if (!frame && width) frame = requestAnimationFrame(draw);
  }

  function draw() {
    frame = 0;
    const k = view.k, dpr = ratio();
    const [red, green, blue] = paint.groundRgb;
    new Uint32Array(pixels.buffer).fill((255 << 24) | (blue << 16) | (green << 8) | red);
    const depth = Math.max(0, Math.floor(Math.log2(k)));
    const stands = total ? level(depth) : [];
    const near = total <= FEW_PHOTOS || k >= NEAR || total / (stands.length || 1) <= CROWD;
    // Fewer photos, larger dots; and they grow slower than the map.
    const radius = Math.min(7, Math.max(1.1, 170 / Math.sqrt(total + 400)) * k ** 0.35) * (near ? 0.8 : 1);
    if (lit) dust(radius * 0.8, paint.softRgb, 0.13, 0);
    dust(radius, null, near ? 0.55 : 0.85, 1);
    context.setTransform(dpr, 0, 0, dpr, 0, 0);
    context.putImageData(picture, 0, 0);
    drawn = near ? pictures(stands, k / 2 ** depth) : [];
    names(k, near);
    if (chosen !== null) ring(chosen, near);
    if (!moving) fetchNext();
  }

  /* A dot as pixels: how far from its middle, and how much of each it covers. */
  function stamp(radius) {
    const reach = Math.ceil(radius), spots = [];
    for (let dy = -reach; dy <= reach; dy++) {
      for (let dx = -reach; dx <= reach; dx++) {
        const cover = Math.min(1, radius + 0.5 - Math.hypot(dx, dy));
        if (cover > 0) spots.push({ dx, dy, cover });
      }
    }
    return spots;
  }

  /* Dots go into a picture of plain numbers: without a graphics card ten times as fast as asking the canvas for each. */
  function dust(radius, colour, strength, which) {
    const dpr = ratio(), wide = picture.width, high = picture.height;
    const a = view.k * scale * dpr, bx = (view.x + view.k * originX) * dpr, by = (view.y + view.k * originY) * dpr;
    const spots = stamp(radius * dpr), reach = Math.ceil(radius * dpr);
    for (const { kind, from, to } of batches) {
      const [red, green, blue] = colour ?? (kind < 0 ? paint.softRgb : paint.rgb(kind));
      const force = kind < 0 ? strength * 0.4 : strength;
      for (let at = from; at < to; at++) {
        if (lit && lit[order[at]] !== which) continue;
        const px = Math.round(xs[at] * a + bx), py = Math.round(ys[at] * a + by);
        if (px < reach || py < reach || px >= wide - reach || py >= high - reach) continue;
        for (const { dx, dy, cover } of spots) {
          const spot = ((py + dy) * wide + px + dx) * 4, part = cover * force;
          pixels[spot] += (red - pixels[spot]) * part;
          pixels[spot + 1] += (green - pixels[spot + 1]) * part;
          pixels[spot + 2] += (blue - pixels[spot + 2]) * part;
        }
      }
    }
  }

  /* Draw the thumbnails in sight that are there, ask for those that are not; return what was drawn where. */
  function pictures(stands, growth) {
    const room = Math.min(spacing * growth ** 0.9 - 6, 160), boxes = [], missing = [];
    for (const photo of stands) {
      if (lit && !lit[photo]) continue;
      const cx = screenX(photo), cy = screenY(photo);
      if (cx < -room || cy < -room || cx > width + room || cy > height + room) continue;
      const bitmap = ready.get(photo);
      if (bitmap === undefined && thumbnail(photo)) missing.push(photo);
      if (!bitmap) continue;
      ready.delete(photo); // and back in, as the latest used
      ready.set(photo, bitmap);
      const shrink = room / Math.max(bitmap.width, bitmap.height);
      const w = bitmap.width * shrink, h = bitmap.height * shrink;
      context.fillStyle = kinds[photo] < 0 ? paint.soft : paint.of(kinds[photo]);
      context.fillRect(cx - w / 2 - 1.5, cy - h / 2 - 1.5, w + 3, h + 3);
      context.drawImage(bitmap, cx - w / 2, cy - h / 2, w, h);
      boxes.push({ photo, left: cx - w / 2, top: cy - h / 2, right: cx + w / 2, bottom: cy + h / 2 });
    }
    wanted = missing.slice(0, KEPT / 2);
    return boxes;
  }

  /* Names, the largest group first, each where there is room; nearer there is more room, so more names. Over thumbnails they
     stand at the top of the group, where they hide least. */
  function names(k, near) {
    const taken = [{ x: width - 35, y: height - 78, w: 24, h: 66 }], most = Math.max(6, (width * height) / 26000);
    // The first place is taken by the buttons.
    context.textAlign = "center";
    context.textBaseline = "middle";
    context.lineJoin = "round";
    for (const label of labels) {
      if (taken.length > most) break;
      if (label.until && k > label.until) continue;
      if (label.from && k < label.from) continue;
      const cx = view.applyX(originX + label.x * scale), cy = near ? view.applyY(originY + label.top * scale) - spacing * 0.6 : view.applyY(originY + label.y * scale);
      if (cx < -100 || cy < -20 || cx > width + 100 || cy > height + 20) continue;
      const size = label.big && width > 500 ? 16 : 13;
      context.font = `${label.big ? 650 : 550} ${size}px ${paint.font}`;
      label.wide ??= Math.max(...label.lines.map((line) => context.measureText(line).width));
      const w = label.wide / 2 + 8, h = (label.lines.length * size * 1.2) / 2 + 4;
      // Pushed in from the edge rather than cut.
      const lx = Math.min(Math.max(cx, w), width - w), ly = Math.min(Math.max(cy, h), height - h);
      if (Math.abs(lx - cx) > w || taken.some((box) => Math.abs(box.x - lx) < box.w + w && Math.abs(box.y - ly) < box.h + h)) continue;
      taken.push({ x: lx, y: ly, w, h });
      context.globalAlpha = lit && !label.rows.some((photo) => lit[photo]) ? 0.25 : 1;
      label.lines.forEach((line, number) => {
        const at = ly + (number - (label.lines.length - 1) / 2) * size * 1.2;
        context.lineWidth = 5;
        context.strokeStyle = paint.ground;
        context.strokeText(line, lx, at);
        context.fillStyle = label.kind < 0 ? paint.ink : paint.name(label.kind);
        context.fillText(line, lx, at);
      });
    }
    context.globalAlpha = 1;
  }

  function ring(photo) {
    const box = drawn.find((one) => one.photo === photo);
    context.strokeStyle = paint.ink;
    context.lineWidth = 2.5;
    context.beginPath();
    if (box) context.rect(box.left - 3, box.top - 3, box.right - box.left + 6, box.bottom - box.top + 6);
    else context.arc(screenX(photo), screenY(photo), 8, 0, 7);
    context.stroke();
  }

  /* The photo at a pixel: a thumbnail there, the one drawn last on top, else the nearest dot within reach. */
  function at(px, py, reach) {
    const box = drawn.findLast((one) => px >= one.left && px <= one.right && py >= one.top && py <= one.bottom);
    if (box) return box.photo;
    tree ??= d3.quadtree(placed, (photo) => x[photo], (photo) => y[photo]);
    const toMap = 1 / (view.k * scale);
    const found = tree.find((view.invertX(px) - originX) / scale, (view.invertY(py) - originY) / scale, reach * toMap);
    return found === undefined || (lit && !lit[found]) ? null : found;
  }

  function choose(photo) {
    const [sx, sy] = photo === null ? [0, 0] : [screenX(photo), screenY(photo)];
    if (photo !== chosen) schedule();
    chosen = photo;
    canvas.classList.toggle("on", photo !== null);
    hover(photo, sx, sy);
  }

  const zoom = d3.zoom()
    .scaleExtent([0.5, DEEPEST])
    .filter(() => !d3.event.button && (d3.event.type === "wheel" || !d3.event.ctrlKey)) // a pinch on a touchpad is a wheel with ctrl
    .wheelDelta(() => -d3.event.deltaY * (d3.event.deltaMode ? 0.05 : 0.002) * (d3.event.ctrlKey ? 8 : 1))
    .on("zoom", () => {
      view = d3.event.transform;
      moving = true;
      clearTimeout(settling);
      settling = setTimeout(() => {
        moving = false;
        schedule();
      }, 120);
      if (chosen !== null) choose(null);
      schedule();
    });
  const selection = d3.select(canvas).call(zoom).on("dblclick.zoom", null);
  new ResizeObserver(resize).observe(canvas.parentElement);

  canvas.addEventListener("pointermove", (event) => {
    if (event.pointerType === "mouse" && !event.buttons) choose(at(event.offsetX, event.offsetY, 12));
  });
  canvas.addEventListener("pointerleave", () => choose(null));
  canvas.addEventListener("click", (event) => {
    const photo = at(event.offsetX, event.offsetY, 22);
    if (photo !== null) open(photo);
  });
  canvas.addEventListener("keydown", (event) => {
    const step = 80 / view.k;
    const moves = { ArrowLeft: [step, 0], ArrowRight: [-step, 0], ArrowUp: [0, step], ArrowDown: [0, -step] };
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "+" || event.key === "=") zoom.scaleBy(selection, 1.5);
    else if (event.key === "-") zoom.scaleBy(selection, 1 / 1.5);
    else if (event.key === "0") zoom.transform(selection, d3.zoomIdentity);
    else if (moves[event.key]) zoom.translateBy(selection, ...moves[event.key]);
    else if (event.key === "Enter" && chosen !== null) open(chosen);
    else return;
    event.preventDefault();
    choose(at(width / 2, height / 2, Math.max(width, height)));
  });

  return {
    nearer: () => zoom.scaleBy(selection, 1.8),
    farther: () => zoom.scaleBy(selection, 1 / 1.8),
    whole: () => zoom.transform(selection, d3.zoomIdentity),
    /* Light only some photos: a Uint8Array of 0 and 1, or null for all. */
    light(some) {
      lit = some;
      schedule();
    },
    /* Move so that these photos fill what is seen. */
    look(photos) {
      resize();
      const seen = photos.filter((photo) => x[photo] !== null);
      if (!seen.length) return;
      const middle = (values) => values.sort((a, b) => a - b);
      const sx = middle(seen.map((photo) => originX + x[photo] * scale)), sy = middle(seen.map((photo) => originY + y[photo] * scale));
      // The outermost twentieths may lie anywhere.
      const cut = (values) => [values[Math.floor(values.length * 0.05)], values[Math.ceil(values.length * 0.95) - 1]];
      const [[x0, x1], [y0, y1]] = [cut(sx), cut(sy)];
      const k = Math.min(30, Math.max(1, 0.7 * Math.min(width / (x1 - x0 || 1), height / (y1 - y0 || 1))));
      zoom.transform(selection, d3.zoomIdentity.translate(width / 2 - (k * (x0 + x1)) / 2, height / 2 - (k * (y0 + y1)) / 2).scale(k));
      if (seen.length === 1) choose(seen[0]);
    },
    repaint() {
      paint = colours();
      schedule();
    },
    resize,
  };
}
