/* The second view: the events, year by year. An event of one or two photos is a small square, a larger one a card. */

const SMALL_EVENT = 2;
const isLarge = (event) => events[event].members.length > SMALL_EVENT || events[event].start === null;
const eventAddress = (event) => address({ event: events[event].id });
/* What is in no event has its own sections, by id; their short names are for the rail. */
const OUTSIDE = { "-1": "No date", "-2": "Clock not set", "-3": "Month or year" };
const yearName = ({ id, start }) => String(start === null ? id : yearOf(start));
let years = null;

function eventYears() {
  if (years) return years;
  years = new Map();
  events.forEach(({ id, start, members }, event) => {
    const year = yearName({ id, start });
    if (!years.has(year)) years.set(year, { events: [], size: 0, months: Array(12).fill(0) });
    const entry = years.get(year);
    entry.events.push(event);
    entry.size += members.length;
    if (start !== null) entry.months[new Date(start * 1000).getUTCMonth()] += members.length;
  });
  return years;
}

function yearLinks() {
  const entries = [...eventYears()], most = Math.max(1, ...entries.flatMap(([, { months }]) => months));
  return entries.map(([year, { size, months }]) => {
    const bars = make("span", { className: "months", ariaHidden: "true" });
    for (const value of months) {
      const bar = bars.appendChild(document.createElement("i"));
      bar.style.height = `${100 * Math.sqrt(value / most)}%`; // the square root, so that a quiet month is visible next to a wedding
    }
    const parts = OUTSIDE[year] ? [make("span", {}, OUTSIDE[year]), make("span")] : [make("span", {}, year), bars];
    const one = link([...parts, make("span", { className: "meta" }, formatNumber(size))], address({ events: "", year }), false, "year");
    one.dataset.year = year;
    return one;
  });
}

const foundEventCards = (list) => foundCards(list, (photo) => eventOf[photo], (event) => events[event].members, (size) => quantity(size, "event"),
  (event, part, note) => card(eventAddress(event), events[event].name || events[event].title, part, events[event].name && events[event].title, note));
const showEvents = () => sectionsOf($("view-events"), eventSections, foundEventCards);

function eventSections() {
  const sections = [];
  for (const [year, entry] of eventYears()) {
    const large = entry.events.filter(isLarge), small = entry.events.filter((event) => !isLarge(event));
    const height = 90 + estimateHeight(large.length, 294, 275) + estimateHeight(small.length, 100, 128);
    const note = withDots(OUTSIDE[year] ? "" : quantity(entry.events.length, "event"), quantity(entry.size, "photo"));
    const section = lazySection(OUTSIDE[year] ? events[entry.events[0]].title : year, note, height, () => eventCards(large, small));
    section.dataset.year = year;
    sections.push(section);
  }
  return sections.length ? sections : [make("p", { className: "empty" }, "This report has no events: it was made without the photos' dates.")];
}

function eventCards(large, small) {
  const made = large.length ? [cards(large.map(eventCard))] : [];
  if (small.length) made.push(make("p", { className: "small" }, `${quantity(small.length, "small event")} of one or two photos`), make("div", { className: "small-events" }, ...small.map(smallEvent)));
  return made;
}
const eventCard = (event) => card(eventAddress(event), events[event].name || events[event].title, events[event].members, events[event].name && events[event].title, withDots(quantity(events[event].members.length, "photo"), eventTime(events[event])));

function smallEvent(event) {
  const { title, start, members } = events[event];
  const box = make("div", { className: "tile-box" }, pictureOrTitle(firstFew(members, 1)[0], { loading: "lazy", alt: "" }));
  if (members.length > 1) box.append(make("span", { className: "count" }, members.length));
  return make("a", { className: "small-event", href: eventAddress(event), title, ariaLabel: title }, box, start === null ? title : formatDayOfYear(start));
}
