/**
 * Scrolls through any number of rows of one height.
 *
 * Browsers cut elements off at some 17 million pixels, so a longer list is moved by a shift: small
 * moves are exact, a jump of the scroll bar goes to its part of the whole.
 */

const LONGEST = 8_000_000; // pixels
const FAR = 4; // screens: a move that no finger or wheel makes at once

export class Scroller {
  #box;
  #room;
  #count = 0;
  #height = 1;
  #shift = 0; // pixels of the whole above the room
  #last = 0;

  /**
   * @param {HTMLElement} box that scrolls
   * @param {HTMLElement} room inside it, as high as all rows
   * @param {() => void} moved
   */
  constructor(box, room, moved) {
    this.#box = box;
    this.#room = room;
    box.addEventListener(
      "scroll",
      () => {
        this.#follow();
        moved();
      },
      { passive: true },
    );
    box.addEventListener("scrollend", () => this.#centre());
  }

  /** Pixels of the whole above what is in view. */
  get top() {
    return this.#box.scrollTop + this.#shift;
  }

  /** @param {number} count @param {number} height pixels of a row */
  resize(count, height) {
    const row = this.top / this.#height;
    const same = count === this.#count && height === this.#height;
    if (same) return;
    this.#count = count;
    this.#height = height;
    this.#room.style.setProperty("height", `${Math.min(this.#whole, LONGEST)}px`);
    this.go(row * height);
  }

  /** The rows in view, and some around them. @param {number} more */
  range(more) {
    const from = Math.floor(this.top / this.#height) - more;
    const to = Math.ceil((this.top + this.#box.clientHeight) / this.#height) + more;
    return { from: Math.max(0, from), to: Math.min(this.#count, to) };
  }

  /** Where a row lies in the room, in pixels. @param {number} row */
  place(row) {
    return row * this.#height - this.#shift;
  }

  /** @param {number} top in pixels of the whole */
  go(top) {
    const end = Math.max(0, this.#whole - this.#box.clientHeight);
    const wanted = Math.max(0, Math.min(top, end));
    this.#shift = this.#whole <= LONGEST ? 0 : Math.round((wanted / end) * (this.#whole - LONGEST));
    this.#box.scrollTop = wanted - this.#shift;
    this.#last = this.#box.scrollTop;
  }

  /** Brings a row into view, by as little as that takes. @param {number} row */
  reveal(row) {
    const top = row * this.#height;
    const high = this.#box.clientHeight;
    if (top < this.top) this.go(top);
    else if (top + this.#height > this.top + high)
      this.go(Math.min(top, top + this.#height - high));
  }

  get #whole() {
    return this.#count * this.#height;
  }

  #follow() {
    const now = this.#box.scrollTop;
    const jump = Math.abs(now - this.#last) > FAR * this.#box.clientHeight;
    this.#last = now;
    if (this.#whole <= LONGEST) return;
    const end = LONGEST - this.#box.clientHeight;
    if (jump || now <= 0 || now >= end) {
      this.#shift = Math.round((now / end) * (this.#whole - LONGEST));
    }
  }

  /**
   * After a long way by small moves the scroll bar is put where it belongs; nothing is seen of it.
   */
  #centre() {
    if (this.#whole > LONGEST) this.go(this.top);
  }
}
