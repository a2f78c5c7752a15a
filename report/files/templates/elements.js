/* Elements that several views use: links, pictures, cards, sections, and the colours of themes. */

function make(tag, properties = {}, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children.filter((child) => child !== null && child !== ""));
  return element;
}

function link(text, href, isCurrent, className = "chip") {
  return markCurrent(make("a", { className, href }, ...[text].flat()), isCurrent);
}
/* Mark the link that leads to what is shown. */
function markCurrent(element, isCurrent, as = "true") {
  if (isCurrent) element.ariaCurrent = as;
  else element.removeAttribute("aria-current");
  return element;
}
/* A click on this link adds no entry to the browser's history. */
function replacing(element) {
  element.dataset.replace = "";
  return element;
}

let loadedPictures = 0;
function picture(photo, properties = {}) {
  return make("img", {
    src: thumbnailOf(photo), alt: titleOf(photo), decoding: "async", draggable: false,
    onload: () => {
      loadedPictures++;
      $("moved").hidden = true;
    },
    onerror: (event) => {
      event.target.classList.add("missing");
      $("moved").hidden = loadedPictures > 0;
    },
    ...properties,
  });
}
const pictureOrTitle = (photo, properties) => (thumbnailOf(photo) ? picture(photo, properties) : make("span", { className: "text" }, titleOf(photo)));

/* The first few photos of a list: one of each burst, those with a thumbnail before those without. */
function firstFew(list, most) {
  const bursts = new Set(), withPicture = [], without = [];
  for (const photo of list) {
    const burst = burstOf.get(photo);
    if (burst && bursts.has(burst)) continue;
    if (burst) bursts.add(burst);
    (thumbnailOf(photo) ? withPicture : without).push(photo);
    if (withPicture.length === most) break;
  }
  return [...withPicture, ...without].slice(0, most);
}

function card(href, heading, list, ...lines) {
  const five = firstFew(list, 5).map((photo) => pictureOrTitle(photo, { loading: "lazy", alt: "" }));
  const content = five.some((one) => one.tagName === "IMG") ? five : five.slice(0, 2); // titles need more room
  const collage = make("div", { className: "collage" }, ...content);
  collage.dataset.count = content.length;
  return make("a", { className: "card", href }, collage, make("h3", {}, heading), ...lines.filter(Boolean).map((line) => make("p", { className: "meta" }, line)));
}
const cards = (list) => make("div", { className: "cards" }, ...list);

/* A heading whose content is made when it comes near: a library may have hundreds of groups and thousands of events. */
function lazySection(heading, note, height, content) {
  const section = make("section", { className: "section" }, make("h2", { tabIndex: -1 }, heading, make("span", { className: "meta" }, note)));
  section.style.minHeight = `${height}px`; // so that the scrollbar is right before the content is made
  section.style.containIntrinsicHeight = `auto ${height}px`;
  section.fill = () => {
    nearSections.unobserve(section);
    if (section.children.length > 1) return;
    section.append(...content());
    section.style.minHeight = "";
  };
  nearSections.observe(section);
  return section;
}
/* Of groups or events, those with photos of a list, most first: cards of these photos only. */
function foundCards(list, placeOf, all, nameOf, makeCard) {
  const found = new Map();
  for (const photo of list) {
    const place = placeOf(photo);
    if (place >= 0) found.has(place) ? found.get(place).push(photo) : found.set(place, [photo]);
  }
  if (!found.size) return make("p", { className: "empty" }, `${list.length ? "None of them has a photo that was found." : "Nothing found."}`);
  const most = [...found].sort(([, a], [, b]) => b.length - a.length);
  const note = (part, place) => (part.length === all(place).length ? quantity(part.length, "photo") : `${formatNumber(part.length)} of ${quantity(all(place).length, "photo")}`);
  return lazySection(nameOf(most.length), "with photos that were found", 70 + estimateHeight(most.length, 294, 300), () => [cards(most.map(([place, part]) => makeCard(place, part, note(part, place))))]);
}
const nearSections = new IntersectionObserver((entries) => {
  for (const { isIntersecting, target } of entries) if (isIntersecting) target.fill();
}, { rootMargin: "900px" });
const estimateHeight = (count, width, height) => Math.ceil(count / Math.max(1, Math.floor($("main").clientWidth / width))) * height;

const isPrinting = () => document.documentElement.dataset.print !== undefined;
const isDark = () => !isPrinting() && (getComputedStyle(document.documentElement).colorScheme === "dark" ||
  (!document.documentElement.dataset.light && matchMedia("(prefers-color-scheme: dark)").matches));
/* Steps of the golden angle keep any number of hues apart; three levels of lightness tell similar hues apart. */
function themeColour(theme, lighter = 0) {
  if (theme < 0) return "gray";
  const step = [0, 0.1, -0.08][theme % 3] + lighter;
  return `oklch(${((isDark() ? 0.74 : 0.62) + step).toFixed(3)} 0.145 ${((theme * 137.508 + 35) % 360).toFixed(1)})`;
}
