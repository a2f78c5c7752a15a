/* Which photos show a picture at which depth of zoom. A level has all photos of the level before, so zooming in only adds pictures. */

const SPACING = 42; // pixels between pictures, at least
const ROOM = 0.88; // of it, for the picture

/* `all`: the photos, most typical first, at the places `px` and `py`. The spacing is a simple multiple of the lattice's cell,
   so that pictures lie in rows; at the level `last` all photos are in. */
function makeLevels(all, { px, py, lattice: { cell, left, top } }, width, height) {
  const spacing = [1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64].find((times) => times * cell >= SPACING) * cell || SPACING;
  const levels = [];
  /* For each point of a grid the most typical photo near it, and then those that still fit. */
  function gridOf(size, before) {
    const stride = Math.ceil(width / size) + 3, taken = new Int32Array(stride * (Math.ceil(height / size) + 3)).fill(-1), list = [];
    const add = (photo, isPoint) => {
      const ax = px[photo] - left, ay = py[photo] - top, gx = Math.round(ax / size), gy = Math.round(ay / size), here = (gy + 1) * stride + gx + 1;
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
  return {
    spacing,
    last: Math.ceil(Math.log2(spacing / cell)),
    at(depth) {
      while (levels.length <= depth) {
        const before = levels.at(-1) ?? [];
        levels.push(before.length === all.length ? before : gridOf(spacing / 2 ** levels.length, before));
      }
      return levels[depth];
    },
  };
}
