/** The tray: what would be moved to the trash, the deed itself, and its receipt. */

import { get, post, Refused } from "./api.js";
import { el, say } from "./build.js";
import { address, why } from "./pictures.js";
import { counted, progressWords, size } from "./records.js";

const NAMED = 5; // photos that changed
const LISTED = 24; // photos of a group before the rest is asked for

/**
 * @typedef {{id: number, v: string, name: string, folder: string, size: number}} Small
 * @typedef {Small & {beside?: string[], notes?: string[], why?: string}} Fate
 *   `notes`: what it has that the kept one has not
 * @typedef {{plan: string, words: string, photos: number, companions: number, bytes: number,
 *   groups: {keep: Small, goes: Fate[], stays: Fate[]}[], more: number,
 *   held: number, changed: {name: string, folder: string}[],
 *   state: import("./standing.js").State}} Plan
 *   `held`: photos that stay for a file that belongs to them; `changed`: those that are not what
 *   was chosen any more
 */

export class PlanView {
  /** @type {Plan | null} */
  #plan = null;
  #tray = -1; // its number when the plan was made
  #applied = ""; // the plan that is carried out, or was
  #round = 0;
  #standing;
  #choices;
  #notices;
  #open = false;
  #undo;

  /**
   * @param {import("./standing.js").Standing} standing
   * @param {import("./choices.js").Choices} choices
   * @param {import("./notices.js").Notices} notices
   * @param {(action: number) => void} undo
   */
  constructor(standing, choices, notices, undo) {
    this.#standing = standing;
    this.#undo = undo;
    this.#choices = choices;
    this.#notices = notices;
    this.title = el("h2", { tabindex: "-1" }, "The plan");
    this.words = el("p.plan-words", { "data-testid": "plan-words", role: "status" });
    this.calm = el(
      "p.calm",
      {},
      "Nothing is removed until you say so. What goes to the trash can be brought back.",
    );
    this.notice = el("p.notice", { role: "status" });
    this.changed = el("p.notice.changed", { role: "status" });
    this.along = el("input", { type: "checkbox", change: () => this.#make() });
    this.alongWords = el("span");
    this.alongLabel = el("label.along", { hidden: true }, this.along, this.alongWords);
    this.error = el("p.error", { role: "alert" });
    this.move = el("button.danger", { id: "apply", click: () => this.#apply() });
    this.empty = el("button", { id: "clear", click: () => this.#clear() }, "Empty the tray");
    this.bar = el("progress", { hidden: true, "aria-label": "Moving to the trash" });
    this.receipt = el("div.receipt", { role: "status", "data-testid": "receipt", hidden: true });
    this.groups = el("ol.plan-groups");
    this.element = el(
      "div.page",
      { "data-testid": "plan" },
      el(
        "div.page-head",
        {},
        el("a.button.back", { href: "#/" }, "Back to the groups"),
        this.title,
      ),
      this.words,
      this.calm,
      this.notice,
      this.changed,
      this.error,
      this.alongLabel,
      el("div.plan-buttons", {}, this.move, this.empty),
      this.bar,
      this.receipt,
      this.groups,
    );
    standing.addEventListener("state", () => this.#follow());
  }

  open() {
    this.#open = true;
    this.#applied = "";
    this.#plan = null;
    this.receipt.hidden = true;
    this.along.checked = false;
    say(this.error, "");
    this.#make();
  }

  close() {
    this.#open = false;
  }

  async #make(because = "") {
    const round = (this.#round += 1);
    this.#plan = null;
    this.#buttons();
    say(this.words, "Making the plan …");
    say(this.notice, because);
    say(this.error, "");
    this.calm.hidden = false;
    try {
      const plan = await post("/api/plan", { with_sidecars: this.along.checked });
      if (round !== this.#round) return;
      this.#plan = plan;
      this.#tray = plan.state.tray;
      this.#draw(plan);
    } catch (error) {
      if (round !== this.#round) return;
      say(this.words, "There is no plan.");
      say(this.error, error instanceof Error ? error.message : String(error));
      this.groups.replaceChildren();
    }
    this.#buttons();
  }

  /** @param {Plan} plan */
  #draw(plan) {
    say(
      this.words,
      plan.photos
        ? plan.words
        : plan.groups.length
          ? "Nothing of this can go."
          : "Nothing is in the tray yet.",
    );
    say(this.changed, changedWords(plan.changed));
    this.alongLabel.hidden = !plan.held && !this.along.checked;
    say(
      this.alongWords,
      "Also take along files that belong to a photo and that the kept one has none like" +
        (plan.held ? ` (${counted(plan.held, "photo")} can go then)` : ""),
    );
    const items = plan.groups.map((group) => groupItem(group));
    if (plan.more) items.push(el("li.plan-more", {}, `and ${counted(plan.more, "more group")}`));
    this.groups.replaceChildren(...items);
  }

  #buttons() {
    const photos = this.#plan?.photos ?? 0;
    const acting = Boolean(this.#standing.state?.acting) || this.#applied !== "";
    say(this.move, photos ? `Move ${counted(photos, "photo")} to the trash` : "Move to the trash");
    this.move.disabled = !photos || acting;
    this.empty.disabled = acting || !this.#standing.state?.chosen.photos;
    this.move.hidden = this.empty.hidden =
      this.#applied !== "" || (this.#plan !== null && this.#plan.groups.length === 0);
  }

  async #apply() {
    const plan = this.#plan;
    if (!plan || this.#applied) return;
    this.#applied = plan.plan;
    say(this.notice, "");
    say(this.error, "");
    this.#buttons();
    this.title.focus({ preventScroll: true });
    try {
      await this.#standing.ours(() => post("/api/apply", { plan: plan.plan }));
      this.#standing.soon();
    } catch (error) {
      this.#applied = "";
      if (error instanceof Refused && error.status === 409)
        await this.#make(`${error.message} This is the plan now.`);
      else say(this.error, error instanceof Error ? error.message : String(error));
      this.#buttons();
    }
  }

  async #clear() {
    try {
      await this.#choices.clear();
      this.#notices.note("The tray is empty", {
        words: "Undo",
        run: () => this.#choices.stepBack(),
      });
    } catch (error) {
      say(this.error, error instanceof Error ? error.message : String(error));
    }
  }

  #follow() {
    const { state } = this.#standing;
    if (!this.#open || !state) return;
    const acting = this.#applied ? state.acting : null;
    this.bar.hidden = !acting;
    if (acting) {
      say(this.words, progressWords(acting));
      progress(this.bar, acting);
    }
    if (this.#applied && !acting && state.receipt?.plan === this.#applied)
      this.#done(state.receipt);
    else if (!this.#applied && this.#plan && state.tray !== this.#tray)
      this.#make("The choices changed. This is the plan now.");
    this.#buttons();
  }

  /** @param {import("./standing.js").Receipt} receipt */
  #done(receipt) {
    if (!this.receipt.hidden) return;
    say(
      this.words,
      receipt.stopped || receipt.interrupted ? "It was stopped before the end." : "Done.",
    );
    this.groups.replaceChildren();
    this.calm.hidden = true;
    const { action } = receipt;
    const undo =
      action !== null &&
      el("button", { id: "undo-action", click: () => this.#undo(action) }, "Undo");
    this.receipt.replaceChildren(...receiptWords(receipt), undo || "");
    this.receipt.hidden = false;
  }
}

/** @param {{name: string}[]} photos */
function changedWords(photos) {
  if (!photos.length) return "";
  const names = photos.slice(0, NAMED).map(({ name }) => name);
  if (photos.length > NAMED) names.push(`${counted(photos.length - NAMED, "other")}`);
  return `Changed since you chose, so not in the tray any more: ${names.join(", ")}.`;
}

/** @param {import("./standing.js").Receipt} receipt @returns {Element[]} */
export function receiptWords(receipt) {
  const refused = receipt.refused.map(({ name, folder, why: reason }) =>
    el("li", {}, `${name} in ${folder}: ${reason}`),
  );
  return [
    el("p.receipt-words", {}, receipt.words),
    receipt.stopped && el("p.error", {}, receipt.stopped),
    refused.length && el("p", {}, `${counted(refused.length, "photo")} stayed:`),
    refused.length && el("ul", {}, ...refused),
  ].filter(Boolean);
}

/** @param {HTMLProgressElement} bar @param {import("./standing.js").Doing} doing */
export function progress(bar, { done, total }) {
  if (total) {
    bar.max = total;
    bar.value = done;
  } else bar.removeAttribute("value");
}

/** @param {{keep: Small, goes: Fate[], stays: Fate[]}} group */
function groupItem({ keep, goes, stays }) {
  const rows = [
    ...goes.map((photo) => fate(photo, "goes", "Goes")),
    ...stays.map((photo) => fate(photo, "stays", "Stays")),
  ];
  const list = el("ul.fates", {}, fate(keep, "keeps", "★ Kept"), ...rows.slice(0, LISTED));
  if (rows.length > LISTED) {
    const rest = el(
      "button.plain",
      {
        click: () => {
          rest.remove();
          list.append(...rows.slice(LISTED));
        },
      },
      `Show ${rows.length - LISTED} more`,
    );
    return el("li", {}, list, rest);
  }
  return el("li", {}, list);
}

/** @param {Fate} photo @param {string} kind @param {string} words */
function fate(photo, kind, words) {
  const picture = el("img", {
    alt: "",
    src: address(photo, "thumb"),
    loading: "lazy",
    decoding: "async",
  });
  const box = el("span.fate-picture", {}, picture);
  picture.addEventListener(
    "error",
    async () => {
      box.replaceChildren(el("span.failed", {}, await why(photo, "thumb")));
    },
    { once: true },
  );
  const beside = photo.beside?.length ? `with ${photo.beside.join(", ")}` : "";
  return el(
    `li.fate-item.${kind}`,
    {},
    box,
    el(
      "span.fate-said",
      {},
      el("strong", {}, words),
      el("span.fate-name", {}, photo.name),
      el("span.fate-folder", {}, photo.folder),
      el("span.fate-more", {}, [size(photo.size), beside, photo.why].filter(Boolean).join(" · ")),
      photo.notes?.length ? el("span.fate-notes", {}, photo.notes.join(", ")) : "",
    ),
  );
}
