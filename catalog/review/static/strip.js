/** All photos of a group in a line; only those in view exist, as a group may have thousands. */

import { el, say } from "./build.js";
import { made, Pictures } from "./pictures.js";
import { stuck } from "./records.js";

const WIDTH = 92; // CSS pixels of one, with its gap
const SPARE = 3;
const KEPT = 120;

/** @typedef {import("./records.js").Photo} Photo */

export class Strip {
  /** @type {Photo[]} */
  #photos = [];
  #at = -1;
  #pictures = new Pictures(KEPT);
  /**
   * @type {Map<number, {id: number, button: HTMLButtonElement, picture: HTMLImageElement}>} by
   *   place
   */
  #there = new Map();
  #pick;

  /** @param {(place: number) => void} pick */
  constructor(pick) {
    this.#pick = pick;
    this.room = el("div.strip-room", { role: "group", "aria-label": "Photos of this group" });
    this.element = el("div.strip", { "data-testid": "strip" }, this.room);
    this.element.addEventListener("scroll", () => this.#draw(), { passive: true });
    new ResizeObserver(() => this.#draw()).observe(this.element);
  }

  /** @param {Photo[]} photos the kept one first @param {number} at */
  show(photos, at) {
    const moved = at !== this.#at || photos[0]?.id !== this.#photos[0]?.id;
    this.#photos = photos;
    this.#at = at;
    this.room.style.setProperty("width", `${photos.length * WIDTH}px`);
    if (moved) this.#reveal();
    this.#draw();
  }

  #reveal() {
    const { scrollLeft, clientWidth } = this.element;
    const left = this.#at * WIDTH;
    if (left < scrollLeft || left + WIDTH > scrollLeft + clientWidth)
      this.element.scrollLeft = left - (clientWidth - WIDTH) / 2;
  }

  #draw() {
    const from = Math.max(0, Math.floor(this.element.scrollLeft / WIDTH) - SPARE);
    const to = Math.min(
      this.#photos.length,
      Math.ceil((this.element.scrollLeft + this.element.clientWidth) / WIDTH) + SPARE,
    );
    for (const [place, { id, button, picture }] of this.#there) {
      if (place >= from && place < to && this.#photos[place]?.id === id) continue;
      this.#pictures.give(picture);
      button.remove();
      this.#there.delete(place);
    }
    for (let place = from; place < to; place += 1) {
      if (!this.#there.has(place)) this.#make(place);
      this.#bind(place);
    }
  }

  /** @param {number} place */
  #make(place) {
    const photo = this.#photos[place];
    const picture = this.#pictures.take(photo, "thumb") ?? made(photo, "thumb");
    picture.alt = "";
    const button = el("button.pick", { click: () => this.#pick(place) }, picture, el("span.mark"));
    button.style.setProperty("transform", `translateX(${place * WIDTH}px)`);
    const next = [...this.#there.keys()].filter((other) => other > place);
    this.#there.set(place, { id: photo.id, button, picture });
    this.room.insertBefore(
      button,
      next.length ? (this.#there.get(Math.min(...next))?.button ?? null) : null,
    );
  }

  /** @param {number} place */
  #bind(place) {
    const photo = this.#photos[place];
    const { button } = /** @type {{button: HTMLButtonElement}} */ (this.#there.get(place));
    const state =
      place === 0 ? "Keep" : photo.dropped ? "Trash" : stuck(photo, this.#photos[0]);
    button.setAttribute("aria-label", [photo.name, state].filter(Boolean).join(", "));
    button.tabIndex = place === this.#at ? 0 : -1; // the arrows go to the others
    if (place === this.#at) button.setAttribute("aria-current", "true");
    else button.removeAttribute("aria-current");
    button.classList.toggle("dropped", photo.dropped);
    say(
      /** @type {Element} */ (button.lastElementChild),
      place === 0 ? "★" : photo.dropped ? "Trash" : "",
    );
  }
}
