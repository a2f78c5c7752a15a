/* The names on the map: which have room, and where. They cover neither each other nor, near by, the pictures. */

/* Place names, the most important first. `labels`: [{lines, photos, isBig, from, until, anchor: {x, y, top: {x, y}, bottom}}], anchors in
   pixels before zoom; `boxes`: the pictures, which far out give way to a name. Return [{label, x, y, w, h, size}], the
   middle and half of the width and height. */
function placeNames(labels, boxes, { view, width, height, context, font, blocked, isFar }) {
  const half = boxes.length ? boxes[0].h : 0;
  const taken = [...blocked], placed = [], most = Math.max(6, (width * height) / 30000);
  const touches = (one, other) => Math.abs(one.x - other.x) < one.w + other.w && Math.abs(one.y - other.y) < one.h + other.h;
  for (const label of labels) {
    if (placed.length >= most) break;
    if ((label.until && view.k > label.until) || (label.from && view.k < label.from)) continue;
    const cx = view.applyX(label.anchor.x), cy = view.applyY(label.anchor.y), [top, bottom] = [label.anchor.top, label.anchor.bottom].map(({ x, y }) => view.apply([x, y]));
    if (cx < -100 || cy < -20 || cx > width + 100 || cy > height + 60) continue;
    const size = label.isBig && width > 500 ? 16 : 13;
    if (label.fontSize !== size) {
      context.font = font(label, size);
      label.wide = Math.max(...label.lines.map((line) => context.measureText(line).width));
      label.fontSize = size;
    }
    const w = label.wide / 2 + 6, h = (label.lines.length * size * 1.2) / 2 + 3;
    if (cx < -w || cx > width + w) continue;
    // Moved in from the edge, so that it is not cut off.
    const at = (x, y) => ({ label, size, w, h, x: Math.min(Math.max(x, w), width - w), y: Math.min(Math.max(y, h), height - h) });
    const places = [at(top[0], top[1] - half - h - 3), at(bottom[0], bottom[1] + half + h + 3), at(top[0], top[1] - h), at(cx, cy)].filter((place) => !taken.some((other) => touches(place, other)));
    const found = places.find((place) => !boxes.some((box) => touches(place, box))) ?? (isFar ? places[0] : undefined);
    if (!found) continue;
    taken.push(found);
    placed.push(found);
  }
  return placed;
}
/* The pictures that no name covers. */
function besideNames(boxes, names) {
  return boxes.filter((box) => !names.some((name) => Math.abs(name.x - box.x) < name.w + box.w && Math.abs(name.y - box.y) < name.h + box.h));
}
