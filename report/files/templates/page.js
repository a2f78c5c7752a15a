/* Owns the page: what is shown and found, and where a click leads. The address after the # says all of it, so back and
   forward work on a file. Captions and names are text to it and never markup: it sets textContent and makes elements. */

const data = JSON.parse(document.getElementById("data").textContent);
const { photos, groups, themes, chunks, folders: folderPlaces } = data;
const folders = Object.keys(folderPlaces);
const count = photos.name.length;
const everyone = Array.from({ length: count }, (_, photo) => photo);
const $ = (id) => document.getElementById(id);

// ---- What is known of a photo ----------------------------------------------------------------------------------------

const labelOf = (photo) => (typeof photos.label[photo] === "number" ? photos.label[photos.label[photo]] : photos.label[photo]);
const pathOf = (photo) => folders[photos.folder[photo]] + photos.name[photo];
const statusOf = (photo) => photos.status[photo];
const themeOf = (photo) => groups[photos.group[photo]]?.theme ?? -1;
const unlinked = new Set(data.unlinked);
const address = ({ before, between, after }, photo) => {
  const part = between[photo] ?? null;
  return part === null ? null : before + part + after;
};
const thumbnailOf = (photo) => address(data.thumbnails, photo);
/* Half characters have no spelling in an address. Where the disk spells a name otherwise, `odd` has the address. */
const originalOf = (photo) =>
  data.link === null || unlinked.has(photo)
    ? null
    : data.link + (data.odd[photo] ?? pathOf(photo).replace(/\p{Surrogate}/gu, "\ufffd").split("/").map(encodeURIComponent).join("/"));
/* A file that a browser can show has a thumbnail and no preview. */
const largeOf = (photo) => address(data.previews, photo) ?? (thumbnailOf(photo) ? originalOf(photo) : null);
/* Names of files may turn the writing round or break the line; here they show that they have something odd. */
const shown = (path) => path.replace(/[\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff]|\p{Surrogate}/gu, "\ufffd");
const titleOf = (photo) => labelOf(photo) || shown(photos.name[photo]);

const distance = (photo) => photos.distance[photo] ?? Infinity;
const moment = (photo) => photos.at[photo] ?? Infinity;
const SORTS = {
  typical: ["Most typical", (a, b) => distance(a) - distance(b)],
  time: ["By time", (a, b) => (moment(a) === moment(b) ? a - b : moment(a) - moment(b))],
  odd: ["Oddest", (a, b) => (photos.distance[b] ?? -1) - (photos.distance[a] ?? -1)],
};
/* All photos in an order, sorted once: what is picked from them is in order too. */
const orders = {};
const inOrder = (name) => (orders[name] ??= [...everyone].sort(SORTS[name][1]));
const typical = inOrder("typical");

const inGroup = groups.map(() => []); // the most typical first
const loose = [];
for (const photo of typical) {
  if (photos.group[photo] >= 0) inGroup[photos.group[photo]].push(photo);
  else if (photos.group[photo] === -1) loose.push(photo);
}
const groupPlace = new Map(groups.map((group, place) => [group.id, place]));
const inTheme = themes.map((theme) => theme.groups.flatMap((group) => inGroup[group]));
const flat = themes.every((theme) => theme.groups.length === 1); // a small library: a theme is a group, and says nothing more
const ofTheme = (theme) => flat ? { group: groups[themes[theme].groups[0]].id } : { theme };
const chunkOf = new Int32Array(count).fill(-1);
const chunkPlace = new Map(chunks.map((chunk, place) => [chunk.id, place]));
chunks.forEach((chunk, place) => chunk.members.forEach((photo) => (chunkOf[photo] = place)));
const burstOf = new Map(data.bursts.flatMap((frames) => frames.map((photo) => [photo, frames])));

// ---- Words -----------------------------------------------------------------------------------------------------------

const counts = new Intl.NumberFormat("en-US");
const number = (value) => counts.format(value);
const things = (value, thing) => `${number(value)} ${thing}${value === 1 ? "" : "s"}`;
/* A way to write a wall clock; made when first used, because making one takes as long as a thousand uses. */
function writer(options) {
  let format;
  return (seconds) => (format ??= new Intl.DateTimeFormat("en-GB", { timeZone: "UTC", ...options })).format(seconds * 1000).replace("Sept ", "Sep ");
}
const DAY = writer({ day: "numeric", month: "short", year: "numeric" });
const LONG = writer({ weekday: "long", day: "numeric", month: "long", year: "numeric", hour: "2-digit", minute: "2-digit" });
const SHORT = writer({ day: "numeric", month: "short" });
const WEEKDAY = writer({ weekday: "short" });
const CLOCK = writer({ hour: "2-digit", minute: "2-digit" });
const yearOf = (seconds) => new Date(seconds * 1000).getUTCFullYear();

/* The first and the last day of photos whose own clock says; a file's date is when it was copied. */
function span(some) {
  let first = Infinity, last = -Infinity;
  for (const photo of some) {
    if (photos.at[photo] === null || photos.clock[photo] === "f") continue;
    first = Math.min(first, photos.at[photo]);
    last = Math.max(last, photos.at[photo]);
  }
  if (first > last) return "";
  if (yearOf(first) !== yearOf(last)) return `${yearOf(first)}–${yearOf(last)}`;
  return DAY(first) === DAY(last) ? DAY(first) : `${SHORT(first)} – ${DAY(last)}`;
}

/* When in its days an event was; which days those were, its title says. */
function timeOf({ start, end }) {
  if (start === null) return "";
  if (DAY(start) !== DAY(end)) return `${WEEKDAY(start)} – ${WEEKDAY(end)}, ${things(Math.floor(end / 86400) - Math.floor(start / 86400) + 1, "day")}`;
  return `${WEEKDAY(start)} ${[...new Set([CLOCK(start), CLOCK(end)])].join("–")}`;
}

// ---- Elements --------------------------------------------------------------------------------------------------------

function make(tag, properties = {}, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children.filter((child) => child !== null && child !== ""));
  return element;
}

function link(text, href, current, className = "chip") {
  return mark(make("a", { className, href }, ...[text].flat()), current);
}
/* Current is what stands for the place one is at, in a list of links. */
function mark(element, current, as = "true") {
  if (current) element.ariaCurrent = as;
  else element.removeAttribute("aria-current");
  return element;
}

let arrived = 0;
function picture(photo, properties = {}) {
  return make("img", {
    src: thumbnailOf(photo), alt: titleOf(photo), decoding: "async", draggable: false,
    onload: () => {
      arrived++;
      $("moved").hidden = true;
    },
    onerror: (event) => {
      event.target.classList.add("missing");
      $("moved").hidden = arrived > 0;
    },
    ...properties,
  });
}

/* The thumbnail, or in its place what the photo is called. */
const face = (photo, properties) => (thumbnailOf(photo) ? picture(photo, properties) : make("span", { className: "text" }, titleOf(photo)));

/* The first of a list that are worth a look: one of each burst, those with a picture before those without. */
function best(some, most) {
  const seen = new Set(), withPicture = [], without = [];
  for (const photo of some) {
    const frames = burstOf.get(photo);
    if (frames && seen.has(frames)) continue;
    if (frames) seen.add(frames);
    (thumbnailOf(photo) ? withPicture : without).push(photo);
    if (withPicture.length === most) break;
  }
  return [...withPicture, ...without].slice(0, most);
}

function card(href, heading, some, ...lines) {
  const faces = best(some, 5).map((photo) => face(photo, { loading: "lazy", alt: "" }));
  const words = faces.some((one) => one.tagName === "IMG") ? faces : faces.slice(0, 2); // texts need room
  const collage = make("div", { className: "collage" }, ...words);
  collage.dataset.count = words.length;
  return make("a", { className: "card", href }, collage, make("h3", {}, heading), ...lines.filter(Boolean).map((line) => make("p", { className: "meta" }, line)));
}

// ---- The colours of themes -------------------------------------------------------------------------------------------

const dark = () => getComputedStyle(document.documentElement).colorScheme === "dark" ||
  (!document.documentElement.dataset.light && matchMedia("(prefers-color-scheme: dark)").matches);
/* Steps of the golden angle keep any number of hues apart; steps of lightness tell them apart where hues look the same. */
function colourOf(theme, lighter = 0) {
  if (theme < 0) return "gray";
  const step = [0, 0.1, -0.08][theme % 3] + lighter;
  return `oklch(${((dark() ? 0.74 : 0.62) + step).toFixed(3)} 0.145 ${((theme * 137.508 + 35) % 360).toFixed(1)})`;
}

// ---- The address -----------------------------------------------------------------------------------------------------

const VIEWS = ["groups", "events", "list", "map"];
let here = null; // what is shown, as the address says it
let place = null; // the same without the photo that lies over it
let state = new URLSearchParams(); // and its parts
let base = "#"; // and as an address
let sequence = []; // what the arrow keys walk through in the large view
let pending = 0;
let isUp = false; // not while the address that the page was opened with is shown

function hash(parameters) {
  const kept = Object.entries(parameters).filter(([, value]) => value !== null && value !== undefined);
  return "#" + new URLSearchParams(kept).toString().replace(/=(?=&|$)/g, "");
}
/* This place with something changed; null takes it away. */
const changed = (parameters) => hash({ ...Object.fromEntries(state), ...parameters });
const photoLink = (photo) => `${base}${base === "#" ? "" : "&"}photo=${photo}`;

/* Show now, and say so in the address a moment later: browsers allow only some changes a second. */
let owed = null;
function go(target, replace) {
  if (show(target)) scrollTo(0, Math.min(scrollY, document.querySelector("header").offsetHeight));
  clearTimeout(pending);
  owed = { target, replace };
  pending = setTimeout(pay, 250);
}
/* Whoever leaves for another place first has the address say which place that was. */
function pay() {
  clearTimeout(pending);
  if (owed && here === owed.target && location.hash !== here) {
    if (owed.replace) location.replace(here);
    else location.hash = here;
  }
  owed = null;
}
function enter(target) {
  pay();
  location.hash = target;
}

/* Return whether there is another place to see; the photo that lies over it is none. */
function show(target) {
  if (target === here) return false;
  here = target;
  state = new URLSearchParams(target.slice(1));
  const photo = state.get("photo");
  state.delete("photo");
  const moved = place !== state.toString();
  place = state.toString();
  base = changed({});
  if (moved) arrange();
  showPhoto(photo === null ? null : Number(photo));
  return moved;
}

function arrange() {
  const finding = Boolean(state.get("q") || state.get("only"));
  const name = state.has("map") ? "map" : finding || state.has("group") || state.has("event") ? "list" : state.has("events") ? "events" : "groups";
  const tab = state.has("event") ? "events" : state.has("group") ? "groups" : finding ? "" : name;
  for (const view of VIEWS) {
    $(`view-${view}`).hidden = view !== name;
    if (view === "list") continue;
    mark($(`tab-${view}`), view === (name === "map" ? "map" : tab), "page");
  }
  // What was found is worth seeing on the map too.
  $("tab-map").href = hash({ map: "", q: state.get("q"), only: state.get("only"), theme: state.get("theme") });
  if (document.activeElement !== $("words")) $("words").value = state.get("q") ?? "";
  showRail(name);
  showFilters();
  ({ groups: showGroups, events: showEvents, list: showList, map: showMap })[name]();
}

addEventListener("hashchange", () => {
  if (show(location.hash || "#groups")) settle();
});
/* A place one comes back to is where one left it; a new one begins below the headline, if that was out of sight. */
function settle() {
  const year = $("view-events").hidden ? null : [...$("view-events").children].find(({ dataset }) => dataset.year === state.get("year"));
  if (history.state) scrollTo(0, history.state.y);
  else if (year) bring(year);
  else scrollTo(0, Math.min(scrollY, document.querySelector("header").offsetHeight));
}
/* What lies above is filled as it comes near, which moves what is below: so a few frames on end. */
function bring(section, frames = 12) {
  scrollBy(0, section.getBoundingClientRect().top - document.querySelector(".bar").offsetHeight - 18);
  if (frames) requestAnimationFrame(() => bring(section, frames - 1));
}
/* Every entry of the history keeps how far down it was. */
history.scrollRestoration = "manual";
let resting = 0;
addEventListener("scroll", () => {
  clearTimeout(resting);
  resting = setTimeout(remember, 150);
}, { passive: true });
function remember() {
  clearTimeout(resting);
  if (location.hash === here || !location.hash) history.replaceState({ y: scrollY }, "");
}
document.addEventListener("click", (event) => {
  const target = event.target.closest("a[href^='#']");
  if (!target || event.ctrlKey || event.metaKey || event.shiftKey) return;
  remember();
  if (target.dataset.replace === undefined) return pay();
  event.preventDefault();
  go(target.getAttribute("href"), true);
});

// ---- The rail and the filters ----------------------------------------------------------------------------------------

const FILTERS = {
  uncaptioned: ["Not captioned", (photo) => "vn".includes(statusOf(photo))],
  errors: ["Failed", (photo) => statusOf(photo) === "e"],
  videos: ["Videos", (photo) => statusOf(photo) === "m"],
  unclustered: ["Unclustered", (photo) => photos.group[photo] === -1],
};
for (const filter of Object.values(FILTERS)) filter.push(everyone.filter(filter[1]).length);

function showFilters() {
  const only = state.get("only");
  const chips = Object.entries(FILTERS).filter(([, [, , size]]) => size).map(([name, [text, , size]]) =>
    link([`${text} `, make("b", {}, number(size))], changed({ only: only === name ? null : name, group: null, event: null, events: null, groups: null, spot: null, year: null }), only === name));
  $("filters").replaceChildren(...chips);
  $("filters").hidden = !chips.length || state.has("group") || state.has("event");
}

/* The rail's links are made once and then only led elsewhere, so that no picture flickers as one types. */
const rails = {};
function railLink(photo, name, size, theme) {
  return link([
    photo !== undefined && thumbnailOf(photo) ? picture(photo, { className: "face", alt: "", loading: "lazy" }) : make("span", { className: "face none" }),
    make("span", { className: theme === null ? "name plain" : "name" }, name),
    make("span", { className: "meta" }, number(size)),
  ], "", false, "");
}

function showRail(view) {
  const kind = view === "events" ? "years" : "themes", rail = $("rail");
  const links = (rails[kind] ??= kind === "years" ? years() : !themes.length ? [] : [
    railLink(typical[0], "All themes", count, null),
    ...themes.map((theme, place) => railLink(best(inGroup[theme.groups[0]] ?? [], 1)[0], theme.name, inTheme[place].length, place)),
    ...(loose.length ? [railLink(best(loose, 1)[0], "Unclustered", loose.length, -1)] : []),
  ]);
  if (rail.dataset.kind !== kind) rail.replaceChildren(...links);
  rail.dataset.kind = kind;
  rail.ariaLabel = kind === "years" ? "Years" : "Themes";
  rail.hidden = !links.length;
  rail.parentElement.classList.toggle("bare", !links.length);
  if (kind === "years") return links.forEach((one) => mark(one, one.dataset.year === state.get("year")));
  const group = state.has("group") ? Number(state.get("group")) : null;
  const at = group >= 0 && group !== null ? groups[groupPlace.get(group)]?.theme : state.has("theme") ? Number(state.get("theme")) : null;
  const stays = state.has("map") || state.get("q") || state.get("only");
  links.forEach((one, number) => {
    const theme = number === 0 ? null : number <= themes.length ? number - 1 : -1;
    one.href = theme === -1 ? "#group=-1" : stays ? changed({ theme, group: null, spot: null }) : theme === null ? "#groups" : hash(ofTheme(theme));
    mark(one, theme === -1 ? group === -1 : theme === null ? at === null && group === null && !state.has("event") : at === theme);
    if (theme !== null) one.style.setProperty("--dot", colourOf(theme));
  });
}

// ---- Groups ----------------------------------------------------------------------------------------------------------

const groupCard = (place) => card(hash({ group: groups[place].id }), groups[place].heading, inGroup[place],
  [things(inGroup[place].length, "photo"), span(inGroup[place])].filter(Boolean).join(" · "), groups[place].terms.slice(0, 3).join(" · "));

/* A heading, and what is under it when it comes near: a library may have hundreds of groups and thousands of events. */
function part(heading, note, tall, fill) {
  const section = make("section", { className: "part" }, make("h2", {}, heading, make("span", { className: "meta" }, note)));
  section.style.minHeight = `${tall}px`; // so that the scrollbar tells the truth before it is filled
  section.style.containIntrinsicHeight = `auto ${tall}px`;
  section.fill = () => {
    filler.unobserve(section);
    if (section.children.length > 1) return;
    section.append(...fill());
    section.style.minHeight = "";
  };
  filler.observe(section);
  return section;
}
const filler = new IntersectionObserver((entries) => {
  for (const { isIntersecting, target } of entries) if (isIntersecting) target.fill();
}, { rootMargin: "900px" });
const cards = (some) => make("div", { className: "cards" }, ...some);
const heightOf = (number, wide, tall) => Math.ceil(number / Math.max(1, Math.floor($("main").clientWidth / wide))) * tall;

function showGroups() {
  const view = $("view-groups");
  if (!view.firstChild) {
    const add = (heading, note, some) => view.appendChild(part(heading, note, 70 + heightOf(some.length, 294, 310), () => [cards(some.map((one) => one()))]));
    const cardsOf = (places) => places.map((place) => () => groupCard(place));
    if (flat && themes.length) add("Groups", things(groups.length, "group"), cardsOf(themes.map((theme) => theme.groups[0])));
    else themes.forEach((theme, place) => {
      add(theme.name, `${things(theme.groups.length, "group")} · ${things(inTheme[place].length, "photo")}`, cardsOf(theme.groups)).dataset.theme = place;
    });
    const others = groups.map((_, place) => place).filter((place) => groups[place].theme < 0).sort((a, b) => inGroup[b].length - inGroup[a].length);
    if (others.length) add(themes.length ? "More groups" : "Groups", things(others.length, "group"), cardsOf(others));
    if (loose.length) {
      add("Unclustered", "in no group, and not hidden", [() => card("#group=-1", "Photos in no group", loose, things(loose.length, "photo"), "each with the group it comes nearest to")]);
    }
    const unplaced = everyone.filter((photo) => photos.group[photo] === -2);
    if (unplaced.length) {
      add("Without a picture", "videos, broken files, or nothing to go by", [() => card("#group=-2", "Files on no map", unplaced, things(unplaced.length, "file"))]);
    }
    if (!view.firstChild) view.append(make("p", { className: "empty" }, "There is no photo in this report."));
  }
  const theme = state.get("theme");
  for (const section of view.children) section.hidden = theme !== null && !flat && section.dataset.theme !== theme;
}

// ---- Events ----------------------------------------------------------------------------------------------------------

const FEW = 2; // up to so many photos an event is a crumb and no card
const isLarge = (place) => chunks[place].members.length > FEW || chunks[place].start === null;
let yearsOf = null;

function eventYears() {
  if (yearsOf) return yearsOf;
  yearsOf = new Map();
  chunks.forEach((chunk, place) => {
    const year = chunk.start === null ? "" : yearOf(chunk.start);
    if (!yearsOf.has(year)) yearsOf.set(year, { places: [], size: 0, months: Array(12).fill(0) });
    const entry = yearsOf.get(year);
    entry.places.push(place);
    entry.size += chunk.members.length;
    if (chunk.start !== null) entry.months[new Date(chunk.start * 1000).getUTCMonth()] += chunk.members.length;
  });
  return yearsOf;
}

function years() {
  const all = [...eventYears()], most = Math.max(1, ...all.flatMap(([, { months }]) => months));
  return all.map(([year, { size, months }]) => {
    const bars = make("span", { className: "months", ariaHidden: "true" });
    for (const value of months) {
      const bar = bars.appendChild(document.createElement("i"));
      bar.style.height = `${100 * Math.sqrt(value / most)}%`; // the root, so that a quiet month shows beside a wedding
    }
    const name = year === "" ? "none" : String(year);
    const one = link([make("span", {}, year === "" ? "No date" : name), year === "" ? make("span") : bars, make("span", { className: "meta" }, number(size))], hash({ events: "", year: name }), false, "year");
    one.dataset.year = name;
    return one;
  });
}

const eventCard = (place) => card(hash({ event: chunks[place].id }), chunks[place].title, chunks[place].members, [things(chunks[place].members.length, "photo"), timeOf(chunks[place])].filter(Boolean).join(" · "));

function crumb(place) {
  const { id, title, start, members } = chunks[place];
  const box = make("div", { className: "tile-box" }, face(best(members, 1)[0], { loading: "lazy", alt: "" }));
  if (members.length > 1) box.append(make("span", { className: "count" }, members.length));
  return make("a", { className: "crumb", href: hash({ event: id }), title, ariaLabel: title }, box, start === null ? title : SHORT(start));
}

/* The larger events of a year as cards, the smaller ones as crumbs. */
function eventsOf({ places }) {
  const large = places.filter(isLarge), small = places.filter((place) => !isLarge(place));
  const made = large.length ? [cards(large.map(eventCard))] : [];
  if (small.length) made.push(make("p", { className: "small" }, `${things(small.length, "small event")} of one or two photos`), make("div", { className: "crumbs" }, ...small.map(crumb)));
  return made;
}

function showEvents() {
  const view = $("view-events");
  if (!view.firstChild) {
    for (const [year, entry] of eventYears()) {
      const { places, size } = entry, large = places.filter(isLarge).length;
      const tall = 90 + heightOf(large, 294, 275) + heightOf(places.length - large, 100, 128);
      const section = part(year === "" ? "Without a date" : String(year), `${things(places.length, "event")} · ${things(size, "photo")}`, tall, () => eventsOf(entry));
      section.dataset.year = year === "" ? "none" : year;
      view.append(section);
    }
    if (!view.firstChild) view.append(make("p", { className: "empty" }, "This report has no events: it was made without the photos' dates."));
  }
}

// ---- Search ----------------------------------------------------------------------------------------------------------

/* Without case and accents. Most captions are plain ASCII, which has none. */
const fold = (text) => (/^[\x00-\x7f]*$/.test(text) ? text : text.normalize("NFKD").replace(/\p{M}/gu, "")).toLowerCase();
let haystacks = null;
const headings = () => groups.map(({ heading, terms }) => fold(`${heading} ${terms.join(" ")}`));
function prepare() {
  // All in one text, which browsers fold a hundred times faster than photo by photo.
  haystacks ??= { photos: fold(everyone.map((photo) => `${labelOf(photo)} ${pathOf(photo)}`.replaceAll("\x01", " ")).join("\x01")).split("\x01"), groups: headings() };
  return haystacks;
}

/* The photos that have every word, each in their caption, their path or their group's heading. */
function find(query, only, theme, order = everyone) {
  const words = fold(query).split(/\s+/).filter(Boolean);
  const stacks = words.length ? prepare() : null;
  let found = only ? order.filter(FILTERS[only]?.[1] ?? (() => true)) : order;
  for (const word of words) {
    const headed = stacks.groups.map((text) => text.includes(word));
    found = found.filter((photo) => stacks.photos[photo].includes(word) || headed[photos.group[photo]] === true);
  }
  return theme === null ? found : found.filter((photo) => themeOf(photo) === Number(theme));
}
const found = (order) => find(state.get("q") ?? "", state.get("only"), state.get("theme"), order);

$("words").addEventListener("input", () => {
  const q = $("words").value.trim() ? $("words").value : null;
  const started = Boolean(state.get("q"));
  if (q === null && !state.has("map") && !state.get("only")) return go("#groups", started);
  const target = state.has("map") ? changed({ q, group: null, spot: null }) : hash({ q, only: state.get("only"), theme: state.get("theme") });
  go(target, started);
});
$("search").addEventListener("submit", (event) => {
  event.preventDefault();
  $("words").blur(); // a phone's keyboard goes away
  $("grid").querySelector("a")?.focus();
});

// ---- A list of photos: a group, an event, what was found -------------------------------------------------------------

const nearest = (photo) => groups[photos.nearest[photo]]?.heading ?? "";

function showList() {
  const id = state.has("group") ? Number(state.get("group")) : null;
  const meta = [], row = [];
  let title, back, some, sorts = ["typical", "time", "odd"], note = null;
  if (id !== null) {
    const place = groupPlace.get(id);
    back = ["#groups", "Groups"];
    if (place !== undefined) {
      const { heading, terms, theme } = groups[place];
      [title, some] = [heading, inGroup[place]];
      if (terms.length) meta.push(terms.join(", "));
      if (theme >= 0 && !flat) {
        const chip = link([make("span", { className: "dot" }), themes[theme].name], hash({ theme }));
        chip.firstChild.style.setProperty("--dot", colourOf(theme));
        row.push(chip);
      }
    } else if (id === -2) [title, some, sorts] = ["Files on no map", everyone.filter((photo) => photos.group[photo] === -2), ["time"]];
    else {
      [title, some] = ["Unclustered", loose];
      meta.push("in no group; below each photo the group it comes nearest to");
      note = nearest;
    }
    if (id !== -2) row.push(link("Show on the map", hash({ map: "", group: id })));
  } else if (state.has("event")) {
    const chunk = chunks[chunkPlace.get(Number(state.get("event")))] ?? { title: "No such event", start: null, members: [] };
    [title, some, sorts] = [chunk.title, chunk.members, []];
    back = ["#events" + (chunk.start === null ? "&year=none" : `&year=${yearOf(chunk.start)}`), "Events"];
    if (timeOf(chunk)) meta.push(timeOf(chunk));
  } else {
    sorts = ["time", "typical", "odd"];
    some = found(inOrder(SORTS[state.get("sort")] ? state.get("sort") : "time"));
    back = ["#groups", "Groups"];
    const only = FILTERS[state.get("only")]?.[0];
    const theme = themes[state.get("theme")]?.name;
    title = [state.get("q") ? `“${state.get("q").trim()}”` : null, only, theme].filter(Boolean).join(" · ");
    if (some.length) row.push(link("Show on the map", changed({ map: "" })));
    if (state.get("q")) {
      const words = fold(state.get("q")).split(/\s+/).filter(Boolean), texts = prepare().groups;
      const named = groups.map((_, place) => place).filter((place) => words.every((word) => texts[place].includes(word)));
      named.sort((a, b) => inGroup[b].length - inGroup[a].length);
      for (const place of named.slice(0, 6)) row.push(link([`Group: ${cut(groups[place].heading, 44)} `, make("b", {}, number(inGroup[place].length))], hash({ group: groups[place].id })));
    }
    if (state.get("only") === "unclustered") note = nearest;
  }
  const sort = SORTS[state.get("sort")] ? state.get("sort") : sorts[0];
  if (sorts.length > 1) {
    const segments = make("span", { className: "segments", role: "group", ariaLabel: "Order" }, ...sorts.map((name) => {
      const choice = link(note && name === "typical" ? "Nearest to a group" : SORTS[name][0], changed({ sort: name }), name === sort, "");
      choice.dataset.replace = "";
      return choice;
    }));
    row.unshift(segments);
  }
  $("back").href = back[0];
  $("back").textContent = `← ${back[1]}`;
  $("list-title").textContent = title;
  $("list-meta").textContent = [some.length || !state.get("q") ? things(some.length, "photo") : "Nothing found. Every word must occur in the caption, the path or the group’s heading.", state.has("event") ? "" : span(some), ...meta].filter(Boolean).join(" · ");
  $("list-row").replaceChildren(...row);
  const ordered = id !== null && sort !== "typical" ? [...some].sort(SORTS[sort][1]) : some;
  grid.fill(ordered, note);
}

const cut = (text, length) => (text.length <= length ? text : text.slice(0, text.lastIndexOf(" ", length) > length / 2 ? text.lastIndexOf(" ", length) : length) + "…");

/* Rows of photos uncut, as wide as the page; only those in sight and near it are in the document, so ten thousand scroll as
   ten do. Frames of a burst lie on one another until asked for. */
const GAP = 6;
const ratios = Float32Array.from(photos.aspect, (aspect) => Math.min(3, Math.max(0.5, (aspect ?? 130) / 100)));
const grid = {
  box: $("grid"), items: [], rows: [], tiles: new Map(), opened: new Set(), note: null, current: 0,

  fill(some, note) {
    [this.some, this.note, this.current] = [some, note, 0];
    this.opened.clear();
    this.stack();
  },
  stack() {
    const framesHere = new Map(data.bursts.map((burst) => [burst, []]));
    for (const photo of this.some) framesHere.get(burstOf.get(photo))?.push(photo);
    this.items = [];
    for (const photo of this.some) {
      const burst = burstOf.get(photo), frames = framesHere.get(burst);
      if (!burst || frames.length < 2) this.items.push({ photo });
      else if (frames[0] !== photo) continue;
      else if (this.opened.has(burst)) frames.forEach((frame, place) => this.items.push({ photo: frame, burst, frames: frames.length, open: true, first: !place }));
      else this.items.push({ photo: frames.includes(burst[0]) ? burst[0] : photo, burst, frames: frames.length });
    }
    sequence = this.items.map(({ photo }) => photo);
    this.layout();
  },
  layout() {
    const width = this.box.clientWidth;
    if (!width) return;
    this.width = width;
    const wish = width < 560 ? 118 : 184, below = this.note ? 26 : GAP;
    this.rows = [];
    let top = 0, from = 0, sum = 0;
    this.items.forEach((item, place) => {
      sum += ratios[item.photo];
      const full = (width - (place - from) * GAP) / sum, last = place === this.items.length - 1;
      if (full > wish && !last) return;
      const height = Math.min(full, wish * 1.15);
      this.rows.push({ top, height, from, to: place + 1 });
      top += height + below;
      [from, sum] = [place + 1, 0];
    });
    this.box.style.height = `${top}px`;
    for (const tile of this.tiles.values()) tile.remove();
    this.tiles.clear();
    this.paint(0); // first what is in sight, so that an answer shows at once
    clearTimeout(this.rest);
    this.rest = setTimeout(() => this.paint(), 120);
  },
  /* From where to where each photo of a row lies. */
  spots({ height, from, to }) {
    let left = 0;
    return this.items.slice(from, to).map((item) => {
      const start = left, end = left + ratios[item.photo] * height;
      left = end + GAP;
      return [start, end];
    });
  },
  paint(reach = innerHeight) {
    if ($("view-list").hidden) return;
    const above = -this.box.getBoundingClientRect().top - reach, until = above + innerHeight + 2 * reach;
    const keep = new Set(), fresh = document.createDocumentFragment();
    let low = 0, high = this.rows.length; // the first row in reach
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.rows[middle].top + this.rows[middle].height < above) low = middle + 1;
      else high = middle;
    }
    for (let at = low; at < this.rows.length && this.rows[at].top < until; at++) {
      const row = this.rows[at], spots = this.spots(row);
      for (let place = row.from; place < row.to; place++) {
        keep.add(place);
        if (this.tiles.has(place)) continue;
        const tile = this.tile(place, row, spots[place - row.from]);
        this.tiles.set(place, tile);
        fresh.append(tile);
      }
    }
    for (const [place, tile] of this.tiles) {
      if (keep.has(place) || tile.contains(document.activeElement)) continue;
      tile.remove();
      this.tiles.delete(place);
    }
    this.box.append(fresh);
  },
  tile(place, { top, height }, [left, right]) {
    const { photo, burst, frames, open, first } = this.items[place];
    const anchor = make("a", { href: photoLink(photo), title: titleOf(photo), tabIndex: place === this.current ? 0 : -1 }, face(photo));
    const tile = make("div", { className: open ? "tile part-of" : "tile" }, anchor);
    Object.assign(tile.style, { left: `${left}px`, top: `${top}px`, width: `${right - left}px` });
    anchor.style.height = `${height}px`;
    tile.dataset.place = place;
    if (burst && (first || !open)) {
      tile.append(make("button", {
        className: "count", ariaLabel: open ? "Put the frames together" : `Show the ${frames} frames`, ariaExpanded: String(Boolean(open)),
        title: open ? "Put the frames together" : `${frames} frames taken one after the other`, tabIndex: -1,
        onclick: () => this.toggle(burst, place),
      }, open ? "−" : `×${frames}`));
    }
    if (this.note) tile.append(make("span", { className: "note", title: this.note(photo) }, this.note(photo) && `near ${this.note(photo)}`));
    return tile;
  },
  toggle(burst, place) {
    if (!this.opened.delete(burst)) this.opened.add(burst);
    this.current = place;
    this.stack();
    this.focus(place);
  },
  focus(place) {
    if (!this.items[place]) return;
    const row = this.rows.find(({ to }) => place < to);
    const top = this.box.getBoundingClientRect().top + row.top;
    if (top < 110) scrollBy(0, top - 120);
    else if (top + row.height > innerHeight) scrollBy(0, top + row.height - innerHeight + 20);
    this.paint();
    this.tiles.get(this.current)?.firstChild.setAttribute("tabindex", -1);
    this.current = place;
    const anchor = this.tiles.get(place).firstChild;
    anchor.tabIndex = 0;
    anchor.focus({ preventScroll: true });
  },
  key(event) {
    const tile = event.target.closest(".tile");
    if (!tile || event.altKey || event.ctrlKey || event.metaKey) return;
    const place = Number(tile.dataset.place), at = this.rows.findIndex(({ to }) => place < to);
    /* Up and down go to what lies nearest above and below the middle. */
    const beside = (row) => {
      if (!row) return place;
      const [left, right] = this.spots(this.rows[at])[place - this.rows[at].from];
      const over = this.spots(row).findIndex((spot) => spot[1] >= (left + right) / 2);
      return over < 0 ? row.to - 1 : row.from + over;
    };
    const to = { ArrowLeft: place - 1, ArrowRight: place + 1, ArrowUp: beside(this.rows[at - 1]), ArrowDown: beside(this.rows[at + 1]), Home: 0, End: this.items.length - 1 }[event.key];
    if (event.key === "x" && this.items[place].burst) this.toggle(this.items[place].burst, place);
    else if (to === undefined) return;
    else this.focus(to);
    event.preventDefault();
  },
};
grid.box.addEventListener("keydown", (event) => grid.key(event));
addEventListener("scroll", () => requestAnimationFrame(() => grid.paint()), { passive: true });
new ResizeObserver(() => grid.box.clientWidth !== grid.width && grid.layout()).observe(grid.box);

// ---- One photo, large ------------------------------------------------------------------------------------------------

const dialog = $("photo");
let large = null;
let cameFrom = false; // whether the entry of the history before the photo's is the page under it
const STATUS = {
  c: "Captioned", v: "Not captioned; what it shows is a guess from the picture", e: "The caption failed", m: "A video: not captioned", n: "Not captioned",
};

function around(photo) {
  if (!$("view-list").hidden && sequence.includes(photo)) return sequence;
  const burst = burstOf.get(photo);
  if (!$("view-list").hidden && burst?.some((frame) => sequence.includes(frame))) return sequence;
  return photos.group[photo] >= 0 ? inGroup[photos.group[photo]] : photos.group[photo] === -1 ? loose : [photo];
}

function showPhoto(photo) {
  if (photo === null || !(photo >= 0 && photo < count)) {
    if (dialog.open) dialog.close();
    large = null;
    return;
  }
  if (!dialog.open) {
    dialog.showModal();
    cameFrom = isUp;
    $("close").focus();
  }
  if (photo === large) return;
  large = photo;
  const [small, full] = [thumbnailOf(photo), largeOf(photo)], image = $("large");
  $("large-words").hidden = Boolean(small ?? full);
  $("large-words").textContent = titleOf(photo);
  image.hidden = !(small ?? full);
  image.alt = titleOf(photo);
  if (small ?? full) {
    image.classList.toggle("small-one", full !== null && full !== small);
    image.src = small ?? full;
    if (full !== null && full !== small) {
      // The thumbnail stands in until the photo is there, and stays if it never comes.
      const coming = new Image();
      coming.onload = () => large === photo && (image.classList.remove("small-one"), (image.src = full));
      coming.onerror = () => {
        if (large !== photo) return;
        image.classList.remove("small-one");
        $("facts").append(make("p", { className: "notice" }, "The photo itself is not where it was; this is its small picture."));
      };
      coming.src = full;
    }
  }
  showFacts(photo);
  const list = around(photo), place = placeIn(list, photo);
  $("before").disabled = place <= 0;
  $("after").disabled = place >= list.length - 1;
  for (const next of [list[place + 1], list[place - 1]]) if (next !== undefined && largeOf(next)) new Image().src = largeOf(next);
}

const placeIn = (list, photo) => {
  const place = list.indexOf(photo);
  return place >= 0 ? place : list.findIndex((other) => burstOf.get(photo)?.includes(other));
};

function showFacts(photo) {
  const group = groups[photos.group[photo]], near = groups[photos.nearest[photo]], chunk = chunks[chunkOf[photo]];
  const facts = make("dl", {});
  const fact = (name, ...value) => facts.append(make("div", {}, make("dt", {}, name), make("dd", {}, ...value)));
  if (photos.at[photo] !== null) fact(photos.clock[photo] === "f" ? "Date of the file (it has none of its own)" : "Taken", LONG(photos.at[photo]));
  if (group) fact("Group", make("a", { href: hash({ group: group.id }) }, group.heading));
  else if (photos.group[photo] === -1) fact("Group", make("a", { href: "#group=-1" }, "Unclustered"), near ? ", nearest to " : "", near ? make("a", { href: hash({ group: near.id }) }, near.heading) : "");
  if (chunk) fact("Event", make("a", { href: hash({ event: chunk.id }) }, chunk.title));
  if (photos.distance[photo] !== null) {
    fact(group ? "Distance from the centre of its group" : "Distance from the centre of the nearest group",
      (photos.distance[photo] / 1000).toFixed(3) + (group ? `, place ${number(inGroup[photos.group[photo]].indexOf(photo) + 1)} of ${number(inGroup[photos.group[photo]].length)}` : ""));
  }
  fact("Status", STATUS[statusOf(photo)]);
  fact("File", make("bdi", {}, shown(pathOf(photo))));
  const burst = burstOf.get(photo);
  if (burst) {
    const frames = [...burst].sort(SORTS.time[1]).map((frame) => {
      const one = link([face(frame, { alt: titleOf(frame) })], photoLink(frame), frame === photo, "");
      one.dataset.replace = "";
      return one;
    });
    fact(`One of ${burst.length} frames taken one after the other`, make("span", { className: "frames" }, ...frames));
  }
  const ways = [];
  if (originalOf(photo)) ways.push(make("a", { className: "go", href: originalOf(photo), target: "_blank", rel: "noopener" }, statusOf(photo) === "m" ? "Open the video" : "Open the file"));
  if (photos.x[photo] !== null) ways.push(make("a", { className: "go", href: hash({ map: "", spot: photo }) }, "Show on the map"));
  $("facts").replaceChildren(make("h2", { className: labelOf(photo) ? "" : "none" }, labelOf(photo) || "No caption"), facts, make("p", { className: "row" }, ...ways));
  $("facts").scrollTop = 0;
}

function step(by) {
  const list = around(large), next = list[placeIn(list, large) + by];
  if (next !== undefined) go(photoLink(next), true);
}
function leave() {
  if (large === null) return;
  const last = large;
  if (cameFrom) {
    pay();
    show(changed({}));
    history.back();
  } else go(changed({}), true);
  const place = $("view-list").hidden ? -1 : placeIn(sequence, last);
  if (place >= 0) grid.focus(place);
}
$("close").onclick = leave;
$("before").onclick = () => step(-1);
$("after").onclick = () => step(1);
dialog.addEventListener("cancel", (event) => {
  event.preventDefault();
  leave();
});
addEventListener("keydown", (event) => {
  const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
  if (!by || !dialog.open || event.altKey || event.ctrlKey || event.metaKey) return;
  event.preventDefault();
  step(by);
});
let touched = null;
$("stage").addEventListener("touchstart", (event) => (touched = event.touches.length === 1 ? event.touches[0] : null), { passive: true });
$("stage").addEventListener("touchend", (event) => {
  if (!touched || visualViewport?.scale > 1.05) return;
  const dx = event.changedTouches[0].clientX - touched.clientX, dy = event.changedTouches[0].clientY - touched.clientY;
  if (Math.abs(dx) > 45 && Math.abs(dx) > 1.5 * Math.abs(dy)) step(dx < 0 ? 1 : -1);
  else if (dy > 90 && dy > 1.5 * Math.abs(dx)) leave();
});

// ---- The map ---------------------------------------------------------------------------------------------------------

let map = null;

/* A heading on two short lines. */
function broken(text) {
  const words = cut(text, 42).split(" "), lines = [""];
  for (const word of words) {
    if (lines.at(-1) && lines.length < 2 && (lines.at(-1) + " " + word).length > 22) lines.push("");
    lines[lines.length - 1] += (lines.at(-1) ? " " : "") + word;
  }
  return lines;
}

/* Where a name stands: the median, which a few stray photos do not move. */
function middle(some) {
  const seen = some.filter((photo) => photos.x[photo] !== null);
  const half = (values) => values.sort((a, b) => a - b)[values.length >> 1];
  const down = seen.map((photo) => photos.y[photo]);
  return seen.length ? { x: half(seen.map((photo) => photos.x[photo])), y: half(down), top: down[down.length >> 5], rows: seen } : null;
}

function mapLabels() {
  const of = (text, some, rest) => ({ lines: broken(text), size: some.length, ...middle(some), ...rest });
  // In a small library there is room for the groups' own names at once.
  const isSmall = count <= FEW_PHOTOS;
  const far = isSmall ? [] : themes.map((theme, place) => of(theme.name, inGroup[theme.groups[0]] ?? [], { big: true, kind: place, until: 2.2, size: inTheme[place].length }));
  const near = groups.map(({ heading, theme }, place) => of(heading, inGroup[place], { kind: theme, from: isSmall || !themes.length ? 0 : 1.25 }));
  const bySize = (a, b) => b.size - a.size;
  return [...far.sort(bySize), ...near.sort(bySize)].filter((label) => label.rows?.length);
}

function mapColours() {
  const style = getComputedStyle(document.body);
  // Colours as numbers, by way of a pixel: the browser knows all ways to write one.
  const pixel = Object.assign(document.createElement("canvas"), { width: 1, height: 1 }).getContext("2d", { willReadFrequently: true });
  const rgb = (colour) => {
    pixel.fillStyle = colour;
    pixel.fillRect(0, 0, 1, 1);
    return [...pixel.getImageData(0, 0, 1, 1).data.slice(0, 3)];
  };
  const of = themes.map((_, theme) => colourOf(theme)), name = themes.map((_, theme) => colourOf(theme, dark() ? 0.08 : -0.16));
  const ground = dark() ? "#0d0c0b" : "#ffffff", soft = dark() ? "#8d877f" : "#a39c93", numbers = of.map(rgb);
  return {
    font: style.fontFamily, ink: style.color, ground, soft, of: (kind) => of[kind], name: (kind) => name[kind],
    groundRgb: rgb(ground), softRgb: rgb(soft), rgb: (kind) => numbers[kind],
  };
}

/* As high as the window, less what stands above; a phone's window grows and shrinks as one scrolls, which is no reason. */
let fitted = 0;
function fitMap() {
  if (!state.has("map") || (fitted === innerWidth && matchMedia("(pointer: coarse)").matches)) return;
  fitted = innerWidth;
  $("map-box").style.height = `${Math.max(360, innerHeight - $("map-box").getBoundingClientRect().top - scrollY - 24)}px`;
}

function showMap() {
  fitMap();
  map ??= makeMap($("canvas"), {
    x: photos.x, y: photos.y, kinds: everyone.map(themeOf), typical, labels: mapLabels(), thumbnail: thumbnailOf, colours: mapColours, hover: showHover,
    open: (photo) => enter(photoLink(photo)),
  });
  map.resize();
  const group = state.has("group") ? Number(state.get("group")) : null;
  let some = null;
  if (group !== null) some = group === -1 ? loose : inGroup[groupPlace.get(group)] ?? [];
  else if (state.get("q") || state.get("only") || state.has("theme")) some = found();
  const lit = some && new Uint8Array(count);
  some?.forEach((photo) => (lit[photo] = 1));
  map.light(lit);
  const placed = some?.filter((photo) => photos.x[photo] !== null);
  $("hint").textContent = some ? `${things(placed.length, "photo")} highlighted${group === null ? "" : `: ${cut(group === -1 ? "Unclustered" : groups[groupPlace.get(group)]?.heading ?? "", 60)}`}` : "";
  if (group !== null) map.look(placed);
  else if (state.has("spot")) map.look([Number(state.get("spot"))]);
}

function showHover(photo, x, y) {
  const box = $("hover");
  box.hidden = photo === null;
  if (photo === null) return;
  $("hover-picture").hidden = !thumbnailOf(photo);
  if (thumbnailOf(photo)) $("hover-picture").src = thumbnailOf(photo);
  $("hover-words").textContent = titleOf(photo);
  $("hover-group").textContent = [photos.at[photo] === null || photos.clock[photo] === "f" ? "" : DAY(photos.at[photo]), groups[photos.group[photo]]?.heading ?? "Unclustered"].filter(Boolean).join(" · ");
  const { clientWidth: wide, clientHeight: high } = $("map-box");
  const left = x + 20 + 250 > wide ? x - 270 : x + 20;
  const tall = box.offsetHeight || 280;
  box.style.transform = `translate(${Math.max(4, left)}px, ${Math.min(Math.max(8, y - tall / 2), Math.max(8, high - tall - 8))}px)`;
}
$("nearer").onclick = () => map.nearer();
$("farther").onclick = () => map.farther();
$("whole").onclick = () => map.whole();
addEventListener("resize", fitMap);

// ---- Light, keys, start ----------------------------------------------------------------------------------------------

function setLight(light) {
  if (light) document.documentElement.dataset.light = light;
  if (here === null) return;
  map?.repaint();
  showRail(VIEWS.find((view) => !$(`view-${view}`).hidden));
}
/* A file may have no storage. */
const storage = (use) => {
  try {
    return use(localStorage);
  } catch {
    return null;
  }
};
setLight(storage((store) => store.getItem("light")));
$("light").onclick = () => {
  const light = dark() ? "light" : "dark";
  storage((store) => store.setItem("light", light));
  setLight(light);
};
addEventListener("beforeprint", () => document.querySelectorAll(".part").forEach((section) => section.fill()));
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => setLight(null));
$("skip").onclick = () => $("main").focus();
addEventListener("keydown", (event) => {
  if (event.key === "/" && !dialog.open && !/^(INPUT|TEXTAREA)$/.test(document.activeElement.tagName) && !event.ctrlKey && !event.metaKey) {
    event.preventDefault();
    $("words").focus();
    $("words").select();
  }
  if (event.key !== "Escape" || dialog.open) return;
  if (document.activeElement === $("words")) {
    if ($("words").value) {
      $("words").value = "";
      $("words").dispatchEvent(new Event("input"));
    } else $("words").blur();
  } else if (!$("view-list").hidden) enter($("back").getAttribute("href"));
});

show(location.hash || "#groups");
settle();
isUp = true;
// Search is ready before it is asked for, but after the first picture.
setTimeout(() => {
  prepare();
  inOrder("time");
}, 200);
