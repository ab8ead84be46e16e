/**
 * One photo on the stage: the small picture first, then the view, then all pixels where they show.
 */

import { el, say } from "./build.js";
import { growth } from "./geometry.js";
import { made, why } from "./pictures.js";

const VIEW = 1600; // longest side of a view, in pixels
const WORTH = 1.15; // so much more than a view has must be asked for, before all pixels are loaded
const ACTUAL = 0.99; // from about one screen pixel per pixel, pixels are wanted as they are
const COARSE = 2.5; // screen pixels per pixel, from which pixels are shown as squares
const REST = 180; // milliseconds

/** @typedef {import("./records.js").Photo} Photo @typedef {import("./pictures.js").Size} Size */

export class Pane {
  /** @type {Photo | null} */
  photo = null;
  #pictures;
  /** @type {Map<Size, HTMLImageElement>} */
  #layers = new Map();
  #later = 0;

  /** @param {import("./pictures.js").Pictures} pictures @param {string} name */
  constructor(pictures, name) {
    this.#pictures = pictures;
    this.sheet = el("div.sheet");
    this.label = el("p.label");
    this.failed = el("p.failed", { hidden: true });
    this.element = el(`div.pane.${name}`, {}, this.sheet, this.failed);
  }

  /** @param {Photo} photo */
  show(photo) {
    if (photo.id === this.photo?.id && photo.v === this.photo?.v) {
      this.photo = photo;
      return;
    }
    this.clear();
    this.photo = photo;
    this.sheet.style.setProperty("width", `${photo.width}px`);
    this.sheet.style.setProperty("height", `${photo.height}px`);
    this.#add("thumb");
    this.#add("view");
  }

  clear() {
    clearTimeout(this.#later);
    for (const picture of this.#layers.values()) this.#pictures.give(picture);
    this.#layers.clear();
    this.failed.hidden = true;
    this.photo = null;
  }

  /** @param {import("./geometry.js").Affine} map from pixels of the photo to those of the pane */
  lay(map) {
    this.sheet.style.setProperty("transform", `matrix(${map.join(",")})`);
    if (!this.photo) return;
    const scale = growth(map) * devicePixelRatio;
    this.sheet.classList.toggle("coarse", scale > COARSE);
    const longest = Math.max(this.photo.width, this.photo.height);
    clearTimeout(this.#later);
    const wanted = Math.min(VIEW * WORTH, longest * ACTUAL);
    if (longest > VIEW && scale * longest > wanted && !this.#layers.has("full")) {
      this.#later = setTimeout(() => this.#add("full"), REST);
    }
  }

  /** @param {Size} size */
  #add(size) {
    const photo = this.photo;
    if (!photo || this.#layers.has(size)) return;
    const picture = this.#pictures.take(photo, size) ?? made(photo, size);
    picture.alt = size === "view" ? photo.name : "";
    picture.dataset.size = size;
    this.#layers.set(size, picture);
    picture.onerror = () => this.#fail(picture, size);
    const there = () => {
      if (this.#layers.get(size) === picture) this.#place(picture, size);
    };
    if (picture.complete && picture.naturalWidth) there();
    else picture.decode().then(there, () => {});
  }

  /**
   * In the order of their sizes, as one covers the other.
   * @param {HTMLImageElement} picture
   * @param {Size} size
   */
  #place(picture, size) {
    if (size === "thumb") this.sheet.prepend(picture);
    else if (size === "full") this.sheet.append(picture);
    else
      this.sheet.insertBefore(
        picture,
        this.#layers.get("full")?.isConnected
          ? /** @type {Node} */ (this.#layers.get("full"))
          : null,
      );
  }

  /** @param {HTMLImageElement} picture @param {Size} size */
  async #fail(picture, size) {
    const photo = this.photo;
    if (!photo || size !== "view" || this.#layers.get(size) !== picture) return;
    say(this.failed, await why(photo, size));
    this.failed.hidden = this.photo !== photo;
  }
}
