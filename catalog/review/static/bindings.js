/** Every key of the page, in the order in which the help lists them. */

/** @typedef {import("./keys.js").Binding} Binding @typedef {import("./keys.js").View} View */

/** @type {View[]} */
const BOTH = ["groups", "closer"];

/** @param {any} page @returns {Binding[]} */
export function bindings(page) {
  return [...deciding(page), ...inGroups(page), ...inCloser(page), ...everywhere(page)];
}

/** @param {any} page @returns {Binding[]} */
function deciding(page) {
  const act = (/** @type {string} */ deed) => () => {
    if (page.view === "closer") return page.inCloser(deed);
    const { row } = page.list;
    if (!row?.group) return;
    // A person sees which group it was, and the next key goes on from there.
    if (!row.element.contains(document.activeElement)) page.list.go(page.list.cursor);
    if (deed === "make-keeper")
      return row.current() && page.choices.makeKeeper(row.group.group, row.current().id);
    page.inList(deed, row.group.group, row.current()?.id);
  };
  return [
    { keys: ["x"], words: "Trash this photo, or not", in: BOTH, run: act("toggle") },
    { keys: ["a"], words: "Trash all others, or take that back", in: BOTH, run: act("trash-all") },
    { keys: ["s"], words: "Make this photo the keeper", in: BOTH, run: act("make-keeper") },
    {
      keys: ["b"],
      words: "Keep both; in the list, all of a group",
      in: BOTH,
      run: act("keep-both"),
    },
    { keys: ["n", " "], words: "Skip to the next open group", in: BOTH, run: () => page.skip() },
    { keys: ["j"], words: "Next group", in: BOTH, run: () => page.beside(1) },
    { keys: ["k"], words: "Previous group", in: BOTH, run: () => page.beside(-1) },
  ];
}

/** @param {any} page @returns {Binding[]} */
function inGroups(page) {
  const { list } = page;
  return [
    { keys: ["ArrowDown"], words: "Next group", in: ["groups"], run: () => page.beside(1) },
    { keys: ["ArrowUp"], words: "Previous group", in: ["groups"], run: () => page.beside(-1) },
    {
      keys: ["ArrowRight"],
      words: "Next photo of the group",
      in: ["groups"],
      run: () => list.row?.step(1),
    },
    {
      keys: ["ArrowLeft"],
      words: "Previous photo of the group",
      in: ["groups"],
      run: () => list.row?.step(-1),
    },
    { keys: ["Home"], words: "First group", in: ["groups"], run: () => list.go(0) },
    { keys: ["End"], words: "Last group", in: ["groups"], run: () => list.go(Infinity) },
    {
      keys: ["Enter"],
      words: "Look closer",
      in: ["groups"],
      run: () => list.row?.group && page.inList("look", list.row.group.group),
    },
  ];
}

/** @param {any} page @returns {Binding[]} */
function inCloser(page) {
  const { closer } = page;
  const { stage } = closer;
  const far = 80; // pixels
  const pan =
    (/** @type {number} */ x, /** @type {number} */ y, /** @type {() => void} */ plain) =>
    (/** @type {KeyboardEvent} */ event) =>
      event.shiftKey ? stage.pan(x * far, y * far) : plain();
  return [
    {
      keys: ["ArrowRight"],
      words: "Next photo of the group",
      in: ["closer"],
      run: pan(-1, 0, () => closer.step(1)),
    },
    {
      keys: ["ArrowLeft"],
      words: "Previous photo of the group",
      in: ["closer"],
      run: pan(1, 0, () => closer.step(-1)),
    },
    {
      keys: ["ArrowDown"],
      words: "Next group (with Shift the arrows move the photos)",
      in: ["closer"],
      run: pan(0, -1, () => page.beside(1)),
    },
    {
      keys: ["ArrowUp"],
      words: "Previous group",
      in: ["closer"],
      run: pan(0, 1, () => page.beside(-1)),
    },
    { keys: ["m"], words: "Next way to compare", in: ["closer"], run: () => stage.nextMode() },
    {
      keys: ["f"],
      words: "Flicker; then change over by hand",
      in: ["closer"],
      run: () => stage.flick(),
    },
    {
      keys: ["d"],
      words: "Difference, and back",
      in: ["closer"],
      run: () => stage.setMode(stage.mode === "difference" ? "side" : "difference"),
    },
    { keys: ["+", "="], words: "Zoom in", in: ["closer"], run: () => stage.zoom(1.5) },
    { keys: ["-"], words: "Zoom out", in: ["closer"], run: () => stage.zoom(1 / 1.5) },
    { keys: ["1"], words: "Actual pixels", in: ["closer"], run: () => stage.actual() },
    { keys: ["0"], words: "Fit", in: ["closer"], run: () => stage.fit() },
    { keys: ["z"], words: "Actual pixels, or fit", in: ["closer"], run: () => stage.turnZoom() },
  ];
}

/** @param {any} page @returns {Binding[]} */
function everywhere(page) {
  const go = (/** @type {string} */ hash) => () => {
    location.hash = hash;
  };
  return [
    { keys: ["u"], words: "Undo the last step", run: () => page.undo() },
    { keys: ["p"], words: "Look at the plan", run: go("#/plan") },
    { keys: ["h"], words: "History", run: go("#/history") },
    { keys: ["Escape"], words: "Back", run: () => page.back() },
    { keys: ["?"], words: "These keys", run: () => page.showKeys() },
  ];
}
