/** What was decided in this tab, so that it can be taken back step by step; survives a reload. */

const NAME = "imgcat-steps";
const MOST = 500;

/** @typedef {{step: number | null, group: string | null, words: string, keep?: number}} Step
 *    `step` as the server counts them; null: the keeper was chosen, which only this tab knows */

export class Steps {
  /** @type {Step[]} */
  #steps = JSON.parse(sessionStorage.getItem(NAME) ?? "[]");

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
    try {
      sessionStorage.setItem(NAME, JSON.stringify(this.#steps));
    } catch {
      // no room: they live until the page is left
    }
  }
}
