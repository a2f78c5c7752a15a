/* The pictures of the map: a limited number is kept ready to draw, cut to squares. They are loaded only while the map stands still. */

const LOADING = 12; // pictures loading at a time
const KEPT = 900; // pictures ready to draw
const SIZES = [96, 200]; // pixels: far out small ones are faster to draw

/* `thumbnail(photo)`: an address or null; `loaded()` is called whenever there is more to draw. */
function makePictures(thumbnail, loaded) {
  const ready = new Map(); // the bitmap of a photo, or null while it loads and where there is none
  let wanted = [], loading = 0;
  function load(photo, size) {
    const before = ready.get(photo), image = new Image();
    if (before === undefined) ready.set(photo, null);
    loading++;
    image.src = thumbnail(photo);
    image.decode()
      .then(() => {
        const { naturalWidth: wide, naturalHeight: high } = image, side = Math.min(wide, high), pixels = Math.min(side, size);
        return createImageBitmap(image, (wide - side) / 2, (high - side) / 2, side, side, { resizeWidth: pixels, resizeHeight: pixels, resizeQuality: "medium" });
      })
      .then((bitmap) => {
        before?.close();
        ready.set(photo, Object.assign(bitmap, { isLarge: size === SIZES[1] }));
      }, () => {}) // a missing one remains a dot
      .finally(() => {
        loading--;
        loaded();
        next();
      });
  }
  function next() {
    while (loading < LOADING && wanted.length) {
      const { photo, size } = wanted.shift();
      load(photo, size);
    }
    for (const photo of ready.keys()) {
      if (ready.size <= KEPT) break;
      ready.get(photo)?.close();
      ready.delete(photo);
    }
  }
  return {
    /* Of these photos those whose pictures are ready, for boxes as large as `pixels`; the others will be loaded when asked. */
    of(photos, pixels) {
      const size = pixels <= SIZES[0] * 1.1 ? SIZES[0] : SIZES[1], bitmaps = new Map();
      wanted = [];
      for (const photo of photos) {
        const bitmap = ready.get(photo);
        const isMissing = bitmap === undefined ? thumbnail(photo) !== null : bitmap && size === SIZES[1] && !bitmap.isLarge;
        if (isMissing && wanted.length < KEPT / 2) wanted.push({ photo, size });
        if (!bitmap) continue;
        ready.delete(photo); // and back in, as the last one used
        ready.set(photo, bitmap);
        bitmaps.set(photo, bitmap);
      }
      return bitmaps;
    },
    load: next,
  };
}
