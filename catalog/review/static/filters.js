/** Which groups are listed, and in which order; remembered as long as the tab lives. */

import { get } from "./api.js";
import { el, say } from "./build.js";
import { counted, size } from "./records.js";

const NAME = "imgcat-filters";
const MEGABYTE = 1_000_000;
const NONE = { grade: "both", state: "all", sort: "bytes", folder: "", min: "", from: "", to: "" };
const GRADES = {
  both: "Copies",
  identical: "Identical",
  same: "Same picture",
  similar: "Looks alike",
  all: "All of these",
};
const STATES = { all: "All", open: "Open", decided: "Decided" };
const SORTS = {
  bytes: "Most to gain",
  newest: "Newest",
  oldest: "Oldest",
  score: "Least alike",
  folder: "Folder",
};

/** Tells "change" with another question, and "all" where every group listed is to be chosen. */
export class Filters extends EventTarget {
  /** @type {Record<string, string>} */
  #values = { ...NONE, ...JSON.parse(sessionStorage.getItem(NAME) ?? "{}") };
  /** @type {Record<string, HTMLSelectElement | HTMLInputElement>} */
  #fields = {};

  constructor() {
    super();
    this.count = el("p.count", { role: "status", "data-testid": "count" });
    this.all = el(
      "button.all",
      { hidden: true, click: () => this.dispatchEvent(new Event("all")) },
      "Trash the copies of all of these",
    );
    this.reset = el("button.plain", { click: () => this.#set(NONE) }, "Clear filters");
    const seldom = el(
      "div.seldom",
      {},
      this.#choice("folder", "Folder", { "": "All folders" }),
      this.#input("min", "At least (MB)", {
        type: "number",
        min: "0",
        step: "any",
        inputmode: "decimal",
      }),
      this.#input("from", "Taken from", { type: "date" }),
      this.#input("to", "to", { type: "date" }),
    );
    this.details = el("details.further", {}, el("summary", {}, "More filters"), seldom);
    this.element = el(
      "form.filters",
      { "aria-label": "Filters", submit: (/** @type {Event} */ event) => event.preventDefault() },
      this.#choice("grade", "Show", GRADES),
      this.#choice("state", "State", STATES),
      this.#choice("sort", "Sort", SORTS),
      this.details,
      this.reset,
      this.all,
      this.count,
    );
    this.#fill();
    this.details.open = ["folder", "min", "from", "to"].some((name) => this.#values[name]);
  }

  /** As the server understands it. */
  get query() {
    const { min, ...others } = this.#values;
    return { ...others, min: Number(min) > 0 ? String(Math.round(Number(min) * MEGABYTE)) : "" };
  }

  /** What is listed at first, where nobody has said otherwise. @param {string} grade */
  begin(grade) {
    if (sessionStorage.getItem(NAME) !== null) return;
    this.#values.grade = grade;
    this.#fill();
  }

  /** @param {{total: number, bytes: number, ready: boolean}} listing */
  tell({ total, bytes, ready }) {
    // Nobody has to look at copies of equal bytes one by one.
    this.all.hidden = !(ready && total && this.#values.grade === "identical");
    say(this.count, ready ? `${counted(total, "group")}, ${size(bytes)} to gain` : "");
  }

  async loadFolders() {
    const { folders } = await get("/api/folders");
    const field = this.#fields.folder;
    const options = folders.map(
      (/** @type {{id: number, name: string, groups: number}} */ { id, name, groups }) =>
        el("option", { value: id }, `${name} (${groups})`),
    );
    field.replaceChildren(el("option", { value: "" }, "All folders"), ...options);
    field.value = this.#values.folder;
    if (field.value !== this.#values.folder) this.#set({ ...this.#values, folder: "" });
  }

  /** @param {string} name @param {string} label @param {Record<string, string>} choices */
  #choice(name, label, choices) {
    const options = Object.entries(choices).map(([value, words]) => el("option", { value }, words));
    return this.#field(name, label, el("select", {}, ...options));
  }

  /** @param {string} name @param {string} label @param {Record<string, string>} kind */
  #input(name, label, kind) {
    return this.#field(name, label, el("input", kind));
  }

  /** @param {string} name @param {string} label @param {any} field */
  #field(name, label, field) {
    this.#fields[name] = field;
    field.name = name;
    field.addEventListener("change", () => this.#set({ ...this.#values, [name]: field.value }));
    return el("label.field", {}, el("span", {}, label), field);
  }

  /** @param {Record<string, string>} values */
  #set(values) {
    this.#values = { ...values };
    sessionStorage.setItem(NAME, JSON.stringify(this.#values));
    this.#fill();
    this.dispatchEvent(new Event("change"));
  }

  #fill() {
    for (const [name, field] of Object.entries(this.#fields)) field.value = this.#values[name];
    const set = Object.entries(NONE).some(
      ([name, value]) => name !== "sort" && this.#values[name] !== value,
    );
    this.reset.hidden = !set;
  }
}
