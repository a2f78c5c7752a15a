/* Where photos lie on a map of a given size. The places of the report keep alike photos together, but leave much of a screen
   empty and let photos lie on one another. Here gaps shrink, and no two photos are so close that one could not be reached. */

const EVEN = 0.6; // how much a place goes by its rank: 0 keeps all distances, 1 leaves no gap
const FILLED = 0.62; // of the map, if each photo had a cell
const TURN = Math.PI * (3 - Math.sqrt(5)); // the golden angle: steps by it cover a disc evenly

/* Return the places of the photos `list` in pixels, by photo: { px, py, lattice }. They lie on a lattice of points, which it
   returns too. The first in the list is moved least. */
function placesOn({ width, height, margin }, list, x, y) {
  const lattice = latticeFor(list.length, width, height, margin), { cell, left, top, wide, high } = lattice;
  const px = evened(list, x, left, width - left), py = evened(list, y, top, height - top);
  const taken = new Uint8Array(wide * high), tried = new Int32Array(wide * high); // how far around each point all is taken
  const limit = 30 * list.length + 30;
  for (const photo of list) {
    const cx = Math.round((px[photo] - left) / cell), cy = Math.round((py[photo] - top) / cell), from = cy * wide + cx;
    for (let step = tried[from]; step < limit; step++) {
      const away = 0.5 * Math.sqrt(step), tx = Math.round(cx + away * Math.cos(step * TURN)), ty = Math.round(cy + away * Math.sin(step * TURN));
      if (tx < 0 || ty < 0 || tx >= wide || ty >= high || taken[ty * wide + tx]) continue;
      taken[ty * wide + tx] = 1;
      tried[from] = step + 1;
      [px[photo], py[photo]] = [left + tx * cell, top + ty * cell];
      break;
    }
  }
  return { px, py, lattice };
}

/* The widest lattice in the middle of the map that has a point for each photo, and more. */
function latticeFor(count, width, height, margin) {
  let cell = Math.sqrt((FILLED * (width - margin) * (height - margin)) / Math.max(1, count));
  for (;;) {
    const side = Math.max(32, 0.6 * margin, 0.55 * Math.min(cell, 160)); // half a picture at the edge
    const wide = Math.max(1, Math.floor((width - 2 * side) / cell) + 1), high = Math.max(1, Math.floor((height - 2 * side) / cell) + 1);
    if (wide * high >= count || cell < 1) return { cell, wide, high, left: (width - (wide - 1) * cell) / 2, top: (height - (high - 1) * cell) / 2 };
    cell *= 0.97;
  }
}

/* The coordinates between two edges: partly in proportion, partly by their order. */
function evened(list, values, low, high) {
  const ordered = Float64Array.from(list, (photo) => values[photo]).sort(), last = ordered.length - 1;
  const out = Math.floor(ordered.length * 0.004), first = ordered[out], span = ordered[last - out] - first || 1;
  const placed = new Float32Array(values.length);
  for (const photo of list) {
    const inProportion = Math.min(1, Math.max(0, (values[photo] - first) / span));
    const byOrder = last > 0 ? (firstAtLeast(ordered, values[photo]) + firstAtLeast(ordered, values[photo] + 1) - 1) / 2 / last : 0.5;
    placed[photo] = low + (high - low) * (EVEN * byOrder + (1 - EVEN) * inProportion);
  }
  return placed;
}
function firstAtLeast(ordered, value) {
  let low = 0, high = ordered.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (ordered[middle] < value) low = middle + 1;
    else high = middle;
  }
  return low;
}
