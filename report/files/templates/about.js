/* About the report, in words for everyone: how much there is, and what is missing, each a way to those photos. */

function showAbout() {
  if ($("counts").firstChild) return;
  const { errors, uncaptioned, videos, unclustered: loose } = Object.fromEntries(Object.entries(FILTERS).map(([name, { size }]) => [name, size]));
  const add = (...parts) => $("counts").append(make("li", {}, ...parts));
  const way = (only, text) => make("a", { href: address({ only }) }, text);
  const stills = photoCount - allPhotos.filter((photo) => statusOf(photo) === "m").length;
  add(withDots(quantity(stills, "photo"), groups.length ? quantity(groups.length, "group") : "", themes.length ? quantity(themes.length, "theme") : "", events.length ? quantity(events.filter(({ start }) => start !== null).length, "event") : ""));
  if (videos) add(way("videos", quantity(videos, "video")));
  if (loose) add(way("unclustered", quantity(loose, "photo")), ` ${loose === 1 ? "is" : "are"} like no others, and in no group`);
  if (uncaptioned) add(way("uncaptioned", quantity(uncaptioned, "photo")), ` ${uncaptioned === 1 ? "has" : "have"} no caption yet`);
  if (errors) add(way("errors", quantity(errors, "photo")), " could not be captioned; each says why");
}
