/* Draws the map on a canvas: a dot for each photo that has a place, thumbnails where there is room, names, zoom and hover.
   It knows nothing of the page but what it is given. */

const SPACING = 64; // pixels between thumbnails when they first show
const CROWD = 50; // with more photos per thumbnail than this, dots show more than thumbnails do
const THUMBNAIL_ZOOM = 4; // from here thumbnails show in any case
const FEW_PHOTOS = 600; // up to this number thumbnails always show, as large as there is room
const MOST_ZOOM = 120;
const LOADING = 12; // thumbnails loading at a time
const KEPT = 700; // thumbnails ready to draw

/* `x`, `y`: the place of each photo, or null; `themes`: the theme of each, which gives the colour, -1 for grey; `typical`: all
   photos, most typical first; `labels`: [{lines, x, y, top, theme, photos, isBig, from, until}], the most important first: it
   shows between the zooms `from` and `until`; `thumbnail(photo)`: an address or null; `colours()`: {font, ground, ink, soft,
   dots, names}, the last two by theme, and groundRgb, softRgb, dotsRgb as numbers; `hover(photo or null, x, y)`, `open(photo)`. */
function makeMap(canvas, { x, y, themes, typical, labels, thumbnail, colours, hover, open }) {
  const context = canvas.getContext("2d", { alpha: false });
  const placed = typical.filter((photo) => x[photo] !== null);
  const total = placed.length;
  // In the order of drawing: grey first, under all others, then theme by theme, so that the colour seldom changes.
  const order = Int32Array.from(placed).sort((a, b) => themes[a] - themes[b]);
  const xs = Float32Array.from(order, (photo) => x[photo]);
  const ys = Float32Array.from(order, (photo) => y[photo]);
  const sameColour = [];
  for (let at = 0; at < total; at++) {
    if (!at || themes[order[at]] !== themes[order[at - 1]]) sameColour.push({ theme: themes[order[at]], from: at, to: at });
    sameColour.at(-1).to = at + 1;
  }
  // At first the map shows all but the outermost photos, because a few lie far out.
  const extent = (values) => {
    const sorted = values.slice().sort(), out = Math.floor(total * 0.004);
    return total ? [sorted[out], sorted[total - 1 - out] - sorted[out] || 1] : [0, 1];
  };
  const [[left, wide], [top, high]] = [extent(xs), extent(ys)];

  let width = 0, height = 0, spacing = SPACING, scale = 1, originX = 0, originY = 0; // from places to pixels before zoom
  let view = d3.zoomIdentity, paint = colours(), highlighted = null;
  let frame = 0, isMoving = false, moveEnd = 0, drawn = [], hovered = null;
  let tree = null, picture = null, pixels = null;
  const ratio = () => Math.min(2, window.devicePixelRatio || 1);
  const screenX = (photo) => view.applyX(originX + x[photo] * scale);
  const screenY = (photo) => view.applyY(originY + y[photo] * scale);

  /* The photos that may show a thumbnail at a depth of zoom: typical ones first, and none closer to another than the spacing.
     A level has all photos of the level before, so zooming in only adds thumbnails. */
  const levels = [];
  function level(depth) {
    while (levels.length <= depth) {
      const cell = spacing / (scale * 2 ** levels.length), taken = new Map(), list = [];
      const addIfFree = (photo) => {
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
      before.forEach(addIfFree);
      if (before.length < total) placed.forEach(addIfFree);
      levels.push(list);
    }
    return levels[depth];
  }

  /* A limited number of thumbnails is kept as bitmaps. They are loaded only while the map stands still. */
  const ready = new Map();
  let wanted = [], loading = 0;
  function loadNext() {
    while (loading < LOADING && wanted.length) {
      const photo = wanted.shift();
      if (ready.has(photo)) continue;
      ready.set(photo, null);
      loading++;
      const image = new Image();
      image.src = thumbnail(photo);
      image.decode()
        .then(() => createImageBitmap(image, { resizeHeight: Math.min(image.naturalHeight, 160 * ratio()), resizeQuality: "medium" }))
        .then((bitmap) => ready.set(photo, bitmap), () => ready.set(photo, null)) // a missing one remains a dot
        .finally(() => {
          loading--;
          schedule();
          loadNext();
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
    const margin = Math.max(Math.min(60, width / 12), spacing * 0.6); // room for thumbnails at the edge
    scale = Math.min((width - 2 * margin) / wide, (height - 2 * margin) / high);
    originX = (width - wide * scale) / 2 - left * scale;
    originY = (height - high * scale) / 2 - top * scale;
    levels.length = 0;
    zoom.extent([[0, 0], [width, height]]).translateExtent([[-width, -height], [width * 2, height * 2]]);
    if (!oldWidth || oldScale !== scale || oldHeight !== height) schedule();
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
    const candidates = total ? level(depth) : [];
    const hasThumbnails = total <= FEW_PHOTOS || k >= THUMBNAIL_ZOOM || total / (candidates.length || 1) <= CROWD;
    // The fewer photos, the larger the dots; they grow more slowly than the map.
    const radius = Math.min(7, Math.max(1.1, 170 / Math.sqrt(total + 400)) * k ** 0.35) * (hasThumbnails ? 0.8 : 1);
    if (highlighted) drawDots(radius * 0.8, paint.softRgb, 0.13, 0);
    drawDots(radius, null, hasThumbnails ? 0.55 : 0.85, 1);
    context.setTransform(dpr, 0, 0, dpr, 0, 0);
    context.putImageData(picture, 0, 0);
    drawn = hasThumbnails ? drawThumbnails(candidates, k / 2 ** depth) : [];
    drawNames(k, hasThumbnails);
    if (hovered !== null) drawRing(hovered);
    if (!isMoving) loadNext();
  }

  /* The pixels of a dot: how far each is from the middle, and how much of it the dot covers. */
  function dotPixels(radius) {
    const reach = Math.ceil(radius), dot = [];
    for (let dy = -reach; dy <= reach; dy++) {
      for (let dx = -reach; dx <= reach; dx++) {
        const cover = Math.min(1, radius + 0.5 - Math.hypot(dx, dy));
        if (cover > 0) dot.push({ dx, dy, cover });
      }
    }
    return dot;
  }

  /* Dots are written into an array of pixels: without a graphics card that is ten times as fast as the canvas's own drawing.
     `which`: 1 for the highlighted photos, 0 for the others; without a highlight, all are drawn. */
  function drawDots(radius, colour, strength, which) {
    const dpr = ratio(), wide = picture.width, high = picture.height;
    const a = view.k * scale * dpr, bx = (view.x + view.k * originX) * dpr, by = (view.y + view.k * originY) * dpr;
    const dot = dotPixels(radius * dpr), reach = Math.ceil(radius * dpr);
    for (const { theme, from, to } of sameColour) {
      const [red, green, blue] = colour ?? (theme < 0 ? paint.softRgb : paint.dotsRgb[theme]);
      const force = theme < 0 ? strength * 0.4 : strength;
      for (let at = from; at < to; at++) {
        if (highlighted && highlighted[order[at]] !== which) continue;
        const px = Math.round(xs[at] * a + bx), py = Math.round(ys[at] * a + by);
        if (px < reach || py < reach || px >= wide - reach || py >= high - reach) continue;
        for (const { dx, dy, cover } of dot) {
          const offset = ((py + dy) * wide + px + dx) * 4, part = cover * force;
          pixels[offset] += (red - pixels[offset]) * part;
          pixels[offset + 1] += (green - pixels[offset + 1]) * part;
          pixels[offset + 2] += (blue - pixels[offset + 2]) * part;
        }
      }
    }
  }

  /* Draw the thumbnails in sight that are loaded, and list the others as wanted. Return where each was drawn. */
  function drawThumbnails(candidates, growth) {
    const room = Math.min(spacing * growth ** 0.9 - 6, 160), boxes = [], missing = [];
    for (const photo of candidates) {
      if (highlighted && !highlighted[photo]) continue;
      const cx = screenX(photo), cy = screenY(photo);
      if (cx < -room || cy < -room || cx > width + room || cy > height + room) continue;
      const bitmap = ready.get(photo);
      if (bitmap === undefined && thumbnail(photo)) missing.push(photo);
      if (!bitmap) continue;
      ready.delete(photo); // and back in, as the last one used
      ready.set(photo, bitmap);
      const shrink = room / Math.max(bitmap.width, bitmap.height);
      const w = bitmap.width * shrink, h = bitmap.height * shrink;
      context.fillStyle = themes[photo] < 0 ? paint.soft : paint.dots[themes[photo]];
      context.fillRect(cx - w / 2 - 1.5, cy - h / 2 - 1.5, w + 3, h + 3);
      context.drawImage(bitmap, cx - w / 2, cy - h / 2, w, h);
      boxes.push({ photo, left: cx - w / 2, top: cy - h / 2, right: cx + w / 2, bottom: cy + h / 2 });
    }
    wanted = missing.slice(0, KEPT / 2);
    return boxes;
  }

  /* Draw the names that have room, largest group first. Among thumbnails a name is at the top of its group, where it hides
     least. */
  function drawNames(k, hasThumbnails) {
    const buttons = { x: width - 35, y: height - 78, w: 24, h: 66 }, taken = [buttons], most = Math.max(6, (width * height) / 26000);
    context.textAlign = "center";
    context.textBaseline = "middle";
    context.lineJoin = "round";
    for (const label of labels) {
      if (taken.length > most) break;
      if (label.until && k > label.until) continue;
      if (label.from && k < label.from) continue;
      const cx = view.applyX(originX + label.x * scale), cy = hasThumbnails ? view.applyY(originY + label.top * scale) - spacing * 0.6 : view.applyY(originY + label.y * scale);
      if (cx < -100 || cy < -20 || cx > width + 100 || cy > height + 20) continue;
      const size = label.isBig && width > 500 ? 16 : 13;
      context.font = `${label.isBig ? 650 : 550} ${size}px ${paint.font}`;
      label.wide ??= Math.max(...label.lines.map((line) => context.measureText(line).width));
      const w = label.wide / 2 + 8, h = (label.lines.length * size * 1.2) / 2 + 4;
      // Moved in from the edge, so that it is not cut off.
      const lx = Math.min(Math.max(cx, w), width - w), ly = Math.min(Math.max(cy, h), height - h);
      if (Math.abs(lx - cx) > w || taken.some((box) => Math.abs(box.x - lx) < box.w + w && Math.abs(box.y - ly) < box.h + h)) continue;
      taken.push({ x: lx, y: ly, w, h });
      context.globalAlpha = highlighted && !label.photos.some((photo) => highlighted[photo]) ? 0.25 : 1;
      label.lines.forEach((line, number) => {
        const at = ly + (number - (label.lines.length - 1) / 2) * size * 1.2;
        context.lineWidth = 5;
        context.strokeStyle = paint.ground;
        context.strokeText(line, lx, at);
        context.fillStyle = label.theme < 0 ? paint.ink : paint.names[label.theme];
        context.fillText(line, lx, at);
      });
    }
    context.globalAlpha = 1;
  }

  function drawRing(photo) {
    const box = drawn.find((one) => one.photo === photo);
    context.strokeStyle = paint.ink;
    context.lineWidth = 2.5;
    context.beginPath();
    if (box) context.rect(box.left - 3, box.top - 3, box.right - box.left + 6, box.bottom - box.top + 6);
    else context.arc(screenX(photo), screenY(photo), 8, 0, 7);
    context.stroke();
  }

  /* The photo at a pixel: the topmost thumbnail there, or else the nearest dot within reach. */
  function photoAt(px, py, reach) {
    const box = drawn.findLast((one) => px >= one.left && px <= one.right && py >= one.top && py <= one.bottom);
    if (box) return box.photo;
    tree ??= d3.quadtree(placed, (photo) => x[photo], (photo) => y[photo]);
    const toMap = 1 / (view.k * scale);
    const found = tree.find((view.invertX(px) - originX) / scale, (view.invertY(py) - originY) / scale, reach * toMap);
    return found === undefined || (highlighted && !highlighted[found]) ? null : found;
  }

  function setHovered(photo) {
    const [sx, sy] = photo === null ? [0, 0] : [screenX(photo), screenY(photo)];
    if (photo !== hovered) schedule();
    hovered = photo;
    canvas.classList.toggle("hovering", photo !== null);
    hover(photo, sx, sy);
  }

  const zoom = d3.zoom()
    .scaleExtent([0.5, MOST_ZOOM])
    .filter(() => !d3.event.button && (d3.event.type === "wheel" || !d3.event.ctrlKey)) // a pinch on a touchpad is a wheel with ctrl
    .wheelDelta(() => -d3.event.deltaY * (d3.event.deltaMode ? 0.05 : 0.002) * (d3.event.ctrlKey ? 8 : 1))
    .on("zoom", () => {
      view = d3.event.transform;
      isMoving = true;
      clearTimeout(moveEnd);
      moveEnd = setTimeout(() => {
        isMoving = false;
        schedule();
      }, 120);
      if (hovered !== null) setHovered(null);
      schedule();
    });
  const selection = d3.select(canvas).call(zoom).on("dblclick.zoom", null);
  new ResizeObserver(resize).observe(canvas.parentElement);

  canvas.addEventListener("pointermove", (event) => {
    if (event.pointerType === "mouse" && !event.buttons) setHovered(photoAt(event.offsetX, event.offsetY, 12));
  });
  canvas.addEventListener("pointerleave", () => setHovered(null));
  canvas.addEventListener("click", (event) => {
    const photo = photoAt(event.offsetX, event.offsetY, 22);
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
    else if (event.key === "Enter" && hovered !== null) open(hovered);
    else return;
    event.preventDefault();
    setHovered(photoAt(width / 2, height / 2, Math.max(width, height)));
  });

  return {
    zoomIn: () => zoom.scaleBy(selection, 1.8),
    zoomOut: () => zoom.scaleBy(selection, 1 / 1.8),
    zoomAll: () => zoom.transform(selection, d3.zoomIdentity),
    /* A Uint8Array with a 1 for each highlighted photo, or null for no highlight. */
    highlight(which) {
      highlighted = which;
      schedule();
    },
    /* `isFlying`: the way there is shown, unless someone wants no movement. */
    zoomTo(list, isFlying) {
      resize();
      const shown = list.filter((photo) => x[photo] !== null);
      if (!shown.length) return;
      // Without the outermost twentieths, which may be anywhere.
      const middleOf = (values) => {
        values.sort((a, b) => a - b);
        return [values[Math.floor(values.length * 0.05)], values[Math.ceil(values.length * 0.95) - 1]];
      };
      const [x0, x1] = middleOf(shown.map((photo) => originX + x[photo] * scale)), [y0, y1] = middleOf(shown.map((photo) => originY + y[photo] * scale));
      const k = Math.min(30, Math.max(1, 0.7 * Math.min(width / (x1 - x0 || 1), height / (y1 - y0 || 1))));
      const there = d3.zoomIdentity.translate(width / 2 - (k * (x0 + x1)) / 2, height / 2 - (k * (y0 + y1)) / 2).scale(k);
      if (isFlying && !matchMedia("(prefers-reduced-motion: reduce)").matches) zoom.transform(selection.transition().duration(700), there);
      else zoom.transform(selection.interrupt(), there);
      if (shown.length === 1) setHovered(shown[0]);
    },
    setLabels(list) {
      labels = list;
      schedule();
    },
    repaint() {
      paint = colours();
      schedule();
    },
    resize,
  };
}
