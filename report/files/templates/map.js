/* Draws the map on a canvas: a dot for each photo that has a place, pictures where there is room, names, zoom and hover.
   It knows nothing of the page but what it is given. */

const LARGEST = 160; // pixels of a picture
const FEW_PHOTOS = 600; // up to this number there is room for larger pictures, and for the names of groups, from the start

/* `x`, `y`: the place of each photo in whole numbers, or null; `themes`: the theme of each, which gives the colour, -1 for grey;
   `typical`: all photos, most typical first; `labels`: [{lines, theme, photos, isBig, from, until}], the most important first: it
   shows between the zooms `from` and `until`; `thumbnail(photo)`: an address or null; `colours()`: {font, ground, ink, soft,
   dots, names}, the last two by theme, and groundRgb, softRgb, dotsRgb as numbers; `hover(photo or null, x, y)`, `open(photo)`. */
function makeMap(canvas, { x, y, themes, typical, labels, thumbnail, colours, hover, open }) {
  const context = canvas.getContext("2d", { alpha: false });
  const placed = typical.filter((photo) => x[photo] !== null);
  let width = 0, height = 0, places = null, levels = null; // places in pixels before zoom
  let view = d3.zoomIdentity, paint = colours(), highlighted = null;
  let frame = 0, isMoving = false, moveEnd = 0, drawn = [], hovered = null;
  let tree = null, image = null;
  const dots = makeDots(placed, themes), pictures = makePictures(thumbnail, () => schedule());
  const ratio = () => Math.min(2, window.devicePixelRatio || 1);
  const screenX = (photo) => view.applyX(places.px[photo]);
  const screenY = (photo) => view.applyY(places.py[photo]);
  const shown = () => (highlighted ? placed.filter((photo) => highlighted[photo]) : placed);

  /* What is in the levels and the tree is made when it is asked for: it is other photos after each search. */
  function forget() {
    [levels, tree] = [null, null];
  }
  function photoLevels() {
    return (levels ??= makeLevels(shown(), places, width, height));
  }
  function photosTree() {
    return (tree ??= d3.quadtree(shown(), (photo) => places.px[photo], (photo) => places.py[photo]));
  }

  function resize() {
    const box = canvas.parentElement.getBoundingClientRect();
    if (!box.width || (box.width === width && box.height === height)) return;
    [width, height] = [box.width, box.height];
    canvas.width = Math.round(width * ratio());
    canvas.height = Math.round(height * ratio());
    image = context.createImageData(canvas.width, canvas.height);
    places = placesOn({ width, height, margin: Math.min(60, width / 10) }, placed, x, y);
    dots.place(places.px, places.py, places.lattice.cell);
    forget();
    anchor();
    // At the deepest zoom each photo has room for its picture.
    zoom.extent([[0, 0], [width, height]]).scaleExtent([0.7, Math.max(8, (3 * photoLevels().spacing) / places.lattice.cell)]);
    draw(); // at once: a canvas of a new size is black
  }

  /* A name belongs above or below a photo of its group, near the median, which a few far-off ones do not move. */
  function anchor() {
    const { px, py } = places;
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
    new Uint32Array(image.data.buffer).fill((255 << 24) | (blue << 16) | (green << 8) | red);
    const { spacing, last, at } = photoLevels(), depth = Math.max(0, Math.min(last, Math.floor(Math.log2(k))));
    // The fewer photos, the larger the dots; they grow more slowly than the map.
    const radius = Math.min(6, Math.max(1.1, 0.17 * places.lattice.cell) * k ** 0.35);
    if (highlighted) dots.draw(image, { view, dpr, radius: radius * 0.8, strength: 0.13, colourOf: () => paint.softRgb, isDrawn: (photo) => !highlighted[photo] });
    const colourOf = (theme) => (theme < 0 ? paint.softRgb : paint.dotsRgb[theme]);
    dots.draw(image, { view, dpr, radius, strength: 0.6, colourOf, isDrawn: highlighted && ((photo) => highlighted[photo]) });
    context.setTransform(dpr, 0, 0, dpr, 0, 0);
    context.putImageData(image, 0, 0);
    const boxes = boxesInSight(at(depth), Math.min(ROOM * spacing * (k / 2 ** depth) ** 0.95, LARGEST));
    const buttons = { x: width - 35, y: height - 78, w: 24, h: 66 };
    const names = placeNames(labels, boxes, { view, width, height, context, font: fontOf, blocked: [buttons], isFar: k < 2.2 && !highlighted });
    drawn = drawPictures(besideNames(boxes, names));
    drawNames(names);
    if (hovered !== null) drawRing(hovered);
    if (!isMoving) pictures.load();
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
    const dx = kept(there.applyX(places.px[photo]), width), dy = kept(there.applyY(places.py[photo]), height);
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
      forget();
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
      const [x0, x1] = middleOf(goal.map((photo) => places.px[photo])), [y0, y1] = middleOf(goal.map((photo) => places.py[photo]));
      const k = Math.min(30, zoom.scaleExtent()[1] / 2, Math.max(1, 0.7 * Math.min(width / (x1 - x0 || 1), height / (y1 - y0 || 1))));
      const there = d3.zoomIdentity.translate(width / 2 - (k * (x0 + x1)) / 2, height / 2 - (k * (y0 + y1)) / 2).scale(k);
      if (isFlying && !matchMedia("(prefers-reduced-motion: reduce)").matches) zoom.transform(selection.transition().duration(700), there);
      else zoom.transform(selection.interrupt(), there);
      if (goal.length === 1) setHovered(goal[0]);
    },
    setLabels(list) {
      labels = list;
      if (width) anchor();
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
