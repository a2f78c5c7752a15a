/* The view of the events: the trips with their events and what lies between, year by year, the newest first. An event of one
   or two photos is a small square, a larger one a card. */

const SMALL_EVENT = 2;
const SPARSE_YEAR = 24; // photos; years with fewer that follow one another are one section
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

/* The sections: { name, years, events, size, months }, the newest first, and at the end what is in no event. */
let spans = null;
function eventSpans() {
  if (spans) return spans;
  spans = [];
  const newest = [...eventYears()].sort(([a], [b]) => (OUTSIDE[a] || OUTSIDE[b] ? Boolean(OUTSIDE[a]) - Boolean(OUTSIDE[b]) : b - a));
  for (const [year, entry] of newest) {
    const span = spans.at(-1), inside = [...entry.events].reverse();
    if (!span || OUTSIDE[year] || entry.size >= SPARSE_YEAR || span.largest >= SPARSE_YEAR) {
      spans.push({ ...entry, name: year, years: [year], events: inside, largest: entry.size });
      continue;
    }
    span.years.push(year);
    span.name = `${year}–${span.years[0]}`;
    span.events.push(...inside);
    span.size += entry.size;
    span.months = span.months.map((size, month) => size + entry.months[month]);
  }
  return spans;
}
const spanOf = (event) => eventSpans().find((span) => span.years.includes(yearName(event)))?.name ?? null;

function yearLinks() {
  const most = Math.max(1, ...eventSpans().flatMap(({ months }) => months));
  return eventSpans().map(({ name, size, months }) => {
    const bars = make("span", { className: "months", ariaHidden: "true" });
    for (const value of months) {
      const bar = bars.appendChild(document.createElement("i"));
      bar.style.height = `${100 * Math.sqrt(value / most)}%`; // the square root, so that a quiet month is visible next to a wedding
    }
    const parts = OUTSIDE[name] ? [make("span", {}, OUTSIDE[name]), make("span")] : [make("span", {}, name), bars];
    const one = link([...parts, make("span", { className: "meta" }, formatNumber(size))], address({ events: "", year: name }), false, "year");
    one.dataset.year = name;
    return one;
  });
}

const foundEventCards = (list) => foundCards(list, (photo) => eventOf[photo], (event) => events[event].members, (size) => quantity(size, "event"),
  (event, part, note) => card(eventAddress(event), events[event].name || events[event].title, part, events[event].name && events[event].title, note));
const showEvents = () => sectionsOf($("view-events"), eventSections, foundEventCards);

function eventSections() {
  const sections = eventSpans().map((span) => {
    const inside = tripsOf(span), alone = span.events.filter((event) => tripOfEvent[event] < 0);
    const large = alone.filter(isLarge), small = alone.filter((event) => !isLarge(event));
    const height = 90 + inside.length * 420 + estimateHeight(large.length, 294, 275) + estimateHeight(small.length, 100, 128);
    const note = withDots(inside.length ? quantity(inside.length, "trip") : "", OUTSIDE[span.name] ? "" : quantity(span.events.length, "event"), quantity(span.size, "photo"));
    const section = lazySection(OUTSIDE[span.name] ? events[span.events[0]].title : span.name, note, height, () => [...inside.map(tripBlock), ...eventCards(large, small)]);
    section.dataset.year = span.name;
    return section;
  });
  return sections.length ? sections : [make("p", { className: "empty" }, "This report has no events: it was made without the photos' dates.")];
}

function eventCards(large, small) {
  const made = large.length ? [cards(large.map(eventCard))] : [];
  if (small.length) made.push(make("p", { className: "small" }, `${quantity(small.length, "small event")} of one or two photos`), make("div", { className: "small-events" }, ...small.map((event) => smallEvent(event))));
  return made;
}
const eventCard = (event) => card(eventAddress(event), events[event].name || events[event].title, events[event].members, events[event].name && events[event].title, withDots(quantity(events[event].members.length, "photo"), eventTime(events[event])));

function smallEvent(event, words = "") {
  const { title, start, members } = events[event];
  const box = make("div", { className: "tile-box" }, pictureOrTitle(firstFew(members, 1)[0], { loading: "lazy", alt: "" }));
  if (members.length > 1) box.append(make("span", { className: "count" }, formatNumber(members.length)));
  return make("a", { className: "small-event", href: eventAddress(event), title, ariaLabel: title }, box, words || (start === null ? title : formatDayOfYear(start)));
}

/* The photos of an event, with the way to the one before, the one after and its trip. */
function eventList(id) {
  const place = eventOfId.get(id), event = events[place] ?? { id: -1, name: "", title: "No such event", start: null, members: [] };
  const back = { href: address({ events: "", year: spanOf(event) }), text: "Events" }, trip = trips[tripOfEvent[place]];
  const links = [around(events, place, -1, eventAddress), trip ? link(`Trip: ${shorten(trip.title, 44)}`, tripAddress(tripOfEvent[place])) : null, around(events, place, 1, eventAddress)];
  return { title: event.name || event.title, list: event.members, back, sorts: [], details: [event.name && event.title, eventTime(event)].filter(Boolean), links: links.filter(Boolean) };
}
/* A link to the event or trip before, or after; the list is in the order of time. */
function around(list, place, by, addressOf) {
  const next = list[place + by];
  if (!next || next.start === null || list[place].start === null) return null;
  const words = shorten(next.name ? `${next.name}, ${formatDay(next.start)}` : next.title, 44);
  return replacing(link(by < 0 ? `← ${words}` : `${words} →`, addressOf(place + by)));
}
