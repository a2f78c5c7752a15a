/* The search field and the filters: which photos are found. */

const FILTERS = {
  uncaptioned: { text: "Not captioned", matches: (photo) => "vn".includes(statusOf(photo)) },
  errors: { text: "Failed", matches: (photo) => statusOf(photo) === "e" },
  videos: { text: "Videos", matches: isVideo },
  disputed: { text: "Captions that disagree", matches: (photo) => disputed.has(photo) },
  unclustered: { text: "Unclustered", matches: (photo) => photos.group[photo] === -1 },
};
for (const filter of Object.values(FILTERS)) filter.size = allPhotos.filter(filter.matches).length;

function showFilters() {
  const chips = Object.entries(FILTERS).filter(([, { size }]) => size).map(([name, { text, size }]) => {
    const isOn = state.get("only") === name;
    const target = addressWith({ only: isOn ? null : name, group: null, event: null, trip: null, like: null, events: null, groups: null, memories: null, about: null, spot: null, year: null });
    return link([`${text} `, make("b", {}, formatNumber(size))], target, isOn);
  });
  $("filters").replaceChildren(...chips);
  // About leads to the first of them.
  $("filters").hidden = !chips.length || !state.get("only") || Object.keys(LISTS).some((name) => state.has(name));
}

/* The photos that fit, in an order. */
function find(query, only, theme, order = allPhotos) {
  const scores = query.trim() ? scoresOf(query) : null;
  let found = only ? order.filter(FILTERS[only]?.matches ?? (() => true)) : order;
  if (scores) found = found.filter((photo) => scores[photo]);
  return theme === null ? found : found.filter((photo) => themeOf(photo) === Number(theme));
}
const foundPhotos = (order) => find(state.get("q") ?? "", state.get("only"), state.get("theme"), order);
const bestFirst = (list, query) => {
  const scores = scoresOf(query);
  return scores ? [...list].sort((a, b) => scores[b] - scores[a]) : list;
};
/* The groups and events whose names fit, the largest first. */
function foundNames(query, list, from, sizeOf) {
  const scores = scoresOf(query);
  return scores ? [...list.keys()].filter((one) => scores[from + one]).sort((a, b) => sizeOf(b) - sizeOf(a)) : [];
}
const foundGroups = (query) => foundNames(query, groups, photoCount, (group) => groupPhotos[group].length).filter((group) => !isHidden(group));
const foundTrips = (query) => foundNames(query, trips, firstTrip, (trip) => photosOfTrip(trip).length);
const foundEvents = (query) => foundNames(query, events, firstEvent, (event) => events[event].members.length);

$("words").addEventListener("input", () => {
  isTyping = true;
  showTyped();
  isTyping = false;
});
let beforeSearch = START; // where an emptied field leads back to
function showTyped() {
  const q = $("words").value.trim() ? $("words").value : null;
  const isRefined = Boolean(state.get("q")); // all of the typing is one entry of the history
  if (!isRefined) beforeSearch = shownAddress;
  if (q === null && !state.has("map") && !state.get("only")) return showAtOnce(beforeSearch, isRefined);
  const target = state.has("map") ? addressWith({ q, group: null, spot: null }) : address({ q, only: state.get("only"), theme: state.get("theme") });
  showAtOnce(target, isRefined);
}
$("clear").onclick = () => {
  $("words").value = "";
  $("words").dispatchEvent(new Event("input"));
  $("words").focus();
};
$("search").addEventListener("submit", (event) => {
  event.preventDefault();
  $("words").blur(); // closes a phone's keyboard
  $("grid").querySelector("a")?.focus();
});
