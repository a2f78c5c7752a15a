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
const formatWeekday = dateFormat({ weekday: "short" });
const formatTime = dateFormat({ hour: "2-digit", minute: "2-digit" });
const yearOf = (seconds) => new Date(seconds * 1000).getUTCFullYear();
/* A file's own date is usually the day of the copy: it is shown with the photo only, and marked. */
const isTaken = (photo) => photos.at[photo] !== null && photos.clock[photo] !== "f";

function dateRange(list) {
  let first = Infinity, last = -Infinity;
  for (const photo of list) {
    if (!isTaken(photo)) continue;
    first = Math.min(first, photos.at[photo]);
    last = Math.max(last, photos.at[photo]);
  }
  if (first > last) return "";
  if (yearOf(first) !== yearOf(last)) return `${yearOf(first)}–${yearOf(last)}`;
  return formatDay(first) === formatDay(last) ? formatDay(first) : `${formatDayOfYear(first)} – ${formatDay(last)}`;
}

/* Weekdays and times of an event; its title has the dates. */
function eventTime({ start, end }) {
  if (start === null) return "";
  if (formatDay(start) === formatDay(end)) return `${formatWeekday(start)} ${[...new Set([formatTime(start), formatTime(end)])].join("–")}`;
  return `${formatWeekday(start)} – ${formatWeekday(end)}, ${quantity(Math.floor(end / 86400) - Math.floor(start / 86400) + 1, "day")}`;
}
const withDots = (...parts) => parts.filter(Boolean).join(" · ");
