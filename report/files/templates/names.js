/* Names that people give to groups. What is changed here stays in this browser and is offered as cluster_names.csv: the file
   that lies beside the page, with the changes, which the next report obeys. Without its table nothing can be changed. */

const NAME = "your name", HIDE = "hide", MERGE = "merge with";
const table = data.names;
const namesKey = `names ${location.pathname}`;
/* By the id of a group and the column. */
let changes = JSON.parse(storage((store) => store.getItem(namesKey)) ?? "{}");

const changedCell = (group, column) => changes[groups[group].id]?.[column];
/* The name that a person gave, else the short name; without a group nothing. */
function nameOf(group) {
  if (!groups[group]) return undefined;
  const changed = changedCell(group, NAME);
  return changed === undefined ? groups[group].name : changed || groups[group].automatic;
}
const isHidden = (group) => (changedCell(group, HIDE) === undefined ? groups[group].hidden : changedCell(group, HIDE) === "yes");
/* The heading, where it says more than the name. */
const subtitleOf = (group) => (groups[group].heading === nameOf(group) ? "" : groups[group].heading);

function savedCell(group, column) {
  const row = table.rows[table.rowOf[groups[group].id]];
  return row?.[table.columns.indexOf(column)] ?? "";
}
function change(group, column, value) {
  const id = groups[group].id;
  (changes[id] ??= {})[column] = value;
  dropKnown();
  storage((store) => store.setItem(namesKey, JSON.stringify(changes)));
  showNames();
}
/* What the report knows already is no change, and neither is what is about a group that is gone. */
function dropKnown() {
  const known = new Map(groups.map(({ id }, group) => [id, group]));
  for (const [id, cells] of Object.entries(changes)) {
    const group = known.get(Number(id));
    for (const [column, value] of Object.entries(cells)) {
      if (group === undefined || !table || plainCell(savedCell(group, column)) === value) delete cells[column];
    }
    if (!Object.keys(cells).length) delete changes[id];
  }
}
function showChanges() {
  const count = Object.values(changes).reduce((sum, cells) => sum + Object.keys(cells).length, 0);
  $("changes").hidden = !count;
  $("changes-count").textContent = quantity(count, "change");
}
function showNames() {
  showChanges();
  forgetNames();
  $("view-groups").replaceChildren();
  map?.setLabels(mapLabels());
  if (state) showView();
}

/* A spreadsheet takes what begins like this for a formula: the report guards such a cell with an apostrophe. */
const FORMULA = /^'*[=+\-@\t\r\n\uff1d\uff0b\uff0d\uff20]/;
const plainCell = (cell) => (cell.startsWith("'") && FORMULA.test(cell) ? cell.slice(1) : cell);
function namesFile() {
  const rows = table.rows.map((row) => [...row]);
  for (const [id, cells] of Object.entries(changes)) {
    for (const [column, value] of Object.entries(cells)) rows[table.rowOf[id]][table.columns.indexOf(column)] = FORMULA.test(value) ? `'${value}` : value;
  }
  const quoted = (cell) => (/["\r\n]/.test(cell) || cell.includes(table.delimiter) ? `"${cell.replaceAll('"', '""')}"` : cell);
  return "\ufeff" + [table.columns, ...rows].map((row) => row.map(quoted).join(table.delimiter) + "\r\n").join("");
}
$("changes-save").onclick = () => {
  const target = URL.createObjectURL(new Blob([namesFile()], { type: "text/csv" }));
  make("a", { href: target, download: "cluster_names.csv" }).click();
  setTimeout(() => URL.revokeObjectURL(target), 60000);
};
$("changes-undo").onclick = () => {
  changes = {};
  storage((store) => store.removeItem(namesKey));
  showNames();
};

/* What can be done with a group, beside its other links. */
function nameTools(group) {
  if (!table) return [];
  const button = (text, onclick) => make("button", { className: "chip", type: "button", onclick }, text);
  const renaming = button("Rename", () => renaming.replaceWith(nameForm(group)));
  const hiding = button(isHidden(group) ? "Show" : "Hide", () => change(group, HIDE, isHidden(group) ? "" : "yes"));
  return [renaming, hiding, mergeChoice(group)].filter(Boolean);
}
function nameForm(group) {
  const input = make("input", { value: nameOf(group), maxLength: 200, ariaLabel: "Name of the group" });
  const form = make("form", { className: "rename" }, input, make("button", { className: "chip" }, "Save"));
  form.onsubmit = (event) => {
    event.preventDefault();
    const name = input.value.trim().replace(/\s+/g, " ");
    change(group, NAME, name === groups[group].automatic ? "" : name);
  };
  setTimeout(() => input.select());
  return form;
}
function mergeChoice(group) {
  const others = [...groups.keys()].filter((other) => other !== group).sort((a, b) => nameOf(a).localeCompare(nameOf(b)));
  if (!others.length) return null;
  const current = changedCell(group, MERGE) ?? plainCell(savedCell(group, MERGE));
  const option = (text, value) => make("option", { value, selected: value === current }, text);
  const choice = make("select", { className: "chip", ariaLabel: "Merge with another group in the next report" });
  choice.append(option("Merge with\u2026", ""), ...others.map((other) => option(`Merge with ${shorten(nameOf(other), 44)}`, String(groups[other].id))));
  choice.onchange = () => change(group, MERGE, choice.value);
  return choice;
}

dropKnown();
showChanges();
