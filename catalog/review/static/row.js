/** One group in the list. A row is used again for another group when it has left the screen. */

import { el, pointed, say } from "./build.js";
import { Card } from "./card.js";
import {
  allDropped,
  grouped,
  inOrder,
  KINDS,
  keepAllWords,
  loose,
  othersOf,
  size,
} from "./records.js";

/**
 * @typedef {import("./records.js").Group} Group
 * @typedef {"look" | "toggle" | "trash-all" | "keep-both"} Deed
 */

export class Row {
  /** @type {Group | undefined} */
  group;
  place = -1;
  /** @type {Card[]} */
  cards = [];
  #pictures;
  #act;

  /**
   * @param {import("./pictures.js").Pictures} pictures
   * @param {(deed: Deed, group: Group, photo?: number) => void} act
   */
  constructor(pictures, act) {
    this.#pictures = pictures;
    this.#act = act;
    this.strip = el("div.cards");
    this.more = el("button.more", { click: () => this.#do("look") });
    this.badge = el("span.badge");
    this.reason = el("span.reason");
    this.sum = el("span.sum");
    this.error = el("p.error", { role: "alert" });
    this.trash = el("button.trash-all", {
      click: (/** @type {MouseEvent} */ event) => this.#once(event, "trash-all"),
    });
    this.both = el("button.keep-both", {
      click: (/** @type {MouseEvent} */ event) => this.#once(event, "keep-both"),
    });
    this.look = el("button.closer", { click: () => this.#do("look") }, "Look closer");
    this.buttons = el("div.buttons", {}, this.trash, this.both, this.look);
    this.words = el("p.words", {}, this.badge, this.reason, this.sum);
    this.element = el(
      "article.row",
      { tabindex: "-1" },
      this.strip,
      el("div.side", {}, this.words, this.error, this.buttons),
    );
    this.strip.append(this.more);
  }

  /**
   * @param {number} place
   * @param {number} total
   * @param {Group | undefined} group undefined: it is on its way
   * @param {number} fits photos side by side
   */
  bind(place, total, group, fits) {
    if (group?.group !== this.group?.group) this.refuse("");
    this.place = place;
    this.group = group;
    this.element.setAttribute("aria-posinset", String(place + 1));
    this.element.setAttribute("aria-setsize", String(total));
    this.element.classList.toggle("coming", !group);
    if (group) this.element.dataset.group = group.group;
    else delete this.element.dataset.group;
    this.#bindCards(group, fits);
    if (group) this.#bindWords(group);
  }

  /** Says near the group what the server refused. @param {string} words */
  refuse(words) {
    say(this.error, words);
  }

  load() {
    for (const card of this.cards) card.load();
  }

  /** The photo that has the focus, else the first that is not the kept one. */
  current() {
    const focused = this.cards.find((card) => card.element.contains(document.activeElement));
    return (focused ?? this.cards[1])?.photo ?? null;
  }

  /** @param {number} by -1 or 1 */
  step(by) {
    const there = this.cards.filter((card) => card.photo);
    const at = there.findIndex((card) => card.element.contains(document.activeElement));
    const next = at < 0 ? (by > 0 ? 0 : there.length - 1) : at + by;
    there[Math.max(0, Math.min(next, there.length - 1))]?.frame.focus();
  }

  /** @param {Group | undefined} group @param {number} fits */
  #bindCards(group, fits) {
    const photos = group ? inOrder(group).slice(0, fits) : [];
    while (this.cards.length < fits) {
      const card = new Card(this.#pictures, (deed, photo, event) => {
        this.#do(deed, photo.id);
        if (deed === "toggle" && pointed(event)) card.frame.focus({ preventScroll: true });
      });
      this.cards.push(card);
      this.more.before(card.element);
    }
    this.cards.forEach((card, at) => card.bind(photos[at] ?? null, photos[0], Boolean(group?.gone)));
    const hidden = group ? group.count - photos.length : 0;
    this.more.hidden = hidden <= 0;
    if (hidden > 0) {
      say(this.more, `+${grouped(hidden)}`);
      this.more.setAttribute("aria-label", `Look at ${hidden} more of this group`);
    }
  }

  /** @param {Group} group */
  #bindWords(group) {
    const all = allDropped(group);
    const dropped = group.photos.filter((photo) => photo.dropped);
    const cards = this.element.classList;
    cards.toggle("decided", group.decided);
    cards.toggle("gone", Boolean(group.gone));
    say(this.badge, KINDS[group.kind]);
    this.badge.dataset.kind = group.kind;
    say(
      this.reason,
      group.gone ??
        (group.keep === group.suggested ? `Kept: ${group.reason}` : "Kept: you chose it"),
    );
    const bytes = dropped.reduce((sum, photo) => sum + photo.size, 0);
    say(
      this.sum,
      group.gone
        ? ""
        : dropped.length
          ? `${grouped(dropped.length)} in the tray, ${size(bytes)}`
          : `${grouped(group.count)} photos, ${size(group.reclaimable)} to gain`,
    );
    say(this.trash, all ? "Take back" : `Trash ${othersOf(group)}`);
    this.trash.classList.toggle("chosen", all);
    say(this.both, keepAllWords(group));
    const fixed = Boolean(group.gone);
    this.trash.disabled = fixed || loose(group).length === 0;
    this.both.disabled = fixed;
    this.look.disabled = fixed;
    this.element.setAttribute(
      "aria-label",
      `${KINDS[group.kind]}: ${inOrder(group)[0].name} and ${group.count - 1} more` +
        (group.decided ? ", decided" : ""),
    );
  }

  /** @param {Deed} deed @param {number} [photo] */
  #do(deed, photo) {
    if (this.group && !this.group.gone) this.#act(deed, this.group, photo);
  }

  /** @param {MouseEvent} event @param {Deed} deed */
  #once(event, deed) {
    if (event.detail > 1) return; // the second click of a double click decides nothing
    this.#do(deed);
    if (pointed(event)) this.element.focus({ preventScroll: true }); // so the space bar goes on
  }
}
