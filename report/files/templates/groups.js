/* The first view: the groups as cards, under their themes. */

const groupAddress = (group) => address({ group: groups[group].id });
const bySize = (a, b) => groupPhotos[b].length - groupPhotos[a].length;
const groupCard = (group) => card(groupAddress(group), nameOf(group), groupPhotos[group],
  subtitleOf(group), withDots(quantity(groupPhotos[group].length, "photo"), dateRange(groupPhotos[group])));

/* The sections of a view are made once, and those of a search over again for each. */
function sectionsOf(view, make, makeFound) {
  const search = state.get("q") || state.get("only") ? JSON.stringify(["q", "only", "theme"].map((name) => state.get(name))) : "";
  if (view.firstChild && view.dataset.search === search) return Boolean(search);
  view.dataset.search = search;
  view.replaceChildren(...(search ? [makeFound(foundPhotos())] : make()));
  return Boolean(search);
}
const foundGroupCards = (list) => foundCards(list, (photo) => (photos.group[photo] >= 0 && isHidden(photos.group[photo]) ? -1 : photos.group[photo]), (group) => groupPhotos[group], (size) => quantity(size, "group"),
  (group, part, note) => card(groupAddress(group), nameOf(group), part, subtitleOf(group), note));

function showGroups() {
  if (sectionsOf($("view-groups"), groupSections, foundGroupCards)) return;
  const theme = state.get("theme");
  for (const section of $("view-groups").children) section.hidden = theme !== null && !isFlat && section.dataset.theme !== theme;
}

function groupSections() {
  const sections = [];
  const add = (heading, note, size, makeCards) => sections.push(lazySection(heading, note, 70 + estimateHeight(size, 294, 310), () => [cards(makeCards())]));
  const addGroups = (heading, note, list) => {
    const shown = list.filter((group) => !isHidden(group));
    if (shown.length) add(heading, note, shown.length, () => shown.map(groupCard));
    return shown.length > 0;
  };
  if (isFlat && themes.length) addGroups("Groups", quantity(groups.length, "group"), themes.map((theme) => theme.groups[0]));
  else themes.forEach((theme, index) => {
    const note = `${quantity(theme.groups.length, "group")} · ${quantity(themePhotos[index].length, "photo")}`;
    if (addGroups(theme.name, note, theme.groups)) sections.at(-1).dataset.theme = index;
  });
  const others = [...groups.keys()].filter((group) => groups[group].theme < 0).sort(bySize);
  if (others.length) addGroups(themes.length ? "More groups" : "Groups", quantity(others.length, "group"), others);
  if (unclustered.length) {
    add("Unclustered", "photos that fit into no group", 1, () => [card("#group=-1", "Photos in no group", unclustered, quantity(unclustered.length, "photo"), "each with its nearest group")]);
  }
  if (notOnMap.length) {
    add("Not on the map", "videos, broken files and files without anything to group them by", 1, () => [card("#group=-2", "Files not on the map", notOnMap, quantity(notOnMap.length, "file"))]);
  }
  return sections.length ? sections : [make("p", { className: "empty" }, "This report has no photos.")];
}
