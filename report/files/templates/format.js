/* Numbers, dates and names as text. */

const numberFormat = new Intl.NumberFormat("en-US");
const formatNumber = (value) => numberFormat.format(value);
const quantity = (value, noun) => `${formatNumber(value)} ${noun}${value === 1 ? "" : "s"}`;
const lastSpace = (text, length) => (text.lastIndexOf(" ", length) > length / 2 ? text.lastIndexOf(" ", length) : length);
const shorten = (text, length) => (text.length <= length ? text : text.slice(0, lastSpace(text, length)) + "…");

/* The formatter is made on first use, because making one takes as long as a thousand uses. */
function dateFormat(options) {
  let format;
  return (seconds) => (format ??= new Intl.DateTimeFormat("en-GB", { timeZone: "UTC", ...options })).format(seconds * 1000).replace("Sept ", "Sep ");
}
const formatDay = dateFormat({ day: "numeric", month: "short", year: "numeric" });
const formatDayAndTime = dateFormat({ weekday: "long", day: "numeric", month: "long", year: "numeric", hour: "2-digit", minute: "2-digit" });
const formatDayOfYear = dateFormat({ day: "numeric", month: "short" });
const formatDayAndMonth = dateFormat({ day: "numeric", month: "long" });
const formatWeekday = dateFormat({ weekday: "short" });
const formatTime = dateFormat({ hour: "2-digit", minute: "2-digit" });
const yearOf = (seconds) => new Date(seconds * 1000).getUTCFullYear();
/* A file's own date is usually the day of the copy: it is shown with the photo only, and marked. */
const isTaken = (photo) => photos.at[photo] !== null && photos.source[photo] !== "f";
/* Where a date comes from, by the letter of its source. */
const SOURCES = {
  e: "EXIF", x: "XMP in the photo", i: "IPTC", p: "text in the PNG", s: "XMP beside the photo", t: "Google Takeout", n: "the file’s name", d: "the folder’s name", f: "the file",
};
const formatMonth = dateFormat({ month: "long", year: "numeric" });
const formatLongDay = dateFormat({ weekday: "long", day: "numeric", month: "long", year: "numeric" });
/* A date in words, no finer than it is known. */
const dateOf = (photo, isShort = false) => ({ s: isShort ? formatDay : formatDayAndTime, d: isShort ? formatDay : formatLongDay, m: formatMonth, y: yearOf })[photos.precision[photo]](photos.at[photo]);

function dateRange(list) {
  let first = Infinity, last = -Infinity, knowsDays = true;
  for (const photo of list) {
    if (!isTaken(photo)) continue;
    first = Math.min(first, photos.at[photo]);
    last = Math.max(last, photos.at[photo]);
    knowsDays &&= "sd".includes(photos.precision[photo]);
  }
  if (first > last) return "";
  if (!knowsDays && yearOf(first) === yearOf(last)) return String(yearOf(first));
  if (yearOf(first) !== yearOf(last)) return `${yearOf(first)}–${yearOf(last)}`;
  return formatDay(first) === formatDay(last) ? formatDay(first) : `${formatDayOfYear(first)} – ${formatDay(last)}`;
}

/* Weekdays and times of an event; its title has the dates. */
function eventTime({ start, end, byDay }) {
  if (start === null) return "";
  if (byDay) return formatWeekday(start);
  if (formatDay(start) === formatDay(end)) return `${formatWeekday(start)} ${[...new Set([formatTime(start), formatTime(end)])].join("–")}`;
  return `${formatWeekday(start)} – ${formatWeekday(end)}, ${quantity(Math.floor(end / 86400) - Math.floor(start / 86400) + 1, "day")}`;
}
const withDots = (...parts) => parts.filter(Boolean).join(" · ");
