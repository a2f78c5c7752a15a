/* What is printed: all of the view, in light colours; its rules are in page.css. */

const MOST_PRINTED = 2000; // photos of a list; a browser gives up on ten times as many

addEventListener("beforeprint", () => {
  document.querySelectorAll(".section").forEach((section) => section.fill());
  grid.paintAll(MOST_PRINTED);
  const left = grid.items.length - MOST_PRINTED;
  $("print-note").textContent = left > 0 ? `The first ${formatNumber(MOST_PRINTED)} of ${formatNumber(grid.items.length)}.` : "";
  document.documentElement.dataset.print = "";
  map?.draw();
});
addEventListener("afterprint", () => {
  delete document.documentElement.dataset.print;
  map?.draw();
  grid.paint();
});
