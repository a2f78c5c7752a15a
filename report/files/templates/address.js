/* The address after the # says all that is shown, so back and forward work for a file on the disk. A click on a link changes
   the address, and the page follows (`hashchange`). Typing and walking through photos change the page at once, and the
   address follows a moment later, because browsers limit how often it may change. */

const VIEWS = ["memories", "groups", "events", "list", "map", "about"];
const SEARCHED = ["groups", "events", "map"]; // views that show what was found
const LISTS = { group: "groups", like: "groups", event: "events", trip: "events", year: "memories" }; // what a list is of, and the tab it belongs to
let shownAddress = null;
let state = null; // its parameters, without the photo that is open over the view
let isTyping = false; // what is in the search field is newer than the address
let unwritten = null; // what `showAtOnce` has yet to write: { target, replace, timer }

function address(parameters) {
  const kept = Object.entries(parameters).filter(([, value]) => value !== null && value !== undefined);
  return "#" + new URLSearchParams(kept).toString().replace(/=(?=&|$)/g, "");
}
/* The address of this view with some parameters changed; null removes one. */
const addressWith = (parameters) => address({ ...Object.fromEntries(state), ...parameters });
const photoAddress = (photo) => addressWith({ photo });
const idInState = (name) => (state.has(name) ? Number(state.get(name)) : null);

/* Show what an address says. Return whether the view changed: the photo over it does not count. */
function show(target) {
  if (target === shownAddress) return false;
  const before = state?.toString();
  shownAddress = target;
  state = new URLSearchParams(target.slice(1));
  const photo = idInState("photo");
  state.delete("photo");
  const isOtherView = state.toString() !== before;
  if (isOtherView) showView();
  showPhoto(photo, isOtherView);
  return isOtherView;
}

function showView() {
  const isSearch = Boolean(state.get("q") || state.get("only"));
  const chosen = VIEWS.find((view) => state.has(view)), listed = Object.keys(LISTS).find((name) => state.has(name));
  const isList = listed && !(listed === "year" && chosen); // on the events, a year is only a place
  const shown = isList ? (chosen === "map" ? "map" : "list") : chosen ?? (isSearch ? "list" : state.has("theme") ? "groups" : START.slice(1));
  const tab = shown !== "list" ? shown : isList ? LISTS[listed] : "list";
  // Whatever tab is chosen, the search stays.
  const search = { q: state.get("q"), only: state.get("only"), theme: state.get("theme") };
  for (const view of VIEWS) {
    $(`view-${view}`).hidden = view !== shown;
    markCurrent($(`tab-${view}`), view === tab, "page");
    $(`tab-${view}`).href = view === "list" ? address(search) : address({ [view]: "", ...(SEARCHED.includes(view) && (isSearch || view === "map") ? search : {}) });
  }
  $("tab-list").hidden = !isSearch;
  if (!isTyping) $("words").value = state.get("q") ?? "";
  showRail();
  showFilters();
  ({ memories: showMemories, groups: showGroups, events: showEvents, list: showList, map: showMap, about: showAbout })[shown]();
}

/* Go to an address as a click on a link does. */
function follow(target) {
  writeAddress();
  location.hash = target;
}
/* Show an address now and write it later. `replace`: the browser's history gets no further entry. */
function showAtOnce(target, replace) {
  if (show(target)) scrollToTop();
  clearTimeout(unwritten?.timer);
  // What is typed on before the address is written belongs to the entry that was to be made.
  unwritten = { target, replace: replace && (unwritten?.replace ?? true), timer: setTimeout(writeAddress, 250) };
}
/* Before the page goes to another address, the one before must be in the history. */
function writeAddress() {
  if (!unwritten) return;
  const { target, replace, timer } = unwritten;
  clearTimeout(timer);
  unwritten = null;
  if (target !== shownAddress || location.hash === target) return;
  if (replace) location.replace(target);
  else location.hash = target;
  written = location.hash;
}

let written = null;
addEventListener("hashchange", () => {
  const isOurs = location.hash === written; // its view is shown already, or even a newer one
  written = null;
  if (isOurs || !show(location.hash || data.start || START)) return;
  setScroll();
  focusHeading();
});
/* So that a reader of the screen, and the next press of Tab, begin at what opened. */
function focusHeading() {
  const view = $(`view-${VIEWS.find((one) => !$(`view-${one}`).hidden)}`), year = state.get("year");
  const isThere = (one) => !one.closest("[hidden]") && (view !== $("view-events") || year === null || one.closest("section").dataset.year === year);
  [...view.querySelectorAll("h2")].find(isThere)?.focus({ preventScroll: true });
}
document.addEventListener("click", (event) => {
  const target = event.target.closest("a[href^='#']");
  if (!target || event.ctrlKey || event.metaKey || event.shiftKey) return;
  rememberScroll();
  if (target.dataset.replace === undefined) return writeAddress(); // the browser follows the link
  event.preventDefault();
  showAtOnce(target.getAttribute("href"), true);
});

/* Each entry of the history keeps how far down the page was: back returns there. */
history.scrollRestoration = "manual";
let scrollEnd = 0;
addEventListener("scroll", () => {
  clearTimeout(scrollEnd);
  scrollEnd = setTimeout(rememberScroll, 150);
}, { passive: true });
function rememberScroll() {
  clearTimeout(scrollEnd);
  if (location.hash === shownAddress || !location.hash) history.replaceState({ y: scrollY }, "");
}
function setScroll() {
  const year = $("view-events").hidden ? null : [...$("view-events").children].find(({ dataset }) => dataset.year === state.get("year"));
  if (history.state) scrollTo(0, history.state.y);
  else if (year) scrollToSection(year);
  else scrollToTop();
}
/* A new view begins below the headline if that was out of sight. */
const scrollToTop = () => scrollTo(0, Math.min(scrollY, document.querySelector("header").offsetHeight));
/* Sections above are filled as they come near, which moves this one: scroll again for a few frames. */
function scrollToSection(section, frames = 12) {
  scrollBy(0, section.getBoundingClientRect().top - document.querySelector(".bar").offsetHeight - 18);
  if (frames) requestAnimationFrame(() => scrollToSection(section, frames - 1));
}
