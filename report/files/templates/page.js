/* Light or dark, the keys of the whole page, and the start. */

function setScheme(scheme) {
  if (scheme) document.documentElement.dataset.light = scheme;
  if (shownAddress === null) return;
  map?.repaint();
  showRail();
}
$("tab-memories").hidden = !hasMemories;
setScheme(storage((store) => store.getItem("light")));
$("light").onclick = () => {
  const scheme = isDark() ? "light" : "dark";
  storage((store) => store.setItem("light", scheme));
  setScheme(scheme);
};
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => setScheme(null));
$("skip").onclick = () => $("main").focus();
addEventListener("keydown", (event) => {
  if (event.key === "/" && !dialog.open && !/^(INPUT|TEXTAREA)$/.test(document.activeElement.tagName) && !event.ctrlKey && !event.metaKey) {
    event.preventDefault();
    $("words").focus();
    $("words").select();
  }
  if (event.key !== "Escape" || dialog.open) return;
  if (document.activeElement === $("words")) {
    if ($("words").value) $("clear").click();
    else $("words").blur();
  } else if (!$("view-list").hidden) follow($("back").getAttribute("href"));
});

show(location.hash || data.start || START);
setScroll();
// Get search ready before the first word is typed, but after the first pictures.
setTimeout(() => {
  searchIndex();
  inOrder("time");
}, 200);
