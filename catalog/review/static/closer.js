/** A closer look at one group: two of its photos on a stage, all of them below, and what to do. */

import { el, pointed, say } from "./build.js";
import { Facts } from "./facts.js";
import {
  allDropped,
  grouped,
  inOrder,
  isWhole,
  KINDS,
  keepAllWords,
  kept,
  loose,
  othersOf,
  stuck,
} from "./records.js";
import { Stage } from "./stage.js";
import { Strip } from "./strip.js";

/**
 * @typedef {"toggle" | "trash-all" | "make-keeper" | "keep-both" | "keep-all" | "next" |
 *   "previous"} Deed
 * @typedef {import("./records.js").Group} Group
 */

/** What decides nothing. @type {Set<Deed>} */
const TURNING = new Set(["next", "previous"]);

export class Closer {
  /** @type {string | null} */
  id = null;
  /** @type {number | null} id of the photo that is compared with the kept one */
  #hand = null;
  #choices;
  stage = new Stage();
  facts = new Facts();
  strip = new Strip((place) => this.pick(place));

  /**
   * @param {import("./choices.js").Choices} choices
   * @param {(deed: Deed) => void} act
   */
  constructor(choices, act) {
    this.#choices = choices;
    this.title = el("h2.title", { tabindex: "-1" });
    this.place = el("span.place");
    this.error = el("p.error", { role: "alert" });
    const button = (/** @type {Deed} */ deed, /** @type {string} */ words, kind = "") =>
      el(
        `button${kind}`,
        {
          "data-deed": deed,
          click: (/** @type {MouseEvent} */ event) => {
            // A double click decides about one group, and the space bar goes on after a click.
            if (event.detail > 1 && !TURNING.has(deed)) return;
            act(deed);
            if (pointed(event)) this.stage.panes.focus({ preventScroll: true });
          },
        },
        words,
      );
    this.buttons = {
      previous: button("previous", "Previous"),
      keeper: button("make-keeper", "Make this the keeper"),
      toggle: button("toggle", "Trash this one"),
      all: button("trash-all", "Trash all others", ".trash-all"),
      both: button("keep-both", "Keep both"),
      every: button("keep-all", "Keep all"),
      next: button("next", "Skip"),
    };
    this.actions = el(
      "div.actions",
      { role: "group", "aria-label": "What to do with this group" },
      ...Object.values(this.buttons),
    );
    this.back = el("a.button.back", { href: "#/" }, "Back to the groups");
    const head = el("div.closer-head", {}, this.back, this.title, this.place);
    this.element = el(
      "div.closer-view",
      { "data-testid": "closer" },
      head,
      this.stage.element,
      this.strip.element,
      this.error,
      this.actions,
      el("section.facts-box", { "aria-label": "Facts" }, this.facts.element),
    );
    choices.addEventListener("group", (event) => {
      if (/** @type {CustomEvent} */ (event).detail.id === this.id) this.#draw(false);
    });
  }

  /** @returns {Group | undefined} */
  get group() {
    return this.id ? this.#choices.of(this.id) : undefined;
  }

  /** The photo that is compared with the kept one. */
  get hand() {
    const photos = this.group ? inOrder(this.group) : [];
    return photos.find((photo, at) => at > 0 && photo.id === this.#hand) ?? photos[1];
  }

  /**
   * @param {string} id
   * @param {number | null} photo
   * @param {number} place -1: unknown
   * @param {number} total
   */
  async open(id, photo, place, total) {
    this.id = id;
    this.#hand = photo;
    this.refuse("");
    this.number(place, total);
    this.#draw(true);
    try {
      await this.#choices.whole(id);
    } catch (error) {
      if (this.id === id) this.refuse(error instanceof Error ? error.message : String(error));
    }
  }

  /** @param {number} place -1: unknown @param {number} total */
  number(place, total) {
    say(this.place, place >= 0 ? `${grouped(place + 1)} of ${grouped(total)}` : "");
  }

  close() {
    this.id = null;
    this.stage.clear();
  }

  /** @param {string} words */
  refuse(words) {
    say(this.error, words);
  }

  /** @param {number} place in the strip */
  pick(place) {
    const group = this.group;
    const photo = group && inOrder(group)[place];
    if (!photo || photo.id === group.keep) return;
    this.#hand = photo.id;
    this.#draw(false);
  }

  /** @param {number} by */
  step(by) {
    const group = this.group;
    if (!group || !this.hand) return;
    const at = inOrder(group).indexOf(this.hand) + by;
    if (at >= 1 && at < group.photos.length) this.pick(at);
  }

  /** @param {boolean} anew */
  #draw(anew) {
    const group = this.group;
    const second = this.hand;
    this.element.classList.toggle("coming", !group);
    if (!group || !second) return;
    if (!isWhole(group)) this.#choices.whole(group.group).catch(() => {});
    const photos = inOrder(group);
    const [first] = photos;
    const fixed = stuck(second, first);
    this.#hand = second.id;
    this.stage.show(first, second, anew);
    say(this.stage.first.label, `★ Keep: ${first.name}`);
    say(
      this.stage.second.label,
      (second.dropped ? "Trash: " : fixed && `${fixed}: `) +
        second.name +
        (second.orientation === first.orientation ? "" : " (turned to match)"),
    );
    this.stage.element.classList.toggle("dropped", second.dropped);
    this.stage.second.label.classList.toggle("dropped", second.dropped);
    this.strip.show(photos, photos.indexOf(second));
    this.strip.element.hidden = photos.length < 3;
    this.facts.show(group, first, second);
    say(this.title, group.gone ?? `${KINDS[group.kind]}, ${grouped(group.count)} photos`);
    this.#bindActions(group, second);
  }

  /** @param {Group} group @param {import("./records.js").Photo} second */
  #bindActions(group, second) {
    const { keeper, toggle, all, both, every } = this.buttons;
    const dropped = allDropped(group);
    say(toggle, second.dropped ? "Keep this one" : "Trash this one");
    toggle.disabled = stuck(second, kept(group)) !== "";
    say(all, dropped ? "Take back" : `Trash ${othersOf(group)}`);
    all.classList.toggle("chosen", dropped);
    all.disabled = loose(group).length === 0;
    all.hidden = group.count === 2;
    every.hidden = group.count === 2;
    say(every, keepAllWords(group));
    for (const button of [keeper, toggle, all, both, every]) if (group.gone) button.disabled = true;
    keeper.disabled = both.disabled = every.disabled = Boolean(group.gone);
  }
}
