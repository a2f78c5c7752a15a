/* One photo, large, over the view: the picture, what is known of it, and the way to the next one. */

const dialog = $("photo");
let openPhoto = null;
let closesWithBack = false; // whether the view under the photo is one entry back in the history
const STATUS = {
  v: "Not captioned; these words are guessed from the picture", e: "The caption failed", m: "A video: not captioned", n: "Not captioned",
};

/* `isAlone`: the view under it was not shown before, so there is no way back to it in the history. */
function showPhoto(photo, isAlone) {
  if (photo === null || !(photo >= 0 && photo < photoCount)) {
    if (dialog.open) dialog.close();
    openPhoto = null;
    return;
  }
  if (!dialog.open) {
    dialog.showModal();
    closesWithBack = !isAlone;
  }
  if (photo === openPhoto) return;
  const isNew = openPhoto === null, hadFocus = $("facts").contains(document.activeElement);
  openPhoto = photo;
  showPicture(photo);
  showFacts(photo);
  if (isNew || hadFocus) $("facts").firstChild.focus({ preventScroll: true });
  const list = photosAround(photo), index = indexIn(list, photo);
  $("before").disabled = index <= 0;
  $("after").disabled = index >= list.length - 1;
  for (const next of [list[index + 1], list[index - 1]]) if (next !== undefined && largeOf(next)) new Image().src = largeOf(next);
}

function showPicture(photo) {
  const small = thumbnailOf(photo), full = largeOf(photo), image = $("large");
  $("large-words").textContent = titleOf(photo);
  $("large-words").hidden = Boolean(small ?? full);
  image.hidden = !(small ?? full);
  image.alt = titleOf(photo);
  const isLoading = full !== null && full !== small;
  if (small ?? full) {
    image.classList.toggle("loading", isLoading);
    image.src = small ?? full;
  }
  if (!isLoading) return;
  // The thumbnail shows until the photo is loaded, and stays if that fails.
  const loader = new Image();
  loader.onload = () => openPhoto === photo && (image.classList.remove("loading"), (image.src = full));
  loader.onerror = () => {
    if (openPhoto !== photo) return;
    image.classList.remove("loading");
    $("facts").append(make("p", { className: "notice" }, "The photo cannot be loaded: it may have been moved. This is its thumbnail."));
  };
  loader.src = full;
}

function showFacts(photo) {
  const group = photos.group[photo], name = nameOf(group), event = eventOf[photo], burst = burstOf.get(photo);
  const facts = make("dl", {}), row = make("p", { className: "row" });
  const add = (name, ...value) => facts.append(make("div", {}, make("dt", {}, name), make("dd", {}, ...value)));
  const groupLink = (one) => make("a", { href: groupAddress(one) }, nameOf(one));
  if (photos.at[photo] !== null) add(isTaken(photo) ? "Taken" : "Date of the file (the photo itself has no date)", withDots(dateOf(photo), isTaken(photo) ? `by ${SOURCES[photos.source[photo]]}` : ""));
  if (name !== undefined) add("Group", groupLink(group));
  else if (group === -1) add("Group", make("a", { href: "#group=-1" }, "Unclustered"), ...(groups[photos.nearest[photo]] ? [", nearest to ", groupLink(photos.nearest[photo])] : []));
  if (townOf(photo)) add("Place", townOf(photo));
  if (tripOfEvent[event] >= 0) add("Trip", make("a", { href: tripAddress(tripOfEvent[event]) }, trips[tripOfEvent[event]].title));
  if (event >= 0) add(events[event].id > 0 ? "Event" : "No event", make("a", { href: eventAddress(event) }, events[event].title));
  if (name !== undefined && photos.distance[photo] !== null) add("How typical of its group", `place ${formatNumber(groupPhotos[group].indexOf(photo) + 1)} of ${formatNumber(groupPhotos[group].length)}`);
  if (isVideo(photo) && statusOf(photo) !== "m") add("Kind", "▶ Video; the picture is one frame of it");
  if (statusOf(photo) !== "c") add("Status", STATUS[statusOf(photo)] + (data.errors[photo] ? `: ${printable(data.errors[photo])}` : ""));
  add("File", make("bdi", {}, printable(pathOf(photo))));
  if (tagsOf(photo).length) add("Tags", make("span", { className: "row" }, ...tagsOf(photo).map((tag) => link(tag, address({ q: `"${tag}"` })))));
  if (burst) {
    const frames = [...burst].sort(SORTS.time.compare).map((frame) => replacing(link([pictureOrTitle(frame)], photoAddress(frame), frame === photo, "")));
    if (disputed.has(photo)) add("Check", "The captions of these frames contradict each other, in a number or a name.");
    add(`One of ${burst.length} frames taken one after the other`, make("span", { className: "frames" }, ...frames));
  }
  if (originalOf(photo)) row.append(make("a", { className: "action", href: originalOf(photo), target: "_blank", rel: "noopener" }, isVideo(photo) ? "Open the video" : "Open the file"));
  if (isPlaced(photo)) row.append(make("a", { className: "action", href: address({ map: "", spot: photo }) }, "Show on the map"));
  if (alikeOf(photo).length) row.append(make("a", { className: "action", href: address({ like: photo }) }, "More like this"));
  $("facts").replaceChildren(make("h2", { className: labelOf(photo) ? "" : "none", tabIndex: -1 }, labelOf(photo) || "No caption"), facts, row);
  $("facts").scrollTop = 0;
}

/* What the arrows walk through: the list that is shown, or else the photo's group. */
function photosAround(photo) {
  if (!$("view-list").hidden && indexIn(grid.shownPhotos, photo) >= 0) return grid.shownPhotos;
  if (!$("view-memories").hidden && onThisDay().list.includes(photo)) return onThisDay().list;
  return groupPhotos[photos.group[photo]] ?? (photos.group[photo] === -1 ? unclustered : [photo]);
}
/* Of a burst that is one tile, only one frame is in the list: it stands for all. */
function indexIn(list, photo) {
  const index = list.indexOf(photo);
  return index >= 0 ? index : list.findIndex((other) => burstOf.get(photo)?.includes(other));
}

function walk(by) {
  const list = photosAround(openPhoto), next = list[indexIn(list, openPhoto) + by];
  if (next !== undefined) showAtOnce(photoAddress(next), true);
}
/* Where to go from a photo that was opened by its address alone. */
const homeOf = (photo) => (groups[photos.group[photo]] ? groupAddress(photos.group[photo]) : START);
function closePhoto() {
  if (openPhoto === null) return;
  const last = openPhoto;
  if (closesWithBack) {
    writeAddress();
    show(addressWith({}));
    history.back();
  } else showAtOnce(state.toString() ? addressWith({}) : homeOf(last), true);
  if (!$("view-list").hidden) grid.focus(indexIn(grid.shownPhotos, last));
}
$("close").onclick = closePhoto;
$("before").onclick = () => walk(-1);
$("after").onclick = () => walk(1);
dialog.addEventListener("cancel", (event) => {
  event.preventDefault();
  closePhoto();
});
addEventListener("keydown", (event) => {
  const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
  if (!by || !dialog.open || event.altKey || event.ctrlKey || event.metaKey) return;
  event.preventDefault();
  walk(by);
});
let touchStart = null;
$("stage").addEventListener("touchstart", (event) => (touchStart = event.touches.length === 1 ? event.touches[0] : null), { passive: true });
$("stage").addEventListener("touchend", (event) => {
  if (!touchStart || visualViewport?.scale > 1.05) return;
  const dx = event.changedTouches[0].clientX - touchStart.clientX, dy = event.changedTouches[0].clientY - touchStart.clientY;
  if (Math.abs(dx) > 45 && Math.abs(dx) > 1.5 * Math.abs(dy)) walk(dx < 0 ? 1 : -1);
  else if (dy > 90 && dy > 1.5 * Math.abs(dx)) closePhoto();
});
