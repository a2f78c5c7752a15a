/* What someone asks for: words, phrases in quotes, dates; and how well each photo, group and event fits. */

const FILLERS = new Set(wordsIn(`a an the of in on at with and or by to for from is are my our me some any all this that there show find
  photo photos picture pictures image images pic pics photograph photographs ein eine einen einem einer der die das dem den mit von vom im am und auf foto fotos bild bilder`));
const SEASONS = { spring: [3, 4, 5], summer: [6, 7, 8], autumn: [9, 10, 11], fall: [9, 10, 11], winter: [12, 1, 2] };
const MOST_TERMS = 12;
/* The names of months, long and short, in English and the languages of the browser. */
let months = null;
function monthNames() {
  if (months) return months;
  months = new Map([["sept", 9]]);
  for (const language of ["en", ...navigator.languages]) {
    for (const month of ["long", "short"]) {
      const format = new Intl.DateTimeFormat(language, { month, timeZone: "UTC" });
      for (let number = 1; number <= 12; number++) {
        const words = wordsIn(format.format(Date.UTC(2020, number - 1, 15)));
        if (words.length === 1 && !/^\d/.test(words[0])) months.set(words[0], number);
      }
    }
  }
  return months;
}

const extensions = new Set(photos.name.map((name) => extensionOf(name).toLowerCase()));
function extensionOf(name) {
  return /(?<=.)\.[^.]*$/.exec(name)?.[0] ?? "";
}
const withoutExtension = (name) => name.slice(0, name.length - extensionOf(name).length);

/* [{words, isQuoted, date}]: a photo must fit each. Null without any word; empty with fillers only, which all photos fit. */
function termsOf(query) {
  const pieces = [...query.matchAll(/["“”„«»]([^"“”„«»]*)["“”«»]?|[^\s"“”„«»]+/g)].slice(0, MOST_TERMS);
  let terms = pieces.map(([piece, quoted]) => {
    const text = quoted ?? (extensions.has(extensionOf(piece).toLowerCase()) ? withoutExtension(piece) : piece);
    return { piece, words: wordsIn(text), isQuoted: quoted !== undefined, date: null };
  }).filter(({ words }) => words.length);
  if (!terms.length) return null;
  const isFiller = ({ words, isQuoted }) => !isQuoted && words.every((word) => FILLERS.has(word));
  if (terms.length > 1) terms = terms.filter((term) => !isFiller(term));
  if (dated().some) setDates(terms.filter(({ isQuoted }) => !isQuoted));
  return terms;
}

/* A day of the month is one only beside a month. */
function setDates(terms) {
  const monthsOf = ([word, ...others]) => (others.length ? null : SEASONS[word] ?? (monthNames().has(word) ? [monthNames().get(word)] : null));
  const hasMonth = terms.some(({ words }) => monthsOf(words));
  for (const term of terms) {
    const text = term.piece.replace(/,$/, "");
    const [, year, month, day] = /^(\d{4})-(\d\d?)(?:-(\d\d?))?$/.exec(text) ?? [];
    const [, day2, month2, year2] = /^(\d\d?)\.(\d\d?)\.(\d{4})$/.exec(text) ?? [];
    const named = monthsOf(term.words), number = /^(\d+)(?:st|nd|rd|th|\.)?$/.exec(text)?.[1];
    if (year ?? year2) term.date = { year: Number(year ?? year2), months: [Number(month ?? month2)], day: Number(day ?? day2 ?? 0) };
    else if (named) term.date = { months: named, isWord: true };
    else if (/^(1[89]|20)\d\d$/.test(number)) term.date = { year: Number(number) };
    else if (hasMonth && number > 0 && number < 32) term.date = { day: Number(number) };
  }
}

/* The year, month and day of each thing; 0 where they are not known. The date of a file is none. */
let times = null;
function dated() {
  if (times) return times;
  times = { years: new Uint16Array(thingCount), months: new Uint8Array(thingCount), days: new Uint8Array(thingCount), some: false };
  const set = (thing, seconds, precision) => {
    const date = new Date(seconds * 1000);
    times.years[thing] = date.getUTCFullYear();
    if (precision !== "y") times.months[thing] = date.getUTCMonth() + 1;
    if (!"ym".includes(precision)) times.days[thing] = date.getUTCDate();
    times.some = true;
  };
  for (const photo of allPhotos) if (isTaken(photo)) set(photo, photos.at[photo], photos.precision[photo]);
  events.forEach(({ start }, event) => start !== null && set(firstEvent + event, start, "s"));
  trips.forEach(({ start }, trip) => set(firstTrip + trip, start, "s"));
  return times;
}
function raiseDated(levels, { year, months: among, day }) {
  const { years, months: ofThings, days } = dated();
  for (let thing = 0; thing < levels.length; thing++) {
    if (!years[thing] || (year && years[thing] !== year) || (among && !among.includes(ofThings[thing])) || (day && days[thing] !== day)) continue;
    levels[thing] = WHOLE;
  }
}

/* All that is searched, in this order: photos, groups, events, trips. */
const firstEvent = photoCount + groups.length, firstTrip = firstEvent + events.length, thingCount = firstTrip + trips.length;
let index = null;
function searchIndex() {
  return (index ??= makeIndex([
    // A heading is the caption of one photo, and says too little of the others to be their group's name.
    [...allPhotos.map((photo) => [labelOf(photo), ...tagsOf(photo)].join(" ")), ...groups.map((group, place) => (subtitleOf(place) ? nameOf(place) : "")), ...events.map(({ name }) => name), ...trips.map(({ name }) => name)],
    [...allPhotos.map((photo) => `${withoutExtension(pathOf(photo))} ${townOf(photo)}`), ...groups.map(({ heading, terms }) => `${heading} ${terms.join(" ")}`), ...events.map(({ title }) => title), ...trips.map(({ title }) => title)],
  ]));
}
function forgetNames() {
  index = null;
  scored = { query: null, scores: null };
}

/* How well each thing fits, the best first by number, 0 is not at all; null where all photos fit. */
let scored = { query: null, scores: null };
function scoresOf(query) {
  if (scored.query === query) return scored.scores;
  const terms = termsOf(query);
  scored = { query, scores: terms?.length === 0 ? null : score(terms ?? []) };
  return scored.scores;
}
function score(terms) {
  const rated = terms.map(({ words, isQuoted, date }) => {
    const levels = rate(searchIndex(), words, isQuoted, Boolean(date && !date.isWord));
    if (date) raiseDated(levels, date);
    return levels;
  });
  const scores = new Uint16Array(thingCount);
  for (let thing = 0; terms.length && thing < thingCount; thing++) {
    let lowest = WHOLE, sum = 0, isOwn = false; // isOwn: one word at least is the photo's, or all would be those of its group
    for (let term = 0; lowest && term < rated.length; term++) {
      let level = rated[term][thing];
      if (level) isOwn ||= !terms[term].date;
      else if (thing < photoCount && isAround(rated[term], thing)) level = AROUND;
      lowest = Math.min(lowest, level);
      sum += level;
    }
    if (lowest && (isOwn || lowest > AROUND)) scores[thing] = lowest * 64 + sum;
  }
  return scores;
}
/* Whether the name of the photo's group or event has a word. */
function isAround(levels, photo) {
  const group = photos.group[photo], event = eventOf[photo];
  return (group >= 0 && levels[photoCount + group] > NAMED) || (event >= 0 && levels[firstEvent + event] > NAMED);
}
