/* Trips: several events away from home, shown as one. */

const { trips } = data;
const tripOfId = new Map(trips.map(({ id }, trip) => [id, trip]));
const tripOfEvent = new Int32Array(events.length).fill(-1);
trips.forEach(({ events: inside }, trip) => inside.forEach((id) => (tripOfEvent[eventOfId.get(id)] = trip)));
const eventsOfTrip = (trip) => trips[trip].events.map((id) => eventOfId.get(id));
const photosOfTrip = (trip) => eventsOfTrip(trip).flatMap((event) => events[event].members);
const tripAddress = (trip) => address({ trip: trips[trip].id });
const townOf = (photo) => data.towns[photos.town[photo]] ?? "";
/* The trips that began in a section's years, the newest first. */
const tripsOf = (span) => [...trips.keys()].reverse().filter((trip) => span.years.includes(String(yearOf(trips[trip].start))));

const daysOf = ({ start, end }) => quantity(Math.floor(end / 86400) - Math.floor(start / 86400) + 1, "day");
function tripCard(trip) {
  const inside = eventsOfTrip(trip), list = photosOfTrip(trip), note = withDots(quantity(list.length, "photo"), daysOf(trips[trip]), inside.length > 1 ? quantity(inside.length, "event") : "");
  const one = card(tripAddress(trip), trips[trip].title, [...list].sort(SORTS.typical.compare), note);
  one.classList.add("wide");
  return one;
}
/* A trip as a wide card, and its events below it. */
function tripBlock(trip) {
  const inside = eventsOfTrip(trip), block = make("div", { className: "trip" }, tripCard(trip));
  if (inside.length > 1) block.append(make("div", { className: "small-events" }, ...inside.map((event) => smallEvent(event, shorten(withDots(formatDayOfYear(events[event].start), events[event].name), 30)))));
  return block;
}

function tripList(id) {
  const place = tripOfId.get(id), trip = trips[place];
  if (!trip) return { title: "No such trip", list: [], back: { href: "#events", text: "Events" }, sorts: [] };
  const inside = eventsOfTrip(place), back = { href: address({ events: "", year: spanOf(trip) }), text: "Events" };
  const ofEvents = inside.length > 1 ? inside.map((event) => link(shorten(withDots(formatDayOfYear(events[event].start), events[event].name), 36), eventAddress(event))) : [];
  const links = [around(trips, place, -1, tripAddress), ...ofEvents, around(trips, place, 1, tripAddress)];
  return { title: trip.title, list: photosOfTrip(place), back, sorts: [], details: [daysOf(trip)], links: links.filter(Boolean) };
}
