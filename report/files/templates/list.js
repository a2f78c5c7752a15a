/* A list of photos: a group, an event, or what was found. */

function showList() {
  const id = idInState("group");
  const { title, list, back, sorts, details = [], links = [], noteOf = null } =
    id !== null ? groupList(id) : state.has("like") ? alikeList(idInState("like")) : state.has("event") ? eventList(idInState("event")) : state.has("trip") ? tripList(idInState("trip")) : state.has("year") ? yearList(idInState("year")) : foundList();
  const sort = chosenSort() ?? sorts[0];
  if (sorts.length > 1) links.unshift(sortChoice(sorts, sort, noteOf !== null));
  $("back").href = back.href;
  $("back").textContent = `← ${back.text}`;
  $("list-title").textContent = title;
  const size = list.length || !state.get("q") || id !== null || state.has("like") ? quantity(list.length, "photo") : "Nothing found. Each word must begin a word of the caption, the file’s or the folder’s name, or say when it was: try fewer words.";
  $("list-meta").textContent = withDots(size, state.has("event") || state.has("trip") ? "" : dateRange(list), ...details);
  $("list-row").replaceChildren(...links);
  grid.fill(id !== null && sort !== "typical" ? [...list].sort(SORTS[sort].compare) : list, noteOf);
}

const chosenSort = () => (SORTS[state.get("sort")] ? state.get("sort") : null);
const nearestName = (photo) => nameOf(photos.nearest[photo]) ?? "";
const MOST_CHIPS = 5; // of groups, and of events
const backToGroups = { href: "#groups", text: "Groups" };
const backToStart = { href: START, text: hasMemories ? "Memories" : "Groups" };

function groupList(id) {
  const sorts = ["typical", "time", "odd"], links = [link("Show on the map", address({ map: "", group: id }))];
  if (id === -2) return { title: "Files not on the map", list: notOnMap, back: backToGroups, sorts: ["time"] };
  if (!groupOfId.has(id)) {
    const details = ["photos in no group, each with its nearest group below it"];
    return { title: "Unclustered", list: unclustered, back: backToGroups, sorts, details, links, noteOf: nearestName };
  }
  const group = groupOfId.get(id), { terms, theme } = groups[group];
  if (theme >= 0 && !isFlat) {
    const chip = link([make("span", { className: "dot" }), themes[theme].name], address({ theme }));
    chip.firstChild.style.setProperty("--dot", themeColour(theme));
    links.unshift(chip);
  }
  links.push(...nameTools(group));
  return { title: nameOf(group), list: groupPhotos[group], back: backToGroups, sorts, details: [subtitleOf(group) || terms.join(", ")], links };
}

const yearList = (year) => ({ title: String(year), list: photosOfYears().get(year) ?? [], back: { href: "#memories", text: "Memories" }, sorts: [] });

function alikeList(photo) {
  const isKnown = photo >= 0 && photo < photoCount, group = isKnown ? photos.group[photo] : -1;
  const back = groups[group] ? { href: groupAddress(group), text: shorten(nameOf(group), 44) } : backToGroups;
  return { title: isKnown ? `More like “${shorten(titleOf(photo), 80)}”` : "No such photo", list: isKnown ? alikeOf(photo) : [], back, sorts: [] };
}

function foundList() {
  const query = state.get("q"), only = state.get("only"), sort = chosenSort() ?? (query ? "best" : "time");
  const inTime = foundPhotos(inOrder(sort === "best" ? "time" : sort)), list = sort === "best" && query ? bestFirst(inTime, query) : inTime;
  const hasPlaces = list.some(isPlaced), sorts = hasPlaces ? ["time", "typical", "odd"] : list.length ? ["time"] : [];
  const links = hasPlaces ? [link("Show on the map", addressWith({ map: "" }))] : [];
  const chip = (kind, name, size, href) => links.push(link([`${kind}: ${shorten(name, 44)} `, make("b", {}, formatNumber(size))], href));
  if (query) {
    if (list.length) sorts.unshift("best");
    for (const group of foundGroups(query).slice(0, MOST_CHIPS)) chip("Group", nameOf(group), groupPhotos[group].length, groupAddress(group));
    for (const trip of foundTrips(query).slice(0, MOST_CHIPS)) chip("Trip", trips[trip].title, photosOfTrip(trip).length, tripAddress(trip));
    for (const event of foundEvents(query).slice(0, MOST_CHIPS)) chip("Event", events[event].name || events[event].title, events[event].members.length, eventAddress(event));
  }
  const title = withDots(query ? `“${query.trim().replace(/^"([^"]*)"$/, "$1")}”` : null, FILTERS[only]?.text, themes[state.get("theme")]?.name);
  return { title, list, back: backToStart, sorts, links, noteOf: only === "unclustered" ? nearestName : null };
}

function sortChoice(sorts, current, isUnclustered) {
  const choices = sorts.map((sort) => {
    const text = isUnclustered && sort === "typical" ? "Nearest to a group" : SORTS[sort].text;
    return replacing(link(text, addressWith({ sort }), sort === current, ""));
  });
  return make("span", { className: "segments", role: "group", ariaLabel: "Order" }, ...choices);
}
