/* Draws the map on a canvas: a dot for each photo that has a place, pictures where there is room, names, zoom and hover.
   It knows nothing of the page but what it is given. */

const SPACING = 42; // pixels between pictures, at least
const ROOM = 0.88; // of it, for the picture
const LARGEST = 160; // pixels of a picture
const FEW_PHOTOS = 600; // up to this number there is room for larger pictures, and for the names of groups, from the start

/* `x`, `y`: the place of each photo in whole numbers, or null; `themes`: the theme of each, which gives the colour, -1 for grey;
   `typical`: all photos, most typical first; `labels`: [{lines, theme, photos, isBig, from, until}], the most important first: it
   shows between the zooms `from` and `until`; `thumbnail(photo)`: an address or null; `colours()`: {font, ground, ink, soft,
   dots, names}, the last two by theme, and groundRgb, softRgb, dotsRgb as numbers; `hover(photo or null, x, y)`, `open(photo)`. */
function makeMap(canvas, { x, y, themes, typical, labels, thumbnail, colours, hover, open }) {
  const context = canvas.getContext("2d", { alpha: false });
  const placed = typical.filter((photo) => x[photo] !== null);
  const total = placed.length;
  // In the order of drawing: grey first, under all others, then theme by theme, so that the colour seldom changes.
  const order = Int32Array.from(placed).sort((a, b) => themes[a] - themes[b]);
  const sameColour = [];
  for (let at = 0; at < total; at++) {
    if (!at || themes[order[at]] !== themes[order[at - 1]]) sameColour.push({ theme: themes[order[at]], from: at, to: at });
    sameColour.at(-1).to = at + 1;
  }

  let width = 0, height = 0, lattice = null, spacing = SPACING, px = [], py = [], xs = null, ys = null; // places in pixels before zoom; `xs` in `order`
  let view = d3.zoomIdentity, paint = colours(), highlighted = null;
  let frame = 0, isMoving = false, moveEnd = 0, drawn = [], hovered = null;
  let tree = null, levels = [], picture = null, pixels = null;
  const pictures = makePictures(thumbnail, () => schedule());
  const ratio = () => Math.min(2, window.devicePixelRatio || 1);
  const screenX = (photo) => view.applyX(px[photo]);
  const screenY = (photo) => view.applyY(py[photo]);
  const shown = () => (highlighted ? placed.filter((photo) => highlighted[photo]) : placed);

  /* The photos that may show a picture at a depth of zoom: for each point of a grid the most typical one near it, and then
     those that still fit. A level has all photos of the level before, so zooming in only adds pictures. */
  function level(depth) {
    while (levels.length <= depth) {
      const size = spacing / 2 ** levels.length, before = levels.at(-1) ?? [], all = shown();
      levels.push(before.length === all.length ? before : gridOf(size, before, all));
    }
    return levels[depth];
  }
  function gridOf(size, before, all) {
    const stride = Math.ceil(width / size) + 3, taken = new Int32Array(stride * (Math.ceil(height / size) + 3)).fill(-1), list = [];
    const add = (photo, isPoint) => {
      const ax = px[photo] - lattice.left, ay = py[photo] - lattice.top, gx = Math.round(ax / size), gy = Math.round(ay / size), here = (gy + 1) * stride + gx + 1;
      if (taken[here] >= 0 || (isPoint && (Math.abs(ax - gx * size) > 0.06 * size || Math.abs(ay - gy * size) > 0.06 * size))) return;
      for (let row = here - stride; row <= here + stride; row += stride) {
        for (let at = row - 1; at <= row + 1; at++) {
          const other = taken[at];
          if (other >= 0 && Math.abs(px[other] - px[photo]) < ROOM * size && Math.abs(py[other] - py[photo]) < ROOM * size) return;
        }
      }
      taken[here] = photo;
      list.push(photo);
    };
    for (const photo of before) add(photo, false);
    for (const photo of all) add(photo, true);
    for (const photo of all) add(photo, false);
    return list;
  }
  function photosTree() {
    return (tree ??= d3.quadtree(shown(), (photo) => px[photo], (photo) => py[photo]));
  }

  function resize() {
    const box = canvas.parentElement.getBoundingClientRect();
    if (!box.width || (box.width === width && box.height === height)) return;
    [width, height] = [box.width, box.height];
    canvas.width = Math.round(width * ratio());
    canvas.height = Math.round(height * ratio());
    picture = context.createImageData(canvas.width, canvas.height);
    pixels = picture.data;
    ({ px, py, lattice } = placesOn({ width, height, margin: Math.min(60, width / 10) }, placed, x, y));
    const { cell } = lattice;
    // A simple multiple of the cell, so that pictures lie in rows.
    spacing = [1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64].find((times) => times * cell >= SPACING) * cell || SPACING;
    // Dots lie a little off, so that they do not look like a lattice.
    xs = Float32Array.from(order, (photo) => px[photo] + ((photo * 0.618) % 1 - 0.5) * 0.6 * cell);
    ys = Float32Array.from(order, (photo) => py[photo] + ((photo * 0.7549) % 1 - 0.5) * 0.6 * cell);
    [levels, tree] = [[], null];
    anchor();
    // At the deepest zoom each photo has room for its picture.
    zoom.extent([[0, 0], [width, height]]).scaleExtent([0.7, Math.max(8, (3 * spacing) / cell)]);
    draw(); // at once: a canvas of a new size is black
  }

  /* A name belongs above or below a photo of its group, near the median, which a few far-off ones do not move. */
  function anchor() {
    for (const label of labels) {
      const sorted = (places) => Float32Array.from(label.photos, (photo) => places[photo]).sort();
      const across = sorted(px), down = sorted(py), middle = across[across.length >> 1], few = down.length >> 4;
      const inner = label.photos.filter((photo) => py[photo] >= down[few] && py[photo] <= down[down.length - 1 - few]);
      const least = (cost) => {
        let found = inner[0];
        for (const photo of inner) if (cost(photo) < cost(found)) found = photo;
        return { x: px[found], y: py[found] };
      };
      const aside = (photo) => 0.7 * Math.abs(px[photo] - middle);
      label.anchor = {
        x: middle, y: down[down.length >> 1], top: least((photo) => py[photo] + aside(photo)), bottom: least((photo) => aside(photo) - py[photo]),
      };
    }
  }

  function schedule() {
    if (!frame && width) frame = requestAnimationFrame(draw);
  }

  function draw() {
    cancelAnimationFrame(frame);
    frame = 0;
    const k = view.k, dpr = ratio();
    const [red, green, blue] = paint.groundRgb;
    new Uint32Array(pixels.buffer).fill((255 << 24) | (blue << 16) | (green << 8) | red);
    const allAreIn = Math.ceil(Math.log2(spacing / lattice.cell));
    const depth = Math.max(0, Math.min(allAreIn, Math.floor(Math.log2(k))));
    // The fewer photos, the larger the dots; they grow more slowly than the map.
    const radius = Math.min(6, Math.max(1.1, 0.17 * lattice.cell) * k ** 0.35);
    if (highlighted) drawDots(radius * 0.8, paint.softRgb, 0.13, 0);
    drawDots(radius, null, 0.6, 1);
    context.setTransform(dpr, 0, 0, dpr, 0, 0);
    context.putImageData(picture, 0, 0);
    const boxes = boxesInSight(total ? level(depth) : [], Math.min(ROOM * spacing * (k / 2 ** depth) ** 0.95, LARGEST));
    const buttons = { x: width - 35, y: height - 78, w: 24, h: 66 };
    const names = placeNames(labels, boxes, { view, width, height, context, font: fontOf, blocked: [buttons], isFar: k < 2.2 && !highlighted });
    drawn = drawPictures(besideNames(boxes, names));
    drawNames(names);
    if (hovered !== null) drawRing(hovered);
    if (!isMoving) pictures.load();
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
    const a = view.k * dpr, bx = view.x * dpr, by = view.y * dpr;
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

  function boxesInSight(candidates, side) {
    const boxes = [], half = side / 2;
    for (const photo of candidates) {
      const cx = screenX(photo), cy = screenY(photo);
      if (cx > -half && cy > -half && cx < width + half && cy < height + half) boxes.push({ photo, x: cx, y: cy, w: half, h: half });
    }
    return boxes;
  }

  /* Draw the pictures that are ready. Return where. */
  function drawPictures(boxes) {
    const bitmaps = pictures.of(boxes.map(({ photo }) => photo), boxes.length ? boxes[0].w * 2 * ratio() : 0);
    return boxes.filter(({ photo, x: cx, y: cy, w }) => {
      const bitmap = bitmaps.get(photo);
      if (!bitmap) return false;
      if (themes[photo] >= 0) {
        context.fillStyle = paint.dots[themes[photo]];
        context.fillRect(cx - w - 1.5, cy - w - 1.5, 2 * w + 3, 2 * w + 3);
      }
      context.drawImage(bitmap, cx - w, cy - w, 2 * w, 2 * w);
      return true;
    });
  }

  const fontOf = (label, size) => `${label.isBig ? 650 : 550} ${size}px ${paint.font}`;
  function drawNames(names) {
    context.textAlign = "center";
    context.textBaseline = "middle";
    context.lineJoin = "round";
    for (const { label, size, x: cx, y: cy } of names) {
      context.font = fontOf(label, size);
      context.globalAlpha = highlighted && !label.photos.some((photo) => highlighted[photo]) ? 0.25 : 1;
      label.lines.forEach((line, number) => {
        const at = cy + (number - (label.lines.length - 1) / 2) * size * 1.2;
        context.lineWidth = 5;
        context.strokeStyle = paint.ground;
        context.strokeText(line, cx, at);
        context.fillStyle = label.theme < 0 ? paint.ink : paint.names[label.theme];
        context.fillText(line, cx, at);
      });
    }
    context.globalAlpha = 1;
  }

  function drawRing(photo) {
    const box = drawn.find((one) => one.photo === photo);
    context.strokeStyle = paint.ink;
    context.lineWidth = 2.5;
    context.beginPath();
    if (box) context.rect(box.x - box.w - 3, box.y - box.h - 3, 2 * box.w + 6, 2 * box.h + 6);
    else context.arc(screenX(photo), screenY(photo), 8, 0, 7);
    context.stroke();
  }

  /* The photo at a pixel: the picture there, or else the nearest dot within reach. */
  function photoAt(at, down, reach) {
    const box = drawn.findLast((one) => Math.abs(at - one.x) <= one.w && Math.abs(down - one.y) <= one.h);
    return box ? box.photo : (photosTree().find(view.invertX(at), view.invertY(down), reach / view.k) ?? null);
  }

  function setHovered(photo) {
    const [sx, sy] = photo === null ? [0, 0] : [screenX(photo), screenY(photo)];
    if (photo !== hovered) schedule();
    hovered = photo;
    canvas.classList.toggle("hovering", photo !== null);
    hover(photo, sx, sy);
  }

  /* A view that keeps the photo nearest to its middle well in sight: wherever one zooms or drags, there are photos. */
  function keptInSight(there) {
    const photo = width ? photosTree().find(...there.invert([width / 2, height / 2])) : undefined;
    if (photo === undefined) return there;
    const kept = (at, size) => Math.min(size * 0.7, Math.max(size * 0.3, at)) - at;
    const dx = kept(there.applyX(px[photo]), width), dy = kept(there.applyY(py[photo]), height);
    return dx || dy ? d3.zoomIdentity.translate(there.x + dx, there.y + dy).scale(there.k) : there;
  }

  const zoom = d3.zoom()
    .constrain(keptInSight)
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
      [levels, tree] = [[], null];
      schedule();
    },
    /* `isFlying`: the way there is shown, unless someone wants no movement. */
    zoomTo(list, isFlying) {
      resize();
      const goal = list.filter((photo) => x[photo] !== null);
      if (!goal.length) return;
      // Without the outermost fiftieths, which may be anywhere.
      const middleOf = (values) => {
        values.sort((a, b) => a - b);
        return [values[Math.floor(values.length * 0.02)], values[Math.ceil(values.length * 0.98) - 1]];
      };
      const [x0, x1] = middleOf(goal.map((photo) => px[photo])), [y0, y1] = middleOf(goal.map((photo) => py[photo]));
      const k = Math.min(30, zoom.scaleExtent()[1] / 2, Math.max(1, 0.7 * Math.min(width / (x1 - x0 || 1), height / (y1 - y0 || 1))));
      const there = d3.zoomIdentity.translate(width / 2 - (k * (x0 + x1)) / 2, height / 2 - (k * (y0 + y1)) / 2).scale(k);
      if (isFlying && !matchMedia("(prefers-reduced-motion: reduce)").matches) zoom.transform(selection.transition().duration(700), there);
      else zoom.transform(selection.interrupt(), there);
      if (goal.length === 1) setHovered(goal[0]);
    },
    setLabels(list) {
      labels = list;
      anchor();
      schedule();
    },
    repaint() {
      paint = colours();
      schedule();
    },
    /* At once: what is printed cannot wait for the next frame. */
    draw() {
      paint = colours();
      if (width) draw();
    },
    resize,
  };
}
