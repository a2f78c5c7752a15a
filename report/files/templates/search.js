/* Search by words, and the filters: which photos match. */

const FILTERS = {
  uncaptioned: { text: "Not captioned", matches: (photo) => "vn".includes(statusOf(photo)) },
  errors: { text: "Failed", matches: (photo) => statusOf(photo) === "e" },
  videos: { text: "Videos", matches: (photo) => statusOf(photo) === "m" },
  unclustered: { text: "Unclustered", matches: (photo) => photos.group[photo] === -1 },
};
for (const filter of Object.values(FILTERS)) filter.size = allPhotos.filter(filter.matches).length;

function showFilters() {
  const chips = Object.entries(FILTERS).filter(([, { size }]) => size).map(([name, { text, size }]) => {
    const isOn = state.get("only") === name;
    const target = addressWith({ only: isOn ? null : name, group: null, event: null, events: null, groups: null, spot: null, year: null });
    return link([`${text} `, make("b", {}, formatNumber(size))], target, isOn);
  });
  $("filters").replaceChildren(...chips);
  $("filters").hidden = !chips.length || state.has("group") || state.has("event");
}

/* Ignore case and accents. Most captions are plain ASCII and have no accents. */
const fold = (text) => (/^[\x00-\x7f]*$/.test(text) ? text : text.normalize("NFKD").replace(/\p{M}/gu, "")).toLowerCase();
const wordsOf = (query) => fold(query).split(/\s+/).filter(Boolean);
let prepared = null;
/* What is searched of each photo and of each group. */
function searchTexts() {
  if (prepared) return prepared;
  // Joined to one text, because browsers fold that a hundred times faster than photo by photo.
  const joined = allPhotos.map((photo) => `${labelOf(photo)} ${pathOf(photo)}`.replaceAll("\x01", " ")).join("\x01");
  prepared = { photos: fold(joined).split("\x01"), groups: groups.map(({ heading, terms }, group) => fold(`${nameOf(group)} ${heading} ${terms.join(" ")}`)) };
  return prepared;
}

/* The photos that have every word, each in the caption, the path or the group's name or heading. */
function find(query, only, theme, order = allPhotos) {
  const words = wordsOf(query), texts = words.length ? searchTexts() : null;
  let found = only ? order.filter(FILTERS[only]?.matches ?? (() => true)) : order;
  for (const word of words) {
    const inHeading = texts.groups.map((text) => text.includes(word));
    found = found.filter((photo) => texts.photos[photo].includes(word) || inHeading[photos.group[photo]] === true);
  }
  return theme === null ? found : found.filter((photo) => themeOf(photo) === Number(theme));
}
const foundPhotos = (order) => find(state.get("q") ?? "", state.get("only"), state.get("theme"), order);
function foundGroups(query) {
  const words = wordsOf(query), texts = searchTexts().groups;
  return [...groups.keys()].filter((group) => words.every((word) => texts[group].includes(word))).sort(bySize);
}

$("words").addEventListener("input", () => {
  const q = $("words").value.trim() ? $("words").value : null;
  const isRefined = Boolean(state.get("q")); // all of the typing is one entry of the history
  if (q === null && !state.has("map") && !state.get("only")) return showAtOnce("#groups", isRefined);
  const target = state.has("map") ? addressWith({ q, group: null, spot: null }) : address({ q, only: state.get("only"), theme: state.get("theme") });
  showAtOnce(target, isRefined);
});
$("search").addEventListener("submit", (event) => {
  event.preventDefault();
  $("words").blur(); // closes a phone's keyboard
  $("grid").querySelector("a")?.focus();
});
