/** What was moved to the trash, and the way back. */

import { get, post } from "./api.js";
import { el, say } from "./build.js";
import { progress, receiptWords } from "./plan.js";
import { progressWords } from "./records.js";

/**
 * @typedef {{id: number, when: string, words: string, deed: string, undone: boolean, undoable:
 *   boolean}} Action
 */

export class HistoryView {
  #standing;
  #open = false;
  #undoing = false; // an undo of this page is on its way
  #seen = false; // and the server was seen at it

  /** @param {import("./standing.js").Standing} standing */
  constructor(standing) {
    this.#standing = standing;
    this.title = el("h2", { tabindex: "-1" }, "History");
    this.words = el("p.plan-words", { role: "status" });
    this.error = el("p.error", { role: "alert" });
    this.bar = el("progress", { hidden: true, "aria-label": "Bringing back" });
    this.receipt = el("div.receipt", { role: "status", "data-testid": "receipt", hidden: true });
    this.actions = el("ol.actions-done", { "data-testid": "history" });
    this.element = el(
      "div.page",
      {},
      el(
        "div.page-head",
        {},
        el("a.button.back", { href: "#/" }, "Back to the groups"),
        this.title,
      ),
      this.words,
      this.error,
      this.bar,
      this.receipt,
      this.actions,
    );
    standing.addEventListener("state", () => this.#follow());
  }

  async open() {
    this.#open = true;
    this.receipt.hidden = true;
    say(this.error, "");
    await this.#load();
  }

  close() {
    this.#open = false;
  }

  /** @param {number} action */
  async undo(action) {
    if (this.#undoing) return;
    this.#undoing = true;
    this.#seen = false;
    this.receipt.hidden = true;
    say(this.error, "");
    this.#bind();
    try {
      const { state } = await this.#standing.ours(() => post("/api/undo", { action }));
      this.#seen = Boolean(state?.acting) || this.#seen;
      this.#standing.soon();
    } catch (error) {
      this.#undoing = false;
      say(this.error, error instanceof Error ? error.message : String(error));
      this.#bind();
    }
  }

  async #load() {
    try {
      const { actions } = await get("/api/history");
      say(this.words, actions.length ? "" : "Nothing was moved to the trash yet.");
      this.actions.replaceChildren(
        ...actions.map((/** @type {Action} */ action) => this.#item(action)),
      );
    } catch (error) {
      say(this.error, error instanceof Error ? error.message : String(error));
    }
    this.#bind();
  }

  /** @param {Action} action */
  #item({ id, when, words, undone, undoable }) {
    const undo = el(
      "button.undo",
      { "data-action": id, "aria-label": `Undo: ${words}`, click: () => this.undo(id) },
      "Undo",
    );
    const end = undone ? el("span.undone", {}, "Undone") : undoable ? undo : "";
    return el("li", {}, el("time", {}, when), el("span.done-words", {}, words), end);
  }

  #bind() {
    const acting = this.#undoing || Boolean(this.#standing.state?.acting);
    for (const button of this.actions.querySelectorAll("button")) button.disabled = acting;
  }

  #follow() {
    const { state } = this.#standing;
    if (!state) return;
    const { acting, receipt } = state;
    if (this.#undoing && acting) this.#seen = true;
    const done = this.#undoing && !acting && receipt?.undo;
    this.bar.hidden = !(acting && this.#open);
    if (acting && this.#open) {
      say(this.words, progressWords(acting));
      progress(this.bar, acting);
    }
    if (!done) return;
    this.#undoing = false;
    this.receipt.replaceChildren(...receiptWords(receipt));
    this.receipt.hidden = false;
    if (this.#open) this.#load();
  }
}
