/** One photo of a row: its picture in a fixed box, what it is, and whether it stays. */

import { el, say } from "./build.js";
import { made, why } from "./pictures.js";
import { pixels, size, stuck } from "./records.js";

/** @typedef {import("./records.js").Photo} Photo */

export class Card {
  /** @type {Photo | null} */
  photo = null;
  #pictures;
  /** @type {HTMLImageElement | null} */
  #picture = null;
  #failed = el("span.failed");

  /**
   * @param {import("./pictures.js").Pictures} pictures
   * @param {(what: "look" | "toggle", photo: Photo, event: MouseEvent) => void} act
   */
  constructor(pictures, act) {
    this.#pictures = pictures;
    const tell = (/** @type {"look" | "toggle"} */ what) => (/** @type {MouseEvent} */ event) =>
      this.photo && act(what, this.photo, event);
    this.frame = el("button.frame", { click: tell("look") });
    this.toss = el("button.toss", { click: tell("toggle") }, "Trash");
    this.stays = el("span.stays");
    this.name = el("span.name");
    this.facts = el("span.facts");
    this.element = el(
      "div.card",
      {},
      this.frame,
      el("div.said", {}, this.name, this.facts),
      el("div.fate", {}, this.stays, this.toss),
    );
  }

  /**
   * @param {Photo | null} photo
   * @param {Photo} first the one that is kept
   * @param {boolean} fixed nothing can be chosen
   */
  bind(photo, first, fixed) {
    this.element.hidden = !photo;
    if (!photo || photo.id !== this.photo?.id || photo.v !== this.photo?.v) this.#change(photo);
    this.photo = photo;
    if (!photo) return;
    const keeper = photo === first;
    say(this.name, photo.name);
    this.name.title = `${photo.folder}/${photo.name}`;
    say(this.facts, [pixels(photo), size(photo.size), ...photo.notes].join(" · "));
    this.facts.title = photo.notes.join(", ");
    this.frame.setAttribute("aria-label", `Look closer at ${photo.name}`);
    this.element.classList.toggle("keeper", keeper);
    this.element.classList.toggle("dropped", photo.dropped);
    const stays = keeper ? "★ Keep" : stuck(photo, first);
    say(this.stays, stays);
    this.stays.hidden = !stays;
    this.toss.hidden = Boolean(stays);
    this.toss.disabled = fixed;
    this.toss.setAttribute("aria-pressed", String(photo.dropped));
    this.toss.setAttribute("aria-label", `Trash ${photo.name}`);
  }

  /** Loads the picture, once the list has come to rest. */
  load() {
    if (!this.photo || this.#picture || this.#failed.isConnected) return;
    this.#put(made(this.photo, "thumb"));
  }

  /** @param {Photo | null} photo */
  #change(photo) {
    if (this.#picture) this.#pictures.give(this.#picture);
    this.#picture = null;
    this.#failed.remove();
    const ready = photo && this.#pictures.take(photo, "thumb");
    if (ready) this.#put(ready);
  }

  /** @param {HTMLImageElement} picture */
  #put(picture) {
    this.#picture = picture;
    picture.alt = "";
    picture.onerror = () => this.#fail(picture);
    this.frame.append(picture);
  }

  /** @param {HTMLImageElement} picture */
  async #fail(picture) {
    const photo = this.photo;
    if (!photo || this.#picture !== picture || !picture.getAttribute("src")) return;
    const words = await why(photo, "thumb");
    if (this.#picture !== picture) return;
    picture.remove();
    this.#picture = null;
    say(this.#failed, words);
    this.frame.append(this.#failed);
  }
}
