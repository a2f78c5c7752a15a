/* Where photos lie on a map of a given size. The places of the report keep alike photos together, but leave much of a screen
   empty and let photos lie on one another. Here gaps shrink, and no two photos are so close that one could not be reached. */

const EVEN = 0.6; // how much a place goes by its rank: 0 keeps all distances, 1 leaves no gap
const FILLED = 0.62; // of the map, if each photo had a cell
const TURN = Math.PI * (3 - Math.sqrt(5)); // the golden angle: steps by it cover a disc evenly

/* Return the places of the photos `list` in pixels, by photo, on a lattice of one size: { cell, px, py }. The first in the list
   is moved least. */
function placesOn({ width, height, margin }, list, x, y) {
  const area = Math.max(1, (width - 2 * margin) * (height - 2 * margin));
  const cell = Math.sqrt((FILLED * area) / Math.max(1, list.length));
  const px = evened(list, x, margin, width - margin), py = evened(list, y, margin, height - margin);
  const wide = Math.max(1, Math.floor(width / cell)) + 1, high = Math.max(1, Math.floor(height / cell)) + 1;
  const taken = new Uint8Array(wide * high), tried = new Int32Array(wide * high); // how far around each cell all is taken
  const limit = 30 * list.length;
  for (const photo of list) {
    const cx = Math.min(wide - 1, Math.round(px[photo] / cell)), cy = Math.min(high - 1, Math.round(py[photo] / cell)), from = cy * wide + cx;
    for (let step = tried[from]; step < limit; step++) {
      const away = 0.5 * Math.sqrt(step), tx = Math.round(cx + away * Math.cos(step * TURN)), ty = Math.round(cy + away * Math.sin(step * TURN));
      if (tx < 1 || ty < 1 || tx >= wide - 1 || ty >= high - 1 || taken[ty * wide + tx]) continue;
      taken[ty * wide + tx] = 1;
      tried[from] = step + 1;
      [px[photo], py[photo]] = [tx * cell, ty * cell];
      break;
    }
  }
  return { cell, px, py };
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
