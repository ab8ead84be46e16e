/** What the keys do in each view, and the list of them. */

import { el } from "./build.js";

/**
 * @typedef {"groups" | "closer" | "plan" | "history"} View
 * @typedef {{keys: string[], words: string, run: (event: KeyboardEvent) => void, in?: View[],
 *   quiet?: boolean}} Binding `in`: none is all views; `quiet`: not in the list
 */

/** @type {Record<string, string>} */
const NAMES = {
  ArrowUp: "↑",
  ArrowDown: "↓",
  ArrowLeft: "←",
  ArrowRight: "→",
  " ": "Space",
  Escape: "Esc",
};
const NATIVE = new Set(["Enter", " "]); // what a focused button or link does by itself

/** @param {Binding[]} bindings @param {() => View} view */
export function listen(bindings, view) {
  document.addEventListener("keydown", (event) => {
    if (
      event.ctrlKey ||
      event.metaKey ||
      event.altKey ||
      event.defaultPrevented ||
      event.isComposing
    )
      return;
    const target = /** @type {Element} */ (event.target);
    if (document.querySelector("dialog[open]")) return;
    if (target.closest("input, select, textarea") && event.key !== "Escape") return;
    if (NATIVE.has(event.key) && target.closest("button, a, summary")) return;
    const found = bindings.find(
      (binding) => binding.keys.includes(event.key) && (!binding.in || binding.in.includes(view())),
    );
    if (!found) return;
    event.preventDefault();
    if (event.repeat && !found.keys.some((key) => key.startsWith("Arrow") || "jk+-=".includes(key)))
      return;
    if (target.matches("input, select, textarea")) /** @type {HTMLElement} */ (target).blur();
    found.run(event);
  });
}

/** The list of keys as a dialog. @param {Binding[]} bindings */
export function help(bindings) {
  const row = (/** @type {Binding} */ { keys, words }) =>
    el(
      "tr",
      {},
      el(
        "td",
        {},
        ...keys.flatMap((/** @type {string} */ key, /** @type {number} */ at) => [
          at ? " " : "",
          el("kbd", {}, NAMES[key] ?? key),
        ]),
      ),
      el("td", {}, words),
    );
  const table = (
    /** @type {string} */ title,
    /** @type {(binding: Binding) => boolean} */ passes,
  ) =>
    el(
      "table",
      {},
      el("caption", {}, title),
      el("tbody", {}, ...bindings.filter((binding) => !binding.quiet && passes(binding)).map(row)),
    );
  const only = (/** @type {View} */ view) => (/** @type {Binding} */ binding) =>
    binding.in?.length === 1 && binding.in[0] === view;
  const close = el("button", { click: () => dialog.close() }, "Close");
  const dialog = el(
    "dialog.help",
    { "aria-labelledby": "help-title" },
    el("div.help-head", {}, el("h2", { id: "help-title" }, "Keys"), close),
    el(
      "div.help-tables",
      {},
      table("Deciding", ({ in: views }) => views?.length === 2),
      table("Among the groups", only("groups")),
      table("Looking closer", only("closer")),
      table("Everywhere", ({ in: views }) => !views),
    ),
  );
  dialog.addEventListener("click", (/** @type {MouseEvent} */ event) => {
    if (event.target === dialog) dialog.close();
  });
  dialog.addEventListener("keydown", (/** @type {KeyboardEvent} */ event) => {
    if (event.key !== "?") return;
    event.preventDefault(); // else the page opens it again
    dialog.close();
  });
  document.body.append(dialog);
  return dialog;
}
