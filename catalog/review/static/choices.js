/**
 * What is chosen for each group: shown at once, told to the server in order, and put back where
 * the server refuses. Nothing here removes anything.
 */

import { get, post, Refused } from "./api.js";
import { allDropped, counted, isWhole, kept, loose, othersOf, seen, stuck } from "./records.js";

/**
 * @typedef {import("./records.js").Group} Group
 * @typedef {import("./records.js").Photo} Photo
 * @typedef {{keep: number, drop: Set<number>}} Wish
 */

const MOST = 3000; // groups that are remembered

/**
 * Tells "group" {id} when what is shown of it changed, "refused" {id, words} and "decided" {id,
 * words}.
 */
export class Choices extends EventTarget {
  /** @type {Map<string, Group>} as they are shown */
  #shown = new Map();
  /** @type {Map<string, Group>} as the server told them last */
  #told = new Map();
  /** @type {Map<string, number>} answers that are still to come */
  #waiting = new Map();
  /** @type {Map<string, number>} keepers of groups of which nothing is in the tray yet */
  #keepers = new Map();
  #queue = Promise.resolve();
  #standing;
  #steps;

  /**
   * @param {import("./standing.js").Standing} standing
   * @param {import("./steps.js").Steps} steps
   */
  constructor(standing, steps) {
    super();
    this.#standing = standing;
    this.#steps = steps;
  }

  /** @param {string} id @returns {Group | undefined} */
  of(id) {
    return this.#shown.get(id);
  }

  /** Takes what a list or a look brought. @param {Group} group */
  learn(group) {
    const id = group.group;
    this.#told.delete(id);
    this.#told.set(id, group);
    if (!this.#waiting.get(id)) this.#show(id, group);
    for (const old of this.#told.keys()) {
      if (this.#told.size <= MOST) break;
      if (this.#waiting.get(old)) continue;
      this.#told.delete(old);
      this.#shown.delete(old);
    }
  }

  /**
   * With all its photos, as a list has only the first.
   * @param {string} id
   * @returns {Promise<Group>}
   */
  async whole(id) {
    const known = this.#shown.get(id);
    if (known && isWhole(known)) return known;
    this.learn({ ...(await get(`/api/group/${id}`)), whole: true });
    return /** @type {Group} */ (this.#shown.get(id));
  }

  /** Asks again, as the files may have changed. @param {string} id */
  async again(id) {
    try {
      this.learn({ ...(await get(`/api/group/${id}`)), whole: true });
    } catch (error) {
      if (error instanceof Refused && error.status === 404) this.#vanish(id, "This group is gone.");
    }
  }

  /**
   * Its others into the tray, or all of them out of it again: what the button says that was seen,
   * which of a large group knows only the first photos.
   * @param {string} id
   */
  trashAll(id) {
    const seenGroup = this.#shown.get(id);
    const back = Boolean(seenGroup && allDropped(seenGroup));
    return this.#change(id, (group) => {
      const drop = back ? [] : loose(group);
      if (!back && !drop.length) {
        this.#refuse(id, new Error("All others of this group are protected, or the same file."));
        return null;
      }
      const words = drop.length
        ? `Chosen for the trash: ${othersOf(group, drop.length)}`
        : "Taken out of the tray";
      return {
        keep: group.keep,
        drop: new Set(drop.map((photo) => photo.id)),
        words,
        decided: drop.length > 0,
      };
    });
  }

  /** @param {string} id @param {number} photo its id */
  toggle(id, photo) {
    return this.#change(id, (group) => {
      const drop = dropped(group);
      const one = group.photos.find((each) => each.id === photo);
      if (!one || photo === group.keep || stuck(one, kept(group))) return null;
      if (!drop.delete(photo)) drop.add(photo);
      const words = drop.has(photo) ? `${one.name} is chosen for the trash` : `${one.name} stays`;
      return { keep: group.keep, drop, words, decided: drop.has(photo) && group.count === 2 };
    });
  }

  /**
   * Keeps another one. Where all others were to go, the former keeper now goes with them.
   * @param {string} id @param {number} photo its id
   */
  makeKeeper(id, photo) {
    return this.#change(id, (group) => {
      if (photo === group.keep || !group.photos.some((each) => each.id === photo)) return null;
      const drop = dropped(group);
      const former = kept(group);
      const next = group.photos.find((each) => each.id === photo) ?? former;
      if (allDropped(group)) drop.add(former.id);
      for (const each of group.photos)
        if (each === next || stuck(each, next)) drop.delete(each.id);
      return { keep: photo, drop, words: `${next.name} is the one to keep`, decided: false };
    });
  }

  /**
   * Photos that are no duplicates of each other: remembered for ever.
   * @param {string} id
   * @param {number[]} [only]
   */
  async keepBoth(id, only) {
    const group = await this.whole(id);
    if (group.gone) return;
    const photos = only ? group.photos.filter((photo) => only.includes(photo.id)) : group.photos;
    if (photos.length < 2) return;
    const words = photos.length === 2 ? "Both are kept" : `All ${photos.length} are kept`;
    const all = photos.length === group.count;
    const gone = `${words}, and are not shown together again.`;
    if (all) this.#show(id, { ...clear(group), gone });
    this.#tell("decided", { id, words: gone, on: all, lasting: true });
    const body = { group: id, photos: photos.map(seen) };
    await this.#post(id, "/api/keep-both", body, { words, gone, keep: this.#keepers.get(id) });
  }

  /** Once the server has answered to all that was chosen so far. */
  get settled() {
    return this.#queue;
  }

  /** Takes back the last step of this tab. */
  async stepBack() {
    await this.#queue;
    const last = this.#steps.last;
    if (!last) return null;
    this.#steps.pop();
    if (last.step === null) return this.#keeperBack(last);
    try {
      const { group } = await this.#standing.ours(() =>
        post("/api/step-back", { step: last.step }),
      );
      if (last.group && last.keep !== undefined) this.#keepers.set(last.group, last.keep);
      else if (last.group) this.#keepers.delete(last.group);
      if (group) this.#settle(group.group, group);
      else if (last.group) await this.again(last.group);
      return last;
    } catch (error) {
      this.#refuse(last.group, error);
      return null;
    }
  }

  /**
   * The copies of all groups that are listed and open, into the tray: of identical photos only.
   * @param {Record<string, string>} query
   * @returns {Promise<string>} what came of it, in words
   */
  async chooseAll(query) {
    await this.#queue;
    const { photos, more, step } = await this.#standing.ours(() => post("/api/choose-all", query));
    const words = `Chosen for the trash: ${counted(photos, "identical copy", "identical copies")}`;
    this.#steps.push({ step, group: null, words });
    return more ? `${words}. There are more: choose again after these.` : words;
  }

  /** Empties the tray. */
  async clear() {
    await this.#queue;
    const { step } = await this.#standing.ours(() => post("/api/clear"));
    this.#steps.push({ step, group: null, words: "Emptied the tray" });
  }

  /** @param {import("./steps.js").Step} last */
  #keeperBack(last) {
    const id = /** @type {string} */ (last.group);
    this.#keepers.set(id, /** @type {number} */ (last.keep));
    const told = this.#told.get(id);
    if (told && !this.#waiting.get(id)) this.#show(id, told);
    return last;
  }

  /**
   * @param {string} id
   * @param {(group: Group) => (Wish & {words: string, decided: boolean}) | null} wish
   */
  async #change(id, wish) {
    const known = this.#shown.get(id);
    const group = known && isWhole(known) ? known : await this.whole(id);
    const wished = group.gone ? null : wish(group);
    if (!wished) return;
    const { keep, drop, words, decided } = wished;
    if (drop.size === 0 && dropped(group).size === 0) {
      // The tray knows no keeper without copies that go: it is remembered here.
      if (keep === group.keep) return;
      this.#steps.push({ step: null, group: id, words, keep: group.keep });
      this.#keepers.set(id, keep);
      this.#show(id, { ...group, keep });
      return;
    }
    const before = this.#keepers.get(id);
    if (drop.size) this.#keepers.delete(id);
    else this.#keepers.set(id, keep);
    this.#show(id, chosen(group, { keep, drop }));
    this.#tell("decided", { id, words, on: decided });
    const by = new Map(group.photos.map((photo) => [photo.id, photo]));
    const body = {
      group: id,
      keep: seen(/** @type {Photo} */ (by.get(keep))),
      drop: [...drop].map((each) => seen(/** @type {Photo} */ (by.get(each)))),
    };
    await this.#post(id, "/api/choose", body, { words, gone: "This group is gone.", keep: before });
  }

  /**
   * @param {string} id
   * @param {string} path
   * @param {object} body
   * @param {{words: string, gone: string, keep?: number}} step
   *   what is said of it, and the keeper before
   */
  #post(id, path, body, { words, gone, keep }) {
    this.#waiting.set(id, (this.#waiting.get(id) ?? 0) + 1);
    this.#queue = this.#queue.then(async () => {
      try {
        const { group, step } = await this.#standing.ours(() => post(path, body));
        this.#steps.push({ step, group: id, words, keep });
        this.#arrived(id, group, gone);
      } catch (error) {
        const now = error instanceof Refused ? error.answer.group : undefined;
        if (error instanceof Refused && error.answer.state)
          this.#standing.adopt(error.answer.state);
        this.#keepers.delete(id);
        this.#arrived(id, now === undefined ? this.#told.get(id) : now, "This group is gone.");
        this.#refuse(id, error);
      }
    });
    return this.#queue;
  }

  /** @param {string} id @param {Group | null | undefined} group @param {string} gone */
  #arrived(id, group, gone) {
    const left = (this.#waiting.get(id) ?? 1) - 1;
    if (left > 0) this.#waiting.set(id, left);
    else this.#waiting.delete(id);
    if (group) this.#settle(id, group);
    else this.#vanish(id, gone);
  }

  /** @param {string} id @param {Group} group */
  #settle(id, group) {
    this.#told.set(id, group);
    if (!this.#waiting.get(id)) this.#show(id, group);
  }

  /** @param {string} id @param {string} why */
  #vanish(id, why) {
    const group = this.#shown.get(id);
    if (group && !this.#waiting.get(id))
      this.#show(id, { ...clear(group), gone: group.gone ?? why });
  }

  /** @param {string} id @param {Group} group */
  #show(id, group) {
    const keeper = this.#keepers.get(id);
    const ours =
      keeper !== undefined &&
      dropped(group).size === 0 &&
      group.photos.some((photo) => photo.id === keeper);
    this.#shown.set(id, ours ? { ...group, keep: keeper } : group);
    this.#tell("group", { id });
  }

  /** @param {string | null} id @param {unknown} error */
  #refuse(id, error) {
    this.#tell("refused", { id, words: error instanceof Error ? error.message : String(error) });
  }

  /** @param {string} what @param {object} detail */
  #tell(what, detail) {
    this.dispatchEvent(new CustomEvent(what, { detail }));
  }
}

/** @param {Group} group */
const dropped = (group) =>
  new Set(group.photos.filter((photo) => photo.dropped).map((photo) => photo.id));

/** @param {Group} group @param {Wish} wish @returns {Group} */
const chosen = (group, { keep, drop }) => ({
  ...group,
  keep,
  decided: drop.size > 0,
  photos: group.photos.map((photo) => ({ ...photo, dropped: drop.has(photo.id) })),
});

/** @param {Group} group */
const clear = (group) => chosen(group, { keep: group.keep, drop: new Set() });
