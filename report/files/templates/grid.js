/* The photos of a list in rows as wide as the page, none of them cropped. Only rows in sight and near it are in the document,
   so ten thousand photos scroll as smoothly as ten. The frames of a burst are one tile until they are asked for. */

const GAP = 6;
const aspects = Float32Array.from(photos.aspect, (aspect) => Math.min(3, Math.max(0.5, (aspect ?? 130) / 100)));
const grid = {
  box: $("grid"), list: [], noteOf: null, items: [], shownPhotos: [], rows: [], tiles: new Map(), openBursts: new Set(), current: 0,

  fill(list, noteOf) {
    [this.list, this.noteOf, this.current] = [list, noteOf, 0];
    this.openBursts.clear();
    this.makeItems();
  },
  /* An item is a photo, a burst, or one frame of a burst that is open. */
  makeItems() {
    const framesOf = new Map(data.bursts.map((burst) => [burst, []])); // those in this list
    for (const photo of this.list) framesOf.get(burstOf.get(photo))?.push(photo);
    this.items = [];
    for (const photo of this.list) {
      const burst = burstOf.get(photo), frames = framesOf.get(burst);
      if (!burst || frames.length < 2) this.items.push({ photo });
      else if (frames[0] !== photo) continue;
      else if (this.openBursts.has(burst)) frames.forEach((frame, index) => this.items.push({ photo: frame, burst, frames: frames.length, isOpen: true, isFirst: !index }));
      else this.items.push({ photo: frames.includes(burst[0]) ? burst[0] : photo, burst, frames: frames.length });
    }
    this.shownPhotos = this.items.map(({ photo }) => photo);
    this.layout();
  },
  layout() {
    const width = this.box.clientWidth;
    if (!width) return;
    this.width = width;
    const wanted = width < 560 ? 118 : 184, below = this.noteOf ? 26 : GAP;
    this.rows = [];
    let top = 0, from = 0, sum = 0;
    this.items.forEach((item, index) => {
      sum += aspects[item.photo];
      const full = (width - (index - from) * GAP) / sum, isLast = index === this.items.length - 1;
      if (full > wanted && !isLast) return;
      const height = Math.min(full, wanted * 1.15);
      this.rows.push({ top, height, from, to: index + 1 });
      top += height + below;
      [from, sum] = [index + 1, 0];
    });
    this.box.style.height = `${top}px`;
    for (const tile of this.tiles.values()) tile.remove();
    this.tiles.clear();
    this.paint(0); // first what is in sight, so that an answer shows at once
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.paint(), 120);
  },
  /* The left and right edge of each photo of a row. */
  edges({ height, from, to }) {
    let left = 0;
    return this.items.slice(from, to).map((item) => {
      const start = left, end = left + aspects[item.photo] * height;
      left = end + GAP;
      return [start, end];
    });
  },
  paint(margin = innerHeight) {
    if (isPrinting()) return; // all is there
    const above = -this.box.getBoundingClientRect().top - margin;
    this.paintBetween(above, above + innerHeight + 2 * margin);
  },
  /* The first rows, wherever the page is. */
  paintAll(most) {
    this.paintBetween(0, this.rows.find(({ to }) => to > most)?.top ?? Infinity);
  },
  paintBetween(above, below) {
    if ($("view-list").hidden) return;
    const keep = new Set(), added = document.createDocumentFragment();
    let low = 0, high = this.rows.length; // binary search for the first row
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.rows[middle].top + this.rows[middle].height < above) low = middle + 1;
      else high = middle;
    }
    for (let at = low; at < this.rows.length && this.rows[at].top < below; at++) {
      const row = this.rows[at], edges = this.edges(row);
      for (let index = row.from; index < row.to; index++) {
        keep.add(index);
        if (this.tiles.has(index)) continue;
        const tile = this.tile(index, row, edges[index - row.from]);
        this.tiles.set(index, tile);
        added.append(tile);
      }
    }
    for (const [index, tile] of this.tiles) {
      if (keep.has(index) || tile.contains(document.activeElement)) continue;
      tile.remove();
      this.tiles.delete(index);
    }
    this.box.append(added);
  },
  tile(index, { top, height }, [left, right]) {
    const { photo, burst, frames, isOpen, isFirst } = this.items[index];
    const anchor = make("a", { href: photoAddress(photo), title: titleOf(photo), tabIndex: index === this.current ? 0 : -1 }, pictureOrTitle(photo));
    const tile = make("div", { className: isOpen ? "tile frame" : "tile" }, anchor);
    Object.assign(tile.style, { left: `${left}px`, top: `${top}px`, width: `${right - left}px`, order: index });
    anchor.style.height = `${height}px`;
    tile.dataset.index = index;
    if (burst && (isFirst || !isOpen)) {
      tile.append(make("button", {
        className: "count", ariaLabel: isOpen ? "Put the frames together" : `Show the ${frames} frames`, ariaExpanded: String(Boolean(isOpen)),
        title: isOpen ? "Put the frames together" : `${frames} frames taken one after the other`, tabIndex: -1,
        onclick: () => this.toggle(burst, index),
      }, isOpen ? "−" : `×${frames}`));
    }
    if (isVideo(photo) && thumbnailOf(photo)) tile.append(make("span", { className: "play", title: "Video", ariaLabel: "Video", role: "img" }, "▶"));
    const note = this.noteOf?.(photo);
    if (this.noteOf) tile.append(make("span", { className: "note", title: note }, note && `near ${note}`));
    return tile;
  },
  toggle(burst, index) {
    if (!this.openBursts.delete(burst)) this.openBursts.add(burst);
    this.current = index;
    this.makeItems();
    this.focus(index);
  },
  focus(index) {
    if (!this.items[index]) return;
    const row = this.rows.find(({ to }) => index < to);
    const top = this.box.getBoundingClientRect().top + row.top;
    if (top < 110) scrollBy(0, top - 120);
    else if (top + row.height > innerHeight) scrollBy(0, top + row.height - innerHeight + 20);
    this.paint();
    this.tiles.get(this.current)?.firstChild.setAttribute("tabindex", -1);
    this.current = index;
    const anchor = this.tiles.get(index).firstChild;
    anchor.tabIndex = 0;
    anchor.focus({ preventScroll: true });
  },
  key(event) {
    const tile = event.target.closest(".tile");
    if (!tile || event.altKey || event.ctrlKey || event.metaKey) return;
    const index = Number(tile.dataset.index), at = this.rows.findIndex(({ to }) => index < to);
    /* Up and down go to the photo above or below the middle of this one. */
    const closest = (row) => {
      if (!row) return index;
      const [left, right] = this.edges(this.rows[at])[index - this.rows[at].from];
      const found = this.edges(row).findIndex((edges) => edges[1] >= (left + right) / 2);
      return found < 0 ? row.to - 1 : row.from + found;
    };
    const to = { ArrowLeft: index - 1, ArrowRight: index + 1, ArrowUp: closest(this.rows[at - 1]), ArrowDown: closest(this.rows[at + 1]), Home: 0, End: this.items.length - 1 }[event.key];
    if (event.key === "x" && this.items[index].burst) this.toggle(this.items[index].burst, index);
    else if (to === undefined) return;
    else this.focus(to);
    event.preventDefault();
  },
};
grid.box.addEventListener("keydown", (event) => grid.key(event));
addEventListener("scroll", () => requestAnimationFrame(() => grid.paint()), { passive: true });
new ResizeObserver(() => grid.box.clientWidth !== grid.width && !isPrinting() && grid.layout()).observe(grid.box);
