/** Which view the address names: `#/`, `#/group/s123` (`l123` of what looks alike), `#/plan`, `#/history`. */

/**
 * @typedef {{view: import("./keys.js").View, group: string | null, photo: number | null}} Route
 */

/** @returns {Route} */
export function route() {
  const [, view, first, second] = location.hash.split("/");
  const none = { group: null, photo: null };
  if (view === "group" && /^[sl]\d+$/.test(first ?? "")) {
    return {
      ...none,
      view: "closer",
      group: first,
      photo: /^\d+$/.test(second ?? "") ? Number(second) : null,
    };
  }
  if (view === "plan") return { ...none, view: "plan" };
  if (view === "history") return { ...none, view: "history" };
  return { ...none, view: "groups" };
}

/** Goes there without a new entry to come back to. @param {string} hash */
export function instead(hash) {
  history.replaceState(history.state, "", hash);
}
