/** What was decided in this tab, so that it can be taken back step by step; survives a reload. */

const NAME = "imgcat-steps";
const MOST = 500;

/** @typedef {{step: number | null, group: string | null, words: string, keep?: number}} Step
 *    `step` as the server counts them; null: the keeper was chosen, which only this tab knows.
 *    `keep` is the keeper that only this tab knew before */

/** Tells "change" when there is another last one. */
export class Steps extends EventTarget {
  /** @type {Step[]} */
  #steps = [];
  #session;

  /** @param {string} session names that of the server: another one counts its steps anew */
  constructor(session) {
    super();
    this.#session = session;
    const kept = JSON.parse(sessionStorage.getItem(NAME) ?? "{}");
    if (kept.session === session) this.#steps = kept.steps;
  }

  /** @param {Step} step */
  push(step) {
    this.#steps = [...this.#steps, step].slice(-MOST);
    this.#store();
  }

  /** @returns {Step | undefined} */
  pop() {
    const last = this.#steps.pop();
    this.#store();
    return last;
  }

  get last() {
    return this.#steps.at(-1);
  }

  #store() {
    this.dispatchEvent(new Event("change"));
    try {
      sessionStorage.setItem(NAME, JSON.stringify({ session: this.#session, steps: this.#steps }));
    } catch {
      // no room: they live until the page is left
    }
  }
}
