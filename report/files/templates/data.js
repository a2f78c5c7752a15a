"use strict";
/* The data of the report, and what is known of a photo, a group, a theme and an event. A photo is its index in the columns
   of `photos`; a group, a theme and an event are indexes too. Captions and names are text and never markup: this program
   sets textContent and makes elements. */

/* For a file, a browser may refuse to store anything. */
const storage = (use) => {
  try {
    return use(localStorage);
  } catch {
    return null;
  }
};
const $ = (id) => document.getElementById(id);
const data = JSON.parse($("data").textContent);
const { photos, groups, themes, events, folders: folderIndex } = data;
const folders = Object.keys(folderIndex);
const photoCount = photos.name.length;
const allPhotos = Array.from({ length: photoCount }, (_, photo) => photo);

/* A text that an earlier photo has too is given as the index of that photo. */
const labelOf = (photo) => (typeof photos.label[photo] === "number" ? photos.label[photos.label[photo]] : photos.label[photo]);
const tagsOf = (photo) => (data.tags.of[photo] ?? []).map((tag) => data.tags.words[tag]);
const pathOf = (photo) => folders[photos.folder[photo]] + photos.name[photo];
const statusOf = (photo) => photos.status[photo];
const moving = new Set(data.moving); // by their extensions
const isVideo = (photo) => statusOf(photo) === "m" || moving.has(photo);
const themeOf = (photo) => groups[photos.group[photo]]?.theme ?? -1;

/* All thumbnails, and all previews, have the beginning and the end of their paths in common. */
const pictureAddress = ({ before, between, after }, photo) => ((between[photo] ?? null) === null ? null : before + between[photo] + after);
const thumbnailOf = (photo) => pictureAddress(data.thumbnails, photo);
const unlinked = new Set(data.unlinked);
/* `odd` has the addresses of files whose names are spelled differently on the disk. Half of a surrogate pair cannot be written
   in an address. */
const originalOf = (photo) =>
  data.link === null || unlinked.has(photo)
    ? null
    : data.link + (data.odd[photo] ?? pathOf(photo).replace(/\p{Surrogate}/gu, "\ufffd").split("/").map(encodeURIComponent).join("/"));
/* A photo with a thumbnail but no preview is one that browsers can show as it is. */
const largeOf = (photo) => pictureAddress(data.previews, photo) ?? (thumbnailOf(photo) ? originalOf(photo) : null);
/* File names may hold characters that break the line or reverse the text: show a replacement character for each. */
const printable = (path) => path.replace(/[\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff]|\p{Surrogate}/gu, "\ufffd");
/* Failed photos are left off the map, also where their pictures could be read. */
const isPlaced = (photo) => photos.x[photo] !== null && statusOf(photo) !== "e";
const titleOf = (photo) => labelOf(photo) || printable(photos.name[photo]);

const distanceOf = (photo) => photos.distance[photo] ?? Infinity;
const timeOf = (photo) => photos.at[photo] ?? Infinity;
const SORTS = {
  best: { text: "Best match" }, // by the words of a search
  typical: { text: "Most typical", compare: (a, b) => distanceOf(a) - distanceOf(b) },
  time: { text: "By time", compare: (a, b) => (timeOf(a) === timeOf(b) ? a - b : timeOf(a) - timeOf(b)) },
  odd: { text: "Oddest", compare: (a, b) => (photos.distance[b] ?? -1) - (photos.distance[a] ?? -1) },
};
/* All photos in an order. Each order is sorted once; what is filtered from it stays in order. */
const sorted = {};
const inOrder = (sort) => (sorted[sort] ??= [...allPhotos].sort(SORTS[sort].compare));

const groupPhotos = groups.map(() => []); // most typical first, as are the next two
const unclustered = [];
for (const photo of inOrder("typical")) {
  if (photos.group[photo] >= 0) groupPhotos[photos.group[photo]].push(photo);
  else if (photos.group[photo] === -1) unclustered.push(photo);
}
const themePhotos = themes.map((theme) => theme.groups.flatMap((group) => groupPhotos[group]));
const notOnMap = allPhotos.filter((photo) => photos.group[photo] === -2);
const isFlat = themes.every((theme) => theme.groups.length === 1); // a small library: themes and groups are the same
const groupOfId = new Map(groups.map(({ id }, group) => [id, group]));
const eventOfId = new Map(events.map(({ id }, event) => [id, event]));
const eventOf = new Int32Array(photoCount).fill(-1);
events.forEach(({ members }, event) => members.forEach((photo) => (eventOf[photo] = event)));
const burstOf = new Map(data.bursts.flatMap((frames) => frames.map((photo) => [photo, frames])));

const disputed = new Set(data.disputed); // of bursts whose captions contradict each other
/* The photos most like each, nearest first, `count` of each as whole numbers of two or four bytes; itself where there are fewer. */
let alike = null;
function alikeOf(photo) {
  if (!data.alike) return [];
  const { count, wide, near } = data.alike;
  alike ??= new (wide ? Uint32Array : Uint16Array)(Uint8Array.from(atob(near), (letter) => letter.charCodeAt(0)).buffer);
  return [...alike.subarray(photo * count, (photo + 1) * count)].filter((other) => other !== photo);
}
