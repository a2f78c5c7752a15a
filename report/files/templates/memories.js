/* The first view: photos of today's date in earlier years, the latest event, and a picture for each year. */

const MOST_MEMORIES = 24, FEWEST_OF_YEAR = 1, MOST_OF_YEAR = 10; // pictures
const hasMemories = allPhotos.some(isTaken);
const START = hasMemories ? "#memories" : "#groups"; // what opens without an address

/* The place of a day in a year that has a 29 February, and how far two such places are apart, the short way round. */
const placeInYear = (month, day) => Math.round((Date.UTC(2000, month, day) - Date.UTC(2000, 0, 1)) / 864e5);
const daysApart = (one, other) => Math.min(Math.abs(one - other), 366 - Math.abs(one - other));

let today = null;
/* The photos of today's date in earlier years, or of the days around the nearest date that has any. */
function onThisDay(now = new Date()) {
  if (today) return today;
  const placeOf = (photo) => {
    const date = new Date(photos.at[photo] * 1000);
    return placeInYear(date.getUTCMonth(), date.getUTCDate());
  };
  const here = placeInYear(now.getMonth(), now.getDate());
  const dayIsKnown = inOrder("time").filter((photo) => isTaken(photo) && "sd".includes(photos.precision[photo]) && yearOf(photos.at[photo]) < now.getFullYear());
  const shown = dayIsKnown.filter((photo) => thumbnailOf(photo)), list = shown.length ? shown : dayIsKnown;
  const days = list.map(placeOf);
  let nearest = days[0];
  for (const day of days) if (daysApart(day, here) < daysApart(nearest, here)) nearest = day;
  const reach = nearest === here ? 0 : 3;
  return (today = { isToday: nearest === here, list: list.filter((_, index) => daysApart(days[index], nearest) <= reach), nearest });
}

function showMemories() {
  const view = $("view-memories");
  if (view.firstChild) return;
  view.append(...[daySection(), eventSection(), yearsSection()].filter(Boolean));
  if (!view.firstChild) view.append(make("h2", { className: "unseen", tabIndex: -1 }, "Memories"), make("p", { className: "empty" }, "None of these photos has a date."));
}
const memorySection = (heading, note, ...content) =>
  make("section", { className: "memory" }, make("h2", { tabIndex: -1 }, heading, make("span", { className: "meta" }, note)), ...content);

function daySection() {
  const { isToday, list, nearest } = onThisDay();
  if (!list.length) return null;
  const dayOf = (place) => formatDayAndMonth((Date.UTC(2000, 0, 1) + ((place + 366) % 366) * 864e5) / 1000);
  const ofYears = new Map();
  for (const photo of list) {
    const year = yearOf(photos.at[photo]);
    ofYears.has(year) ? ofYears.get(year).push(photo) : ofYears.set(year, [photo]);
  }
  const most = Math.min(MOST_OF_YEAR, Math.max(FEWEST_OF_YEAR, Math.floor(MOST_MEMORIES / ofYears.size)));
  const links = [...ofYears].sort(([a], [b]) => b - a).flatMap(([year, inside]) => memoriesOf(year, inside, most));
  const flow = make("div", { className: links.length < 4 ? "flow few" : "flow" }, ...links);
  return memorySection(isToday ? "On this day" : "Around this time of year", isToday ? dayOf(nearest) : `${dayOf(nearest - 3)} – ${dayOf(nearest + 3)}`, flow);
}

/* The most typical photos of a year's day, in the order of time; the last one says how many more there are. */
function memoriesOf(year, inside, most) {
  const shown = new Set(firstFew([...inside].sort(SORTS.typical.compare), most)), ago = new Date().getFullYear() - year;
  const links = inside.filter((photo) => shown.has(photo)).map((photo) => {
    const one = make("a", { href: address({ memories: "", photo }), title: titleOf(photo) }, pictureOrTitle(photo));
    one.style.setProperty("--aspect", aspects[photo]);
    return one;
  });
  links[0].append(make("span", { className: "when" }, make("b", {}, year), make("span", {}, ` ${quantity(ago, "year")} ago`)));
  if (inside.length > shown.size) links.at(-1).append(make("span", { className: "count" }, `+${formatNumber(inside.length - shown.size)}`));
  return links;
}

/* The latest that is more than a photo or two; a trip if it was part of one. */
function eventSection() {
  const dated = [...events.keys()].filter((event) => events[event].start !== null).sort((a, b) => events[b].start - events[a].start);
  const latest = dated.find(isLarge) ?? dated[0];
  if (latest === undefined) return null;
  const trip = tripOfEvent[latest];
  if (trip >= 0) return memorySection("The latest trip", "", tripCard(trip));
  const one = eventCard(latest);
  one.classList.add("wide");
  return memorySection("The latest event", "", one);
}

/* A picture stands for its year: the most typical one of the year's largest event. */
function yearsSection() {
  const ofYears = photosOfYears();
  if (ofYears.size < 2) return null;
  const links = [...ofYears].sort(([a], [b]) => b - a).map(([year, list]) => {
    const largest = eventYears().get(String(year))?.events.reduce((a, b) => (events[b].members.length > events[a].members.length ? b : a));
    const [photo] = firstFew([...(events[largest]?.members ?? list)].sort(SORTS.typical.compare), 1);
    return make("a", { className: "year-card", href: address({ year }) }, pictureOrTitle(photo, { loading: "lazy", alt: "" }), make("h3", {}, year), make("p", { className: "meta" }, quantity(list.length, "photo")));
  });
  return memorySection("Year by year", "", make("div", { className: "years" }, ...links));
}

let ofYears = null;
function photosOfYears() {
  if (ofYears) return ofYears;
  ofYears = new Map();
  for (const photo of inOrder("time")) {
    if (!isTaken(photo)) continue;
    const year = yearOf(photos.at[photo]);
    ofYears.has(year) ? ofYears.get(year).push(photo) : ofYears.set(year, [photo]);
  }
  return ofYears;
}
