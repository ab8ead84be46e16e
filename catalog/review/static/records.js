/**
 * What the server tells about photos and groups, and how it is said to a person.
 *
 * @typedef {{id: number, v: string, size: number, mtime_ns: string, name: string, folder: string,
 *   width: number, height: number, format: string, taken_at: string | null, modified: string,
 *   camera: string | null, frames: number, kind: Kind | null, score: number, distance: number,
 *   orientation: number, lost: [string, number][], more: [string, number][], notes: string[],
 *   file: number, protected: boolean, came_back: boolean, dropped: boolean}} Photo
 *   `file`: equal for the several names (hard links) of one file of the group
 * @typedef {"identical" | "same" | "similar"} Kind
 * @typedef {{group: string, kind: Kind, score: number, reclaimable: number, suggested: number,
 *   reason: string, keep: number, decided: boolean, count: number, photos: Photo[],
 *   gone?: string, whole?: boolean}} Group
 *   `gone`: why it is no group any more, where it still has a row; `whole`: asked for by itself, so
 *   that it has all photos that are ever told
 */

/** @type {Record<Kind, string>} */
export const KINDS = { identical: "Identical", same: "Same picture", similar: "Looks alike" };

/** @param {Group} group @returns {Photo} */
export const kept = (group) =>
  group.photos.find((photo) => photo.id === group.keep) ?? group.photos[0];

/** The kept one first, the others as they come. @param {Group} group @returns {Photo[]} */
export function inOrder(group) {
  const first = kept(group);
  return [first, ...group.photos.filter((photo) => photo !== first)];
}

/** Whether no more photos of it can be asked for. @param {Group} group */
export const isWhole = (group) => group.whole || group.photos.length >= group.count;

/**
 * Why a photo stays, whatever is chosen; empty where it can go.
 * @param {Photo} photo @param {Photo} keeper the one that is kept
 */
export function stuck(photo, keeper) {
  if (photo.protected) return "Protected";
  return photo !== keeper && photo.file === keeper.file ? "Same file" : "";
}

/** Those that could go. @param {Group} group @returns {Photo[]} */
export function loose(group) {
  const keeper = kept(group);
  return group.photos.filter((photo) => photo !== keeper && !stuck(photo, keeper));
}

/** @param {Group} group */
export const allDropped = (group) => {
  const could = loose(group);
  return could.length > 0 && could.every((photo) => photo.dropped);
};

/** What proves to the server which file was seen. @param {Photo} photo */
export const seen = ({ id, size, mtime_ns }) => ({ id, size, mtime_ns });

const UNITS = ["KB", "MB", "GB", "TB", "PB"];

/** Bytes in decimal units, as the commands print them. @param {number} bytes */
export function size(bytes) {
  if (bytes < 1000) return `${bytes} B`;
  let amount = bytes / 1000;
  let unit = 0;
  for (; amount >= 999.5 && unit < UNITS.length - 1; unit += 1) amount /= 1000;
  return `${amount.toFixed(amount < 99.95 ? 1 : 0)} ${UNITS[unit]}`;
}

/** @param {number} number */
export const grouped = (number) => number.toLocaleString("en");

/** @param {number} number @param {string} one @param {string} many */
export const counted = (number, one, many = `${one}s`) =>
  `${grouped(number)} ${number === 1 ? one : many}`;

/** @param {Photo} photo */
export const pixels = ({ width, height }) => `${width} × ${height}`;

/** What the others of a group are called. @param {Group} group @param {number} [number] */
export function othersOf(
  group,
  number = loose(group).length + (isWhole(group) ? 0 : group.count - group.photos.length),
) {
  const what = group.kind === "similar" ? ["other", "others"] : ["copy", "copies"];
  return number === 1 ? `the ${what[0]}` : `the ${grouped(number)} ${what[1]}`;
}

/** @param {Group} group */
export const keepAllWords = (group) =>
  group.count === 2 ? "Keep both" : `Keep all ${grouped(group.count)}`;

/** @param {{done: number, total: number | null, what: string}} doing */
export const progressWords = ({ what, done, total }) =>
  total ? `${what}: ${grouped(done)} of ${grouped(total)}` : `${what} …`;
