/* The rail at the side: the themes, or on the events the years. */

/* Links are made once and then only changed, so that no picture flickers while someone types. */
const railLinks = {};
const railThemes = [null, ...themes.keys(), ...(unclustered.length ? [-1] : [])]; // null: all themes

function showRail() {
  const opened = $("view-list").hidden ? null : events[eventOfId.get(idInState("event"))] ?? trips[tripOfId.get(idInState("trip"))] ?? null;
  const isInTime = !$("view-events").hidden || opened, year = opened ? spanOf(opened) : state.get("year");
  const isBare = !$("view-memories").hidden || !$("view-about").hidden || (!$("view-list").hidden && state.has("year")), rail = $("rail");
  const kind = isBare ? "none" : isInTime && !state.get("q") && !state.get("only") ? "years" : "themes";
  const links = (railLinks[kind] ??= kind === "years" ? yearLinks() : kind === "themes" && themes.length ? railThemes.map(themeLink) : []);
  if (rail.dataset.kind !== kind) rail.replaceChildren(...links);
  rail.dataset.kind = kind;
  rail.ariaLabel = kind === "years" ? "Years" : "Themes";
  rail.hidden = !links.length;
  rail.parentElement.classList.toggle("no-rail", !links.length);
  if (kind !== "themes") links.forEach((one) => markCurrent(one, one.dataset.year === year));
  else links.forEach((one, index) => updateThemeLink(one, railThemes[index]));
}

function themeLink(theme) {
  const list = theme === null ? inOrder("typical") : theme < 0 ? unclustered : themePhotos[theme];
  const [photo] = theme === null ? list : firstFew(theme < 0 ? unclustered : groupPhotos[themes[theme].groups.find((group) => !isHidden(group))] ?? [], 1);
  return link([
    photo !== undefined && thumbnailOf(photo) ? picture(photo, { className: "thumb", alt: "", loading: "lazy" }) : make("span", { className: "thumb none" }),
    make("span", { className: theme === null ? "name plain" : "name" }, theme === null ? "All themes" : theme < 0 ? "Unclustered" : themes[theme].name),
    make("span", { className: "meta" }, formatNumber(list.length)),
  ], "", false, "");
}

/* On the map and in a search, a theme selects from what is shown. */
function updateThemeLink(element, theme) {
  const group = idInState("group"), isSelection = state.has("map") || state.get("q") || state.get("only");
  const current = group !== null && group >= 0 ? groups[groupOfId.get(group)]?.theme : idInState("theme");
  if (theme === -1) element.href = "#group=-1";
  else if (isSelection) element.href = addressWith({ theme, group: null, spot: null });
  else element.href = theme === null ? "#groups" : themeAddress(theme);
  if (theme === -1) markCurrent(element, group === -1);
  else if (theme === null) markCurrent(element, current === null && group === null && !state.has("event"));
  else markCurrent(element, current === theme);
  if (theme !== null) element.style.setProperty("--dot", themeColour(theme));
}
const themeAddress = (theme) => address(isFlat ? { group: groups[themes[theme].groups[0]].id } : { theme });
