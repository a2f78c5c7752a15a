/* A list of photos: a group, an event, or what was found. */

function showList() {
  const id = idInState("group");
  const { title, list, back, sorts, details = [], links = [], noteOf = null } =
    id !== null ? groupList(id) : state.has("event") ? eventList(idInState("event")) : foundList(chosenSort() ?? "time");
  const sort = chosenSort() ?? sorts[0];
  if (sorts.length > 1) links.unshift(sortChoice(sorts, sort, noteOf !== null));
  $("back").href = back.href;
  $("back").textContent = `← ${back.text}`;
  $("list-title").textContent = title;
  const size = list.length || !state.get("q") ? quantity(list.length, "photo") : "Nothing found. Every word must be in the caption, the path or the group’s heading.";
  $("list-meta").textContent = withDots(size, state.has("event") ? "" : dateRange(list), ...details);
  $("list-row").replaceChildren(...links);
  grid.fill(id !== null && sort !== "typical" ? [...list].sort(SORTS[sort].compare) : list, noteOf);
}

const chosenSort = () => (SORTS[state.get("sort")] ? state.get("sort") : null);
const nearestName = (photo) => nameOf(photos.nearest[photo]) ?? "";
const backToGroups = { href: "#groups", text: "Groups" };

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

function eventList(id) {
  const event = events[eventOfId.get(id)] ?? { id: -1, name: "", title: "No such event", start: null, members: [] };
  const back = { href: `#events&year=${yearName(event)}`, text: "Events" };
  return { title: event.name || event.title, list: event.members, back, sorts: [], details: [event.name && event.title, eventTime(event)].filter(Boolean) };
}

function foundList(sort) {
  const list = foundPhotos(inOrder(sort)), query = state.get("q"), only = state.get("only");
  const links = list.length ? [link("Show on the map", addressWith({ map: "" }))] : [];
  for (const group of query ? foundGroups(query).slice(0, 6) : []) {
    links.push(link([`Group: ${shorten(nameOf(group), 44)} `, make("b", {}, formatNumber(groupPhotos[group].length))], groupAddress(group)));
  }
  const title = withDots(query ? `“${query.trim()}”` : null, FILTERS[only]?.text, themes[state.get("theme")]?.name);
  return { title, list, back: backToGroups, sorts: ["time", "typical", "odd"], links, noteOf: only === "unclustered" ? nearestName : null };
}

function sortChoice(sorts, current, isUnclustered) {
  const choices = sorts.map((sort) => {
    const text = isUnclustered && sort === "typical" ? "Nearest to a group" : SORTS[sort].text;
    return replacing(link(text, addressWith({ sort }), sort === current, ""));
  });
  return make("span", { className: "segments", role: "group", ariaLabel: "Order" }, ...choices);
}
