/** Two photos laid over each other or side by side, with one zoom for both. */

import { el, say } from "./build.js";
import { after, around, laid } from "./geometry.js";
import { fingers } from "./fingers.js";
import { Pane } from "./pane.js";
import { Pictures } from "./pictures.js";

/**
 * @typedef {import("./records.js").Photo} Photo
 * @typedef {"side" | "slider" | "flicker" | "difference"} Mode
 */

/** @type {Record<Mode, string>} */
export const MODES = {
  side: "Side by side",
  slider: "Slider",
  flicker: "Flicker",
  difference: "Difference",
};
const BEAT = 500; // milliseconds: twice a second
const DEEPEST = 32; // screen pixels per pixel
const KEPT = 14; // views of photos that left the stage
const calm = matchMedia("(prefers-reduced-motion: reduce)");

export class Stage extends EventTarget {
  /** @type {Mode} */
  mode = "side";
  #pictures = new Pictures(KEPT);
  #fit = true;
  #scale = 1; // CSS pixels per pixel of the kept photo
  #centre = { x: 0, y: 0 }; // of the view, in pixels of the kept photo
  #box = { left: 0, top: 0, right: 1, bottom: 1 }; // around both
  /** @type {import("./geometry.js").Affine} */
  #laid = [1, 0, 0, 1, 0, 0];
  #divider = 50; // per cent
  #beat = 0;

  constructor() {
    super();
    this.first = new Pane(this.#pictures, "first");
    this.second = new Pane(this.#pictures, "second");
    this.handle = el("div.handle", {
      role: "slider",
      tabindex: "0",
      "aria-label": "Edge between the two photos",
      "aria-valuemin": "0",
      "aria-valuemax": "100",
    });
    this.panes = el(
      "div.panes",
      { tabindex: "-1", role: "group", "aria-label": "Photos", "data-testid": "stage" },
      this.first.element,
      this.second.element,
      this.handle,
    );
    this.labels = el("div.labels", {}, this.first.label, this.second.label);
    this.buttons = Object.entries(MODES).map(([mode, words]) =>
      el(
        "button",
        {
          "data-mode": mode,
          "aria-pressed": "false",
          click: () => this.setMode(/** @type {Mode} */ (mode)),
        },
        words,
      ),
    );
    this.pause = el(
      "button.pause",
      { click: () => (this.#beating ? this.#stop() : this.#start()) },
      "Pause",
    );
    this.scaleWords = el("span.scale", { "aria-live": "off" });
    const zooms = [
      { sign: "−", words: "Zoom out", click: () => this.zoom(1 / 1.5) },
      { sign: "+", words: "Zoom in", click: () => this.zoom(1.5) },
      { sign: "Fit", words: "Fit", click: () => this.fit() },
      { sign: "1:1", words: "Actual pixels", click: () => this.actual() },
    ];
    this.tools = el(
      "div.tools",
      { role: "toolbar", "aria-label": "How the photos are compared" },
      el("div.modes", {}, ...this.buttons, this.pause),
      el(
        "div.zooms",
        {},
        ...zooms.map(({ sign, words, click }) =>
          el("button", { "aria-label": words, title: words, click }, sign),
        ),
        this.scaleWords,
      ),
    );
    this.element = el(
      "section.stage",
      { "aria-label": "Comparison" },
      this.tools,
      this.panes,
      this.labels,
    );
    new ResizeObserver(() => this.draw()).observe(this.panes);
    fingers(this.panes, {
      pan: (x, y) => this.pan(x, y),
      zoom: (by, x, y) => this.zoom(by, ...this.#inPane(x, y)),
      twice: (x, y) => (this.#fit ? this.actual(...this.#inPane(x, y)) : this.fit()),
    });
    this.#slide();
    this.setMode("side");
  }

  /**
   * @param {Photo} first the kept one
   * @param {Photo} second
   * @param {boolean} anew another group: fit it
   */
  show(first, second, anew) {
    const changed = first.id !== this.first.photo?.id || second.id !== this.second.photo?.id;
    const framed = first.id === this.first.photo?.id && !anew;
    this.first.show(first);
    this.second.show(second);
    if (changed) {
      this.#laid = laid(second, first);
      const other = around(this.#laid, second);
      this.#box = {
        left: Math.min(0, other.left),
        top: Math.min(0, other.top),
        right: Math.max(first.width, other.right),
        bottom: Math.max(first.height, other.bottom),
      };
      if (!framed) this.#fit = true;
      if (this.mode === "flicker") this.#start();
    }
    this.draw();
  }

  clear() {
    this.#stop();
    this.first.clear();
    this.second.clear();
  }

  /** Loads the views of photos that come next. @param {Photo[]} photos */
  ahead(photos) {
    for (const photo of photos) this.#pictures.ahead(photo, "view");
  }

  /** @param {Mode} mode */
  setMode(mode) {
    this.mode = mode;
    this.element.dataset.mode = mode;
    for (const button of this.buttons)
      button.setAttribute("aria-pressed", String(button.dataset.mode === mode));
    this.pause.hidden = mode !== "flicker";
    this.handle.hidden = mode !== "slider";
    this.#show(true, true);
    if (mode === "flicker" && !calm.matches) this.#start();
    else this.#stop();
    this.draw();
  }

  nextMode() {
    const all = /** @type {Mode[]} */ (Object.keys(MODES));
    this.setMode(all[(all.indexOf(this.mode) + 1) % all.length]);
  }

  /** Into flicker; there, changes over by hand. */
  flick() {
    if (this.mode !== "flicker") return this.setMode("flicker");
    this.#stop();
    this.#swap();
  }

  fit() {
    this.#fit = true;
    this.draw();
  }

  /**
   * One pixel of the kept photo on one of the screen.
   * @param {number} [x]
   * @param {number} [y] in the pane
   */
  actual(x, y) {
    this.zoom(1 / devicePixelRatio / this.#scale, x, y);
  }

  /** Between all of it and its pixels. */
  turnZoom() {
    if (this.#fit) this.actual();
    else this.fit();
  }

  /**
   * @param {number} by
   * @param {number} [x]
   * @param {number} [y] the point that stays, in the pane
   */
  zoom(by, x, y) {
    const { width, height } = this.#size;
    const least = this.#fitting;
    const scale = Math.max(
      Math.min(least, 1 / devicePixelRatio),
      Math.min(DEEPEST / devicePixelRatio, this.#scale * by),
    );
    const dx = (x ?? width / 2) - width / 2;
    const dy = (y ?? height / 2) - height / 2;
    this.#centre.x += dx / this.#scale - dx / scale;
    this.#centre.y += dy / this.#scale - dy / scale;
    this.#scale = scale;
    this.#fit = Math.abs(scale / least - 1) < 0.001;
    this.draw();
  }

  /** @param {number} x @param {number} y CSS pixels */
  pan(x, y) {
    this.#centre.x -= x / this.#scale;
    this.#centre.y -= y / this.#scale;
    this.#fit = false;
    this.draw();
  }

  draw() {
    const { width, height } = this.#size;
    if (!this.first.photo || !width) return;
    const { left, top, right, bottom } = this.#box;
    if (this.#fit) {
      this.#scale = this.#fitting;
      this.#centre = { x: (left + right) / 2, y: (top + bottom) / 2 };
    }
    this.#centre.x = Math.max(left, Math.min(right, this.#centre.x));
    this.#centre.y = Math.max(top, Math.min(bottom, this.#centre.y));
    const { x, y } = this.#centre;
    const scale = this.#scale;
    /** @type {import("./geometry.js").Affine} */
    const view = [scale, 0, 0, scale, width / 2 - x * scale, height / 2 - y * scale];
    this.first.lay(view);
    this.second.lay(after(view, this.#laid));
    say(this.scaleWords, `${Math.round(scale * devicePixelRatio * 100)} %`);
    this.#divide();
  }

  /** Of one pane. */
  get #size() {
    return { width: this.first.element.clientWidth, height: this.first.element.clientHeight };
  }

  get #fitting() {
    const { width, height } = this.#size;
    const { left, top, right, bottom } = this.#box;
    return Math.min(width / (right - left), height / (bottom - top), 4 / devicePixelRatio);
  }

  /** @param {number} x @param {number} y of the window @returns {[number, number]} */
  #inPane(x, y) {
    const all = this.panes.getBoundingClientRect();
    const one = this.#size;
    const gap = (/** @type {number} */ whole, /** @type {number} */ part) =>
      whole > part * 1.5 ? whole - part : Infinity; // where the second pane begins
    const right = x - all.left;
    const down = y - all.top;
    const [across, along] = [gap(all.width, one.width), gap(all.height, one.height)];
    return [right >= across ? right - across : right, down >= along ? down - along : down];
  }

  #divide() {
    const at = this.#divider;
    this.handle.setAttribute("aria-valuenow", String(Math.round(at)));
    this.panes.style.setProperty("--divider", `${at}%`);
  }

  #slide() {
    const to = (/** @type {number} */ value) => {
      this.#divider = Math.max(0, Math.min(100, value));
      this.#divide();
    };
    this.handle.addEventListener("pointerdown", (/** @type {PointerEvent} */ event) => {
      event.stopPropagation();
      this.handle.setPointerCapture(event.pointerId);
    });
    this.handle.addEventListener("pointermove", (/** @type {PointerEvent} */ event) => {
      if (!this.handle.hasPointerCapture(event.pointerId)) return;
      const { left, width } = this.panes.getBoundingClientRect();
      to(((event.clientX - left) / width) * 100);
    });
    this.handle.addEventListener("keydown", (/** @type {KeyboardEvent} */ event) => {
      const by = { ArrowLeft: -2, ArrowRight: 2, PageDown: -10, PageUp: 10, Home: -100, End: 100 }[
        event.key
      ];
      if (by === undefined) return;
      event.preventDefault();
      event.stopPropagation();
      to(this.#divider + by);
    });
    this.#divide();
  }

  get #beating() {
    return this.#beat !== 0;
  }

  #start() {
    this.#stop();
    this.#beat = setInterval(() => this.#swap(), BEAT);
    say(this.pause, "Pause");
  }

  #stop() {
    clearInterval(this.#beat);
    this.#beat = 0;
    say(this.pause, "Go on");
    if (this.mode !== "flicker") this.#show(true, true);
    else if (!this.element.dataset.seen) this.#show(true, false);
  }

  #swap() {
    const first = this.element.dataset.seen === "first";
    this.#show(!first, first);
  }

  /** @param {boolean} first @param {boolean} second */
  #show(first, second) {
    this.element.dataset.seen = first && second ? "" : first ? "first" : "second";
  }
}
