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

/* A section for each theme, and one for what is in none. */
function groupSections() {
  const sections = themes.map((theme, index) => !isFlat && groupSection(theme.name, theme.groups, themePhotos[index].length, [])).filter(Boolean);
  themes.forEach((_, index) => sections[index] && (sections[index].dataset.theme = index));
  const others = isFlat ? [...themes.map((theme) => theme.groups[0]), ...outsideThemes()] : outsideThemes();
  const rest = groupSection(sections.length ? "More" : "Groups", others, null, outsideGroups());
  if (!sections.length) rest?.firstChild.classList.add("unseen"); // the tab says it
  sections.push(rest);
  return sections.some(Boolean) ? sections.filter(Boolean) : [make("h2", { className: "unseen", tabIndex: -1 }, "Groups"), make("p", { className: "empty" }, "This report has no photos.")];
}
const outsideThemes = () => [...groups.keys()].filter((group) => groups[group].theme < 0).sort(bySize);

function groupSection(heading, list, size, others) {
  const shown = list.filter((group) => !isHidden(group)), count = shown.length + others.length;
  const note = withDots(shown.length ? quantity(shown.length, "group") : "", size === null ? "" : quantity(size, "photo"));
  return count ? lazySection(heading, note, 70 + estimateHeight(count, 294, 310), () => [cards([...shown.map(groupCard), ...others])]) : null;
}
function outsideGroups() {
  const made = [];
  if (unclustered.length) made.push(card("#group=-1", "Photos in no group", unclustered, "each with the group it comes nearest to", quantity(unclustered.length, "photo")));
  if (notOnMap.length) made.push(card("#group=-2", "Files not on the map", notOnMap, "videos, broken files and files without anything to group them by", quantity(notOnMap.length, "file")));
  return made;
}
