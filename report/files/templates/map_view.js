/* The map as a view: what map.js draws, what is highlighted, and the small window of the photo under the pointer. */

let map = null;
/* What gives the colour: the theme, or in a library without any the group. */
const kinds = themes.length ? themes : groups;
const kindOf = (photo) => (themes.length ? themeOf(photo) : photos.group[photo] < 0 ? -1 : photos.group[photo]);

let flownTo = null; // the search that is shown
function showMap() {
  fitMap();
  const isFirst = map === null;
  map ??= makeMap($("canvas"), {
    x: photos.x, y: photos.y, themes: allPhotos.map(kindOf), typical: inOrder("typical"), labels: mapLabels(), thumbnail: thumbnailOf,
    colours: mapColours, hover: showHover, open: (photo) => follow(photoAddress(photo)),
  });
  map.resize();
  const id = idInState("group");
  let list = null;
  if (id !== null) list = id === -1 ? unclustered : groupPhotos[groupOfId.get(id)] ?? [];
  else if (state.get("q") || state.get("only") || state.has("theme")) list = foundPhotos();
  const isHighlighted = list && new Uint8Array(photoCount);
  list?.forEach((photo) => (isHighlighted[photo] = 1));
  map.highlight(isHighlighted);
  const onMap = list?.filter(isPlaced);
  const heading = id === null ? "" : id === -1 ? "Unclustered" : nameOf(groupOfId.get(id)) ?? "";
  $("hint").textContent = list ? `${quantity(onMap.length, "photo")} highlighted${id === null ? "" : `: ${shorten(heading, 60)}`}` : "";
  const search = list && id === null ? addressWith({ spot: null }) : null;
  if (id !== null) map.zoomTo(onMap);
  else if (state.has("spot")) map.zoomTo([idInState("spot")]);
  else if (search && search !== flownTo) map.zoomTo(onMap, !isFirst);
  else if (!search && flownTo) map.zoomAll();
  flownTo = search;
}

/* As high as the window allows. On a phone the window grows and shrinks as one scrolls: there, only a new width counts. */
let fittedWidth = 0;
function fitMap() {
  if (!state.has("map") || (fittedWidth === innerWidth && matchMedia("(pointer: coarse)").matches)) return;
  fittedWidth = innerWidth;
  $("map-box").style.height = `${Math.max(360, innerHeight - $("map-box").getBoundingClientRect().top - scrollY - 24)}px`;
}

function mapLabels() {
  const label = (text, list, rest) => ({ lines: twoLines(text), size: list.length, photos: list.filter((photo) => photos.x[photo] !== null), ...rest });
  // In a small library there is room for the names of groups from the start.
  const isSmall = photoCount <= FEW_PHOTOS;
  const ofThemes = isSmall ? [] : themes.map(({ name, groups: [first] }, theme) => label(name, groupPhotos[first] ?? [], { isBig: true, theme, until: 2.2, size: themePhotos[theme].length }));
  const ofGroups = groups.map(({ theme }, group) => label(nameOf(group), isHidden(group) ? [] : groupPhotos[group], { theme: themes.length ? theme : group, from: isSmall || !themes.length ? 0 : 1.25 }));
  const largestFirst = (a, b) => b.size - a.size;
  return [...ofThemes.sort(largestFirst), ...ofGroups.sort(largestFirst)].filter((one) => one.photos.length);
}

function twoLines(text) {
  const lines = [""];
  for (const word of shorten(text, 42).split(" ")) {
    if (lines.at(-1) && lines.length < 2 && (lines.at(-1) + " " + word).length > 22) lines.push("");
    lines[lines.length - 1] += (lines.at(-1) ? " " : "") + word;
  }
  return lines;
}

function mapColours() {
  const { fontFamily, color } = getComputedStyle(document.body);
  // The browser knows all ways to write a colour: draw a pixel to get the numbers.
  const pixel = Object.assign(document.createElement("canvas"), { width: 1, height: 1 }).getContext("2d", { willReadFrequently: true });
  const rgb = (colour) => {
    pixel.fillStyle = colour;
    pixel.fillRect(0, 0, 1, 1);
    return [...pixel.getImageData(0, 0, 1, 1).data.slice(0, 3)];
  };
  const dots = kinds.map((_, kind) => themeColour(kind)), names = kinds.map((_, kind) => themeColour(kind, isDark() ? 0.08 : -0.16));
  const ground = isDark() ? "#0d0c0b" : "#ffffff", soft = isDark() ? "#8d877f" : "#a39c93";
  return { font: fontFamily, ink: color, ground, soft, dots, names, groundRgb: rgb(ground), softRgb: rgb(soft), dotsRgb: dots.map(rgb) };
}

function showHover(photo, x, y) {
  const box = $("hover");
  box.hidden = photo === null;
  if (photo === null) return;
  $("hover-picture").hidden = !thumbnailOf(photo);
  if (thumbnailOf(photo)) $("hover-picture").src = thumbnailOf(photo);
  $("hover-words").textContent = titleOf(photo);
  $("hover-group").textContent = withDots(isTaken(photo) ? dateOf(photo, true) : "", nameOf(photos.group[photo]) ?? "Unclustered");
  const { clientWidth: width, clientHeight: height } = $("map-box"), boxHeight = box.offsetHeight || 280;
  const left = x + 20 + 250 > width ? x - 270 : x + 20;
  box.style.transform = `translate(${Math.max(4, left)}px, ${Math.min(Math.max(8, y - boxHeight / 2), Math.max(8, height - boxHeight - 8))}px)`;
}
$("zoom-in").onclick = () => map.zoomIn();
$("zoom-out").onclick = () => map.zoomOut();
$("zoom-all").onclick = () => map.zoomAll();
addEventListener("resize", fitMap);
