/**
 * The groups that pass the filters, in their order; loaded by pages, as far as they are looked at.
 */

import { get } from "./api.js";

const PAGE = 40;
const NEXT_TO = 8; // rows around it that are loaded before the new order is shown
const AROUND = 3; // pages in which a group is looked for when the answer changed

/**
 * Tells "loaded" when groups arrived, "renewed" when the order is another one, "failed" {words}.
 */
export class Listing extends EventTarget {
  total = 0;
  bytes = 0;
  ready = false;
  /** @type {Record<string, string>} */
  query = {};
  /** @type {Map<number, string>} ids of groups by their place */
  #ids = new Map();
  /** @type {Map<string, number>} */
  #places = new Map();
  /** @type {Set<number>} places whose group the server no longer lists, as it was decided here */
  #left = new Set();
  /** @type {Map<number, AbortController & {done: Promise<void>}>} by page */
  #loading = new Map();
  #round = 0;
  #choices;

  /** @param {import("./choices.js").Choices} choices */
  constructor(choices) {
    super();
    this.#choices = choices;
    choices.addEventListener("group", (event) =>
      this.#follow(/** @type {CustomEvent} */ (event).detail.id),
    );
  }

  /** @param {number} place */
  id(place) {
    return this.#ids.get(place);
  }

  /** @param {string} id -1: not among those that were loaded */
  place(id) {
    return this.#places.get(id) ?? -1;
  }

  /** Another question. @param {Record<string, string>} query */
  async ask(query) {
    this.query = query;
    await this.#renew([], 0);
  }

  /**
   * Asks again, as groups or choices changed elsewhere.
   * @param {number} anchor the place that is to stay where it is on the screen
   */
  async renew(anchor) {
    const near = [];
    for (let at = anchor; at < anchor + PAGE; at += 1) near.push(this.#ids.get(at));
    for (let at = anchor - 1; at > anchor - PAGE; at -= 1) near.push(this.#ids.get(at));
    await this.#renew(/** @type {string[]} */ (near.filter(Boolean)), anchor);
  }

  /** Loads the pages of these places; those that nobody waits for any more are not loaded. */
  want(/** @type {number} */ from, /** @type {number} */ to) {
    if (!this.ready) return;
    const first = Math.floor(from / PAGE);
    const last = Math.floor(Math.max(from, Math.min(to, this.total) - 1) / PAGE);
    for (const [page, controller] of this.#loading)
      if (page < first - 1 || page > last + 1) controller.abort();
    for (let page = first; page <= last; page += 1) this.#load(page);
  }

  /** The first group from a place on that is not decided; null: there is none. */
  async nextOpen(/** @type {number} */ from) {
    const round = this.#round;
    for (let at = Math.max(0, from); at < this.total; at += 1) {
      if (!this.#ids.has(at)) await this.#load(Math.floor(at / PAGE));
      if (round !== this.#round) return null;
      const id = this.#ids.get(at);
      const group = id && this.#choices.of(id);
      if (group && !group.decided && !group.gone) return id;
      if (id && !group) return id; // forgotten: asked for when it is shown
    }
    return null;
  }

  /** @param {number} place */
  async at(place) {
    if (place < 0 || place >= this.total) return null;
    if (!this.#ids.has(place)) await this.#load(Math.floor(place / PAGE));
    return this.#ids.get(place) ?? null;
  }

  /** Keeps count of what the server would no longer list. @param {string} id */
  #follow(id) {
    const place = this.place(id);
    const group = this.#choices.of(id);
    if (place < 0 || !group) return;
    const { state = "all" } = this.query;
    const out =
      group.gone || (state === "open" && group.decided) || (state === "decided" && !group.decided);
    if (out) this.#left.add(place);
    else this.#left.delete(place);
  }

  /** @param {number} place */
  #offset(place) {
    let before = 0;
    for (const left of this.#left) if (left < place) before += 1;
    return place - before;
  }

  /** @param {number} page */
  async #load(page) {
    if (this.#ids.has(page * PAGE) || this.#loading.has(page) || page * PAGE >= this.total) {
      return this.#loading.get(page)?.done;
    }
    const controller = Object.assign(new AbortController(), {
      done: Promise.resolve(),
    });
    this.#loading.set(page, controller);
    controller.done = this.#fetched(page, controller);
    return controller.done;
  }

  /** @param {number} page @param {AbortController} controller */
  async #fetched(page, controller) {
    const round = this.#round;
    try {
      const answer = await this.#page(this.#offset(page * PAGE), controller.signal);
      if (round !== this.#round) return;
      this.#put(page * PAGE, answer.groups);
      this.dispatchEvent(new Event("loaded"));
    } catch {
      // told by the connection, or nobody waits for it any more
    } finally {
      if (this.#loading.get(page) === controller) this.#loading.delete(page);
    }
  }

  /** @param {number} offset @param {AbortSignal} [signal] */
  #page(offset, signal) {
    return get("/api/groups", { query: { ...this.query, offset, count: PAGE }, signal });
  }

  /** @param {number} from @param {import("./records.js").Group[]} groups */
  #put(from, groups) {
    groups.forEach((group, at) => {
      this.#ids.set(from + at, group.group);
      this.#places.set(group.group, from + at);
      this.#choices.learn(group);
    });
  }

  /** @param {string[]} near ids, the best first @param {number} anchor */
  async #renew(near, anchor) {
    const round = (this.#round += 1);
    for (const controller of this.#loading.values()) controller.abort();
    this.#loading.clear();
    const middle = Math.floor(this.#offset(anchor) / PAGE);
    const order = near.length
      ? [...Array(AROUND).keys()].flatMap((far) => (far ? [middle + far, middle - far] : [middle]))
      : [middle];
    /** @type {Map<number, any>} */
    const pages = new Map();
    let to = -1;
    for (const page of order) {
      if (page < 0 || to >= 0) continue;
      const answer = await this.#page(page * PAGE).catch((error) => this.#fail(error));
      if (round !== this.#round) return;
      if (!answer) break;
      pages.set(page, answer);
      const found = this.#find(near, pages);
      if (found >= 0 || page * PAGE > answer.total) to = found;
    }
    const last = [...pages.values()].at(-1);
    if (!last) return;
    const place = to < 0 ? Math.min(anchor, last.total - 1) : to;
    for (const at of [place - NEXT_TO, place + NEXT_TO]) {
      const page = Math.floor(at / PAGE);
      if (!near.length || at < 0 || at >= last.total || pages.has(page)) continue;
      const answer = await this.#page(page * PAGE).catch(() => null);
      if (round !== this.#round) return;
      if (answer) pages.set(page, answer);
    }
    this.#swap(pages, last, anchor, place, near.length > 0);
  }

  /** @param {Error} error */
  #fail(error) {
    this.dispatchEvent(new CustomEvent("failed", { detail: { words: error.message } }));
    return null;
  }

  /** @param {string[]} near @param {Map<number, any>} pages */
  #find(near, pages) {
    for (const id of near) {
      for (const [page, { groups }] of pages) {
        const at = groups.findIndex((/** @type {{group: string}} */ group) => group.group === id);
        if (at >= 0) return page * PAGE + at;
      }
    }
    return -1;
  }

  /**
   * @param {Map<number, any>} pages
   * @param {any} answer
   * @param {number} from
   * @param {number} to
   * @param {boolean} again
   */
  #swap(pages, answer, from, to, again) {
    this.#ids.clear();
    this.#places.clear();
    this.#left.clear();
    this.total = answer.total ?? 0;
    this.bytes = answer.bytes ?? 0;
    this.ready = answer.ready !== false;
    for (const [page, { groups }] of pages) this.#put(page * PAGE, groups);
    this.dispatchEvent(
      new CustomEvent("renewed", { detail: { from, to: Math.max(0, to), again } }),
    );
  }
}
