/** What is known about two photos, side by side; what differs stands out. */

import { get } from "./api.js";
import { el } from "./build.js";
import { grouped, KINDS, pixels, size, stuck } from "./records.js";

/** @typedef {import("./records.js").Photo} Photo @typedef {import("./records.js").Group} Group */

/**
 * Both photos of a row: text, or nothing known.
 * @typedef {[string, (photo: Photo) => string, string?]} Line
 */
/** @type {Line[]} */
const LINES = [
  ["Name", (photo) => photo.name],
  ["Folder", (photo) => photo.folder],
  ["Pixels", (photo) => `${pixels(photo)} (${((photo.width * photo.height) / 1e6).toFixed(1)} MP)`],
  ["Size", (photo) => `${size(photo.size)} (${grouped(photo.size)} bytes)`],
  ["Format", (photo) => photo.format + (photo.frames > 1 ? `, ${photo.frames} frames` : "")],
  ["Taken", (photo) => photo.taken_at ?? ""],
  ["Changed", (photo) => photo.modified],
  ["Camera", (photo) => photo.camera ?? ""],
];
const REST = 200; // milliseconds on a pair before it is compared at the server

export class Facts {
  #round = 0;
  #later = 0;
  #key = "";

  constructor() {
    this.body = el("tbody");
    this.first = el("th", { scope: "col" });
    this.second = el("th", { scope: "col" });
    const head = el("thead", {}, el("tr", {}, el("td"), this.first, this.second));
    this.element = el(
      "table.facts-table",
      { "data-testid": "facts" },
      el("caption.unseen", {}, "Facts about both photos"),
      head,
      this.body,
    );
  }

  /** @param {Group} group @param {Photo} first the kept one @param {Photo} second */
  show(group, first, second) {
    const key = JSON.stringify([
      group.group,
      group.keep,
      first.id,
      first.v,
      second.id,
      second.v,
      second.dropped,
    ]);
    if (key === this.#key) return;
    this.#key = key;
    this.first.textContent = "★ Keep";
    this.second.textContent = second.dropped ? "Trash" : stuck(second, first) || "Other";
    const why = group.keep === group.suggested ? group.reason : "you chose it";
    this.body.replaceChildren(
      ...LINES.map(([name, of]) => line(name, of(first), of(second))).filter(Boolean),
      line("Kept because", why, "", true),
      line("Alike", alike(first), alike(second), true),
      line("Notes", notes(first), notes(second), true),
    );
    this.#compare(first, second);
  }

  /** @param {Photo} first @param {Photo} second */
  #compare(first, second) {
    const round = (this.#round += 1);
    clearTimeout(this.#later);
    this.#later = setTimeout(async () => {
      const [compared, ...facts] = await Promise.all([
        get("/api/compare", { query: { first: first.id, second: second.id } }).catch(() => null),
        ...[first, second].map(({ id, v }) =>
          get(`/api/facts/${id}`, { query: { v } }).catch(() => null),
        ),
      ]);
      if (round !== this.#round) return;
      const quality = facts.map((fact) => (fact?.quality ? `about ${fact.quality}` : ""));
      const words = compared?.words ?? {};
      const lines = [
        line("JPEG quality", quality[0], quality[1]),
        line("Compared", (words.first ?? []).join(", "), (words.second ?? []).join(", ")),
      ];
      this.body.append(...lines.filter(Boolean));
    }, REST);
  }
}

/** To the suggested one. @param {Photo} photo */
const alike = ({ kind, score }) =>
  kind ? `${KINDS[kind]}, ${Math.floor(score * 100)} %` : "the suggested one";

/** @param {Photo} photo */
const notes = (photo) =>
  [
    ...photo.notes,
    ...(photo.protected ? ["protected"] : []),
    ...(photo.came_back ? ["came back after it was removed"] : []),
  ]
    .filter((note, at, all) => all.indexOf(note) === at)
    .join(", ");

/**
 * @param {string} name
 * @param {string} first
 * @param {string} second
 * @param {boolean} [plain] nothing to compare
 */
function line(name, first, second, plain = false) {
  if (!first && !second) return "";
  const differs = !plain && first !== second;
  const cell = (/** @type {string} */ text) => el("td", {}, text || (plain ? "" : "–"));
  return el(
    differs ? "tr.differs" : "tr",
    {},
    el("th", { scope: "row" }, name, differs && el("span.unseen", {}, " (differs)")),
    cell(first),
    cell(second),
  );
}
