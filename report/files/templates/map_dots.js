/* The dots of the map. They are written into an array of pixels: without a graphics card that is ten times as fast as the
   canvas's own drawing. */

function makeDots(placed, themes) {
  // In the order of drawing: grey first, under all others, then theme by theme, so that the colour seldom changes.
  const order = Int32Array.from(placed).sort((a, b) => themes[a] - themes[b]);
  const sameColour = [];
  order.forEach((photo, at) => {
    if (!at || themes[photo] !== themes[order[at - 1]]) sameColour.push({ theme: themes[photo], from: at, to: at });
    sameColour.at(-1).to = at + 1;
  });
  let xs = null, ys = null; // in the same order
  return {
    /* Dots lie a little off their places, so that they do not look like a lattice. */
    place(px, py, cell) {
      xs = Float32Array.from(order, (photo) => px[photo] + ((photo * 0.618) % 1 - 0.5) * 0.6 * cell);
      ys = Float32Array.from(order, (photo) => py[photo] + ((photo * 0.7549) % 1 - 0.5) * 0.6 * cell);
    },
    /* `image`: the canvas's pixels, `dpr` of them a pixel of the page; `colourOf(theme)`: three numbers; `isDrawn(photo)`: null for all. */
    draw({ data, width, height }, { view, dpr, radius, strength, colourOf, isDrawn }) {
      const a = view.k * dpr, bx = view.x * dpr, by = view.y * dpr, dot = dotPixels(radius * dpr), reach = Math.ceil(radius * dpr);
      for (const { theme, from, to } of sameColour) {
        const [red, green, blue] = colourOf(theme), force = theme < 0 ? strength * 0.4 : strength;
        for (let at = from; at < to; at++) {
          if (isDrawn && !isDrawn(order[at])) continue;
          const px = Math.round(xs[at] * a + bx), py = Math.round(ys[at] * a + by);
          if (px < reach || py < reach || px >= width - reach || py >= height - reach) continue;
          for (const { dx, dy, cover } of dot) {
            const offset = ((py + dy) * width + px + dx) * 4, part = cover * force;
            data[offset] += (red - data[offset]) * part;
            data[offset + 1] += (green - data[offset + 1]) * part;
            data[offset + 2] += (blue - data[offset + 2]) * part;
          }
        }
      }
    },
  };
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
