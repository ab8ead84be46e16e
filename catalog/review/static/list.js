/** The view of all groups: a feed of rows of one height, of which only those in view exist. */

import { el } from "./build.js";
import { Pictures } from "./pictures.js";
import { Row } from "./row.js";
import { Scroller } from "./scroller.js";

const SPARE = 2; // rows above and below the view
const REST = 90; // milliseconds without a move, after which pictures are loaded
const QUICK = 1.2; // screens in that time: too quick to see anything
const STILL = 1200; // milliseconds after a touch or click in which nothing is moved by itself
const KEPT = 600; // thumbnails that left the screen

/** @typedef {import("./records.js").Group} Group */

export class List {
  cursor = 0; // place of the group that the keyboard is at
  #listing;
  #choices;
  #pictures = new Pictures(KEPT);
  /** @type {Map<number, Row>} by place */
  #rows = new Map();
  /** @type {Row[]} */
  #free = [];
  #act;
  #scroller;
  #resting = 0;
  #seen = { top: 0, time: 0 };
  #touched = 0;
  #fits = 2;
  #left = 0;

  /**
   * @param {import("./listing.js").Listing} listing
   * @param {import("./choices.js").Choices} choices
   * @param {(deed: import("./row.js").Deed, group: Group, photo?: number) => void} act
   */
  constructor(listing, choices, act) {
    this.#listing = listing;
    this.#choices = choices;
    this.#act = act;
    this.room = el("div.room", { role: "feed", "aria-label": "Groups", "aria-busy": "false" });
    this.nothing = el("p.nothing", { hidden: true });
    this.element = el("div.list", { id: "list", tabindex: "-1" }, this.nothing, this.room);
    this.#scroller = new Scroller(this.element, this.room, () => this.draw());
    listing.addEventListener("loaded", () => this.draw());
    listing.addEventListener("renewed", (event) =>
      this.#renewed(/** @type {CustomEvent} */ (event).detail),
    );
    choices.addEventListener("group", (event) =>
      this.#rebind(/** @type {CustomEvent} */ (event).detail.id),
    );
    new ResizeObserver(() => this.#measure()).observe(this.element);
    this.element.addEventListener("focusin", (/** @type {FocusEvent} */ event) =>
      this.#follow(event),
    );
    for (const what of ["pointerdown", "keydown", "wheel"]) {
      this.element.addEventListener(
        what,
        () => {
          this.#touched = performance.now();
        },
        { passive: true },
      );
    }
  }

  /** The row that has the cursor, if it is on the screen. */
  get row() {
    return this.#rows.get(this.cursor);
  }

  /** @param {string} id */
  rowOf(id) {
    return [...this.#rows.values()].find((row) => row.group?.group === id);
  }

  /** Whether somebody is just at it. */
  get busy() {
    return performance.now() - this.#touched < STILL;
  }

  /** The place that is to stay where it is when the order changes. */
  get anchor() {
    const { from, to } = this.#scroller.range(0);
    if (!this.element.clientHeight) return this.cursor;
    return this.cursor >= from && this.cursor < to ? this.cursor : from;
  }

  /** @param {string} words while there is nothing to list yet */
  wait(words) {
    this.nothing.hidden = false;
    this.nothing.textContent = words;
  }

  /** Moves the cursor, and brings it into view. @param {number} place @param {boolean} [focus] */
  go(place, focus = true) {
    this.cursor = Math.max(0, Math.min(place, this.#listing.total - 1));
    this.#scroller.reveal(this.cursor);
    this.draw();
    if (focus) this.row?.element.focus({ preventScroll: true });
  }

  leave() {
    this.#left = this.#scroller.top;
  }

  /** Where it was left. */
  come() {
    this.#measure();
    this.#scroller.go(this.#left);
    this.draw();
  }

  draw() {
    if (!this.element.isConnected || !this.element.clientHeight) return;
    const { from, to } = this.#scroller.range(SPARE);
    for (const [place, row] of this.#rows) {
      const focused = row.element.contains(document.activeElement);
      if ((place < from || place >= to) && !(focused && place < this.#listing.total))
        this.#release(place, row);
    }
    for (let place = from; place < to; place += 1) if (!this.#rows.has(place)) this.#place(place);
    for (const [place, row] of this.#rows) this.#bind(place, row);
    this.room.setAttribute("aria-busy", String([...this.#rows.values()].some((row) => !row.group)));
    this.#settle(from, to);
  }

  /** @param {number} place */
  #place(place) {
    const row = this.#free.pop() ?? new Row(this.#pictures, this.#act);
    const after = [...this.#rows.keys()].filter((other) => other > place);
    const next = after.length ? (this.#rows.get(Math.min(...after))?.element ?? null) : null;
    this.#rows.set(place, row);
    this.room.insertBefore(row.element, next);
  }

  /** @param {number} place @param {Row} row */
  #release(place, row) {
    this.#rows.delete(place);
    row.bind(-1, 0, undefined, this.#fits);
    row.element.remove();
    this.#free.push(row);
  }

  /** @param {number} place @param {Row} row */
  #bind(place, row) {
    const id = this.#listing.id(place);
    const group = id ? this.#choices.of(id) : undefined;
    if (row.place !== place || row.group !== group || row.cards.length !== this.#fits)
      row.bind(place, this.#listing.total, group, this.#fits);
    row.element.style.setProperty("transform", `translateY(${this.#scroller.place(place)}px)`);
    row.element.tabIndex = place === this.cursor ? 0 : -1;
    row.element.classList.toggle("current", place === this.cursor);
  }

  /** Loads what is in view: at once while it moves slowly, else when it has come to rest. */
  #settle(/** @type {number} */ from, /** @type {number} */ to) {
    const time = performance.now();
    const speed =
      Math.abs(this.#scroller.top - this.#seen.top) / Math.max(1, time - this.#seen.time);
    this.#seen = { top: this.#scroller.top, time };
    clearTimeout(this.#resting);
    const load = () => {
      this.#listing.want(from, to);
      for (const row of this.#rows.values()) row.load();
    };
    if (speed * REST < QUICK * this.element.clientHeight) load();
    else this.#resting = setTimeout(load, REST);
  }

  #measure() {
    if (!this.element.clientHeight) return;
    const style = getComputedStyle(this.element);
    const pixels = (/** @type {string} */ name) => parseFloat(style.getPropertyValue(name));
    const width = Math.min(this.element.clientWidth, pixels("--widest")) - pixels("--beside");
    const fits = Math.max(2, Math.floor(width / pixels("--card")));
    if (fits !== this.#fits) for (const row of [...this.#rows]) this.#release(...row);
    if (fits !== this.#fits) this.#free = [];
    this.#fits = fits;
    this.#scroller.resize(this.#listing.total, pixels("--row"));
    this.draw();
  }

  /** @param {{from: number, to: number, again: boolean}} detail */
  #renewed({ from, to, again }) {
    const { total, ready } = this.#listing;
    const top = this.#scroller.top;
    this.nothing.hidden = total > 0;
    this.nothing.textContent = ready
      ? "No group passes these filters."
      : "Looking for pictures that look alike …";
    this.#measure();
    const height = this.#scroller.place(1) - this.#scroller.place(0);
    this.#left = again ? Math.max(0, this.#left + (to - from) * height) : 0; // where it is hidden
    this.#scroller.go(again ? top + (to - from) * height : 0);
    this.cursor = Math.max(0, Math.min(again ? this.cursor + to - from : 0, total - 1));
    for (const [place, row] of [...this.#rows]) if (place >= total) this.#release(place, row);
    this.draw();
  }

  /** @param {string} id */
  #rebind(id) {
    const row = this.rowOf(id);
    if (row) this.#bind(row.place, row);
    row?.load();
  }

  /** @param {FocusEvent} event */
  #follow(event) {
    const row = /** @type {Element} */ (event.target).closest?.(".row");
    const found = [...this.#rows].find(([, each]) => each.element === row);
    if (!found || found[0] === this.cursor) return;
    this.cursor = found[0];
    for (const [place, each] of this.#rows) this.#bind(place, each);
  }
}
