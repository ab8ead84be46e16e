/**
 * Pictures of photos as elements, kept for a while: the server forbids the browser to store them.
 */

import { get, Refused } from "./api.js";
import { el } from "./build.js";

/** @typedef {import("./records.js").Photo} Photo @typedef {"thumb" | "view" | "full"} Size */

/** @param {{id: number, v: string}} photo @param {Size} size */
export const address = ({ id, v }, size) => `/picture/${id}/${size}?v=${v}`;

/** Elements that wait to be shown again, the oldest first. */
export class Pictures {
  /** @type {Map<string, HTMLImageElement>} */
  #waiting = new Map();
  #most;

  /** @param {number} most */
  constructor(most) {
    this.#most = most;
  }

  /** A picture that is there already. @param {Photo} photo @param {Size} size */
  take(photo, size) {
    const key = address(photo, size);
    const known = this.#waiting.get(key);
    this.#waiting.delete(key);
    return known ?? null;
  }

  /**
   * Gives one back; what has not come yet is not asked for any more.
   * @param {HTMLImageElement} picture
   */
  give(picture) {
    picture.remove();
    const key = picture.getAttribute("src");
    if (!picture.complete || !picture.naturalWidth || !key) {
      picture.removeAttribute("src");
      return;
    }
    this.#waiting.set(key, picture);
    for (const old of this.#waiting.keys()) {
      if (this.#waiting.size <= this.#most) break;
      this.#waiting.delete(old);
    }
  }

  /** Loads one ahead. @param {Photo} photo @param {Size} size */
  ahead(photo, size) {
    const key = address(photo, size);
    if (this.#waiting.has(key)) return;
    const picture = made(photo, size);
    picture.addEventListener(
      "load",
      () => {
        if (!picture.isConnected) this.give(picture);
      },
      { once: true },
    );
  }
}

/** @param {Photo} photo @param {Size} size @returns {HTMLImageElement} */
export function made(photo, size) {
  return el("img", {
    alt: photo.name,
    src: address(photo, size),
    decoding: "async",
    draggable: "false",
  });
}

/**
 * Why a picture cannot be shown, in words.
 * @param {{id: number, v: string}} photo
 * @param {Size} size
 */
export async function why(photo, size) {
  try {
    await get(address(photo, size));
    return "cannot be shown";
  } catch (error) {
    if (!(error instanceof Refused)) return "not loaded";
    return error.status === 409 ? "it changed since it was found" : error.message;
  }
}
