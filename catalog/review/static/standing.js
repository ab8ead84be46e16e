/** How things stand at the server, asked for again and again while somebody looks. */

import { get } from "./api.js";

const CALM = 2000; // milliseconds between two questions
const BUSY = 300; // while something is being found or done
const FIRST = 80; // while there is nothing to show yet

/**
 * @typedef {{what: string, done: number, total: number | null}} Doing
 * @typedef {{plan: string | null, undo: boolean, action: number | null, words: string,
 *   refused: {name: string, folder: string, why: string}[], stopped: string,
 *   interrupted: boolean}} Receipt
 * @typedef {{answer: number, tray: number, finding: Doing | null, ready: boolean,
 *   found: {groups: number, photos: number, bytes: number},
 *   chosen: {groups: number, photos: number, bytes: number}, acting: Doing | null,
 *   receipt: Receipt | null, fresh: boolean, alike: boolean, offline: string[], remarks: string[],
 *   trouble: string}} State
 */

/** Tells "state" after each answer, and "elsewhere" when groups or choices changed without us. */
export class Standing extends EventTarget {
  /** @type {State | null} */
  state = null;
  #timer = 0;
  #posts = 0; // on the way: what is polled meanwhile may be older than their answers

  start() {
    document.addEventListener("visibilitychange", () => this.soon());
    return this.#ask();
  }

  /** Asks at once, as something has begun. */
  soon() {
    clearTimeout(this.#timer);
    if (!document.hidden) this.#ask();
  }

  /**
   * Runs something that changes the tray, so that its changes are not taken for somebody else's.
   * @template {{state?: State}} Answer
   * @param {() => Promise<Answer>} posting
   */
  async ours(posting) {
    this.#posts += 1;
    try {
      const answer = await posting();
      if (answer.state) this.adopt(answer.state);
      return answer;
    } finally {
      this.#posts -= 1;
    }
  }

  /** @param {State} state as an answer of ours brought it */
  adopt(state) {
    this.state = state;
    this.dispatchEvent(new Event("state"));
  }

  async #ask() {
    clearTimeout(this.#timer);
    const before = this.#posts;
    try {
      const state = await get("/api/state");
      if (before === 0 && this.#posts === 0) this.#compare(state);
    } catch {
      // the connection has told; it is tried again
    }
    clearTimeout(this.#timer);
    if (!document.hidden) this.#timer = setTimeout(() => this.#ask(), this.#pause);
  }

  get #pause() {
    const { state } = this;
    if (!state || state.trouble) return CALM;
    if (!state.ready) return FIRST;
    return state.finding || state.acting ? BUSY : CALM;
  }

  /** @param {State} state */
  #compare(state) {
    const known = this.state;
    this.adopt(state);
    if (!known || (known.answer === state.answer && known.tray === state.tray)) return;
    const detail = { answer: known.answer !== state.answer };
    this.dispatchEvent(new CustomEvent("elsewhere", { detail }));
  }
}
