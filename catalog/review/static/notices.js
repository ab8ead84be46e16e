/** Short notes that go by themselves, words for screen readers, and what stops everything. */

import { el, say } from "./build.js";

const LONG = 9000; // milliseconds that a note with something to do stays
const SHORT = 5000;
const AWAY = "imgcat-remarks"; // those that were put away

const OVER =
  "This review is over: another one was started. Open the address that imgcat review printed " +
  "last, or run imgcat review again.";
const ENDED = "imgcat review has ended. Start it again with: imgcat review. Your choices are kept.";

export class Notices {
  #toasts = /** @type {HTMLElement} */ (document.getElementById("toasts"));
  #spoken = /** @type {HTMLElement} */ (document.getElementById("spoken"));
  #trouble = /** @type {HTMLElement} */ (document.getElementById("trouble"));
  #remarks = /** @type {HTMLElement} */ (document.getElementById("remarks"));
  #timer = 0;
  #shown = "";

  /** @param {EventTarget} connection */
  constructor(connection) {
    connection.addEventListener("ended", () => say(this.#trouble, ENDED));
    connection.addEventListener("over", () => say(this.#trouble, OVER));
    connection.addEventListener("there", () => say(this.#trouble, ""));
  }

  /**
   * One note at a time, at a place where it covers no button.
   * @param {string} words
   * @param {{words: string, run: () => void}} [offer]
   */
  note(words, offer) {
    clearTimeout(this.#timer);
    const act = () => {
      this.clear();
      offer?.run();
    };
    this.#toasts.replaceChildren(
      el(
        "div.toast",
        {},
        el("span", {}, words),
        offer && el("button", { click: act }, offer.words),
      ),
    );
    this.#timer = setTimeout(() => this.clear(), offer ? LONG : SHORT);
  }

  clear() {
    if (this.#toasts.contains(document.activeElement))
      document.getElementById("main")?.focus({ preventScroll: true });
    this.#toasts.replaceChildren();
  }

  /** For those who do not see it. @param {string} words */
  speak(words) {
    say(this.#spoken, words);
  }

  /** Shown once, until they are put away or are other ones. @param {string[]} remarks */
  remark(remarks) {
    const key = remarks.join("\n");
    if (key === this.#shown) return;
    this.#shown = key;
    this.#remarks.hidden = remarks.length === 0 || sessionStorage.getItem(AWAY) === key;
    const putAway = () => {
      this.#remarks.hidden = true;
      sessionStorage.setItem(AWAY, key);
      document.getElementById("main")?.focus({ preventScroll: true });
    };
    const away = el("button.plain", { click: putAway }, "Put away");
    this.#remarks.replaceChildren(
      el("ul", {}, ...remarks.map((remark) => el("li", {}, remark))),
      away,
    );
  }
}
