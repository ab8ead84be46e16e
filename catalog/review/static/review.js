/** The page of imgcat review: its views, and what leads from one to the other. */

import { connection, SESSION } from "./api.js";
import { Choices } from "./choices.js";
import { Closer } from "./closer.js";
import { el, say } from "./build.js";
import { Filters } from "./filters.js";
import { HistoryView } from "./history.js";
import { help, listen } from "./keys.js";
import { bindings } from "./bindings.js";
import { List } from "./list.js";
import { Listing } from "./listing.js";
import { Notices } from "./notices.js";
import { PlanView, progress } from "./plan.js";
import { counted, inOrder, progressWords, size } from "./records.js";
import { instead, route } from "./routes.js";
import { Standing } from "./standing.js";
import { Steps } from "./steps.js";

const AGAIN = 400; // milliseconds until it is looked again whether the list may move
const MAKING = 1000; // milliseconds until a list that is being made is asked for again

class Page {
  standing = new Standing();
  steps = new Steps(SESSION);
  notices = new Notices(connection);
  choices = new Choices(this.standing, this.steps);
  listing = new Listing(this.choices);
  filters = new Filters();
  list = new List(this.listing, this.choices, (deed, group, photo) =>
    this.inList(deed, group.group, photo),
  );
  closer = new Closer(this.choices, (deed) => this.inCloser(deed));
  history = new HistoryView(this.standing);
  plan = new PlanView(this.standing, this.choices, this.notices, (action) =>
    this.undoAction(action),
  );
  /** @type {import("./keys.js").View} */
  view = "groups";
  /** @type {Record<string, HTMLElement>} */
  views = {};
  main = /** @type {HTMLElement} */ (document.getElementById("main"));
  /** Opens the list of keys. */
  showKeys = () => {};
  #asked = false;
  #renewing = 0;
  #at = 0; // place of the group that is looked at, or was until it vanished
  #fromList = false; // so that going back is going back

  start() {
    if (!location.hash.startsWith("#/")) instead("#/");
    const groups = el(
      "section.groups-view",
      { "aria-label": "Groups" },
      this.filters.element,
      this.list.element,
    );
    this.views = {
      groups,
      closer: this.closer.element,
      plan: this.plan.element,
      history: this.history.element,
    };
    this.main.append(...Object.values(this.views));
    for (const view of Object.values(this.views)) view.hidden = true;
    const keys = bindings(this);
    const dialog = help(keys);
    this.showKeys = () => dialog.showModal();
    this.#head();
    listen(keys, () => this.view);
    this.#follow();
    addEventListener("hashchange", () => {
      if (location.hash.length > 1 && !location.hash.startsWith("#/"))
        location.reload(); // a token
      else this.show();
    });
    this.show();
    this.standing.start();
  }

  /** What stands above every view. */
  #head() {
    document.getElementById("keys")?.addEventListener("click", this.showKeys);
    document.getElementById("jump")?.addEventListener("click", (event) => {
      event.preventDefault();
      this.main.focus();
    });
    const undo = /** @type {HTMLButtonElement} */ (document.getElementById("undo"));
    const offer = () => {
      undo.disabled = !this.steps.last;
    };
    undo.addEventListener("click", () => this.undo());
    this.steps.addEventListener("change", offer);
    offer();
    for (const link of document.querySelectorAll('a[href="#/"]'))
      link.addEventListener("click", (event) => {
        event.preventDefault();
        this.back();
      });
  }

  /** Shows what the address names. */
  show() {
    const { view, group, photo } = route();
    const before = this.view;
    const last = this.closer.id;
    if (before === "groups" && view !== "groups") this.list.leave();
    if (before === "closer" && view !== "closer") this.closer.close();
    if (before === "plan" && view !== "plan") this.plan.close();
    if (before === "history" && view !== "history") this.history.close();
    this.view = view;
    for (const [name, element] of Object.entries(this.views)) element.hidden = name !== view;
    document.body.dataset.view = view;
    for (const link of document.querySelectorAll("header [data-view]")) {
      if (link.getAttribute("data-view") === view) link.setAttribute("aria-current", "page");
      else link.removeAttribute("aria-current");
    }
    if (view === "groups") this.#showList(before, last);
    if (view === "closer" && group) this.#showCloser(group, photo);
    if (view === "plan") this.plan.open();
    if (view === "history") this.history.open();
    if (view === "plan") this.plan.title.focus({ preventScroll: true });
    if (view === "history") this.history.title.focus({ preventScroll: true });
  }

  /** @param {string} id @param {number} [photo] */
  look(id, photo) {
    const hash = `#/group/${id}${photo ? `/${photo}` : ""}`;
    if (this.view === "closer") {
      instead(hash);
      this.show();
    } else {
      this.#fromList = this.view === "groups";
      location.hash = hash;
    }
  }

  back() {
    if (this.view === "closer" && this.#fromList) {
      this.#fromList = false; // a second Esc before it is there would leave the page
      history.back();
    } else if (this.view !== "groups") location.hash = "#/";
  }

  /** @param {import("./row.js").Deed} deed @param {string} id @param {number} [photo] */
  inList(deed, id, photo) {
    this.list.rowOf(id)?.refuse("");
    if (deed === "look") this.look(id, photo === this.choices.of(id)?.keep ? undefined : photo);
    if (deed === "toggle" && photo !== undefined)
      this.choices.toggle(id, photo).catch((error) => this.#refused(id, error.message));
    if (deed === "trash-all")
      this.choices.trashAll(id).catch((error) => this.#refused(id, error.message));
    if (deed === "keep-both")
      this.choices.keepBoth(id).catch((error) => this.#refused(id, error.message));
  }

  /** @param {import("./closer.js").Deed} deed */
  inCloser(deed) {
    const { id, hand, group } = this.closer;
    if (!id || !group || !hand) return this.#around(deed);
    this.closer.refuse("");
    const refused = (/** @type {Error} */ error) => this.#refused(id, error.message);
    if (deed === "toggle") this.choices.toggle(id, hand.id).catch(refused);
    if (deed === "trash-all") this.choices.trashAll(id).catch(refused);
    if (deed === "make-keeper") this.choices.makeKeeper(id, hand.id).catch(refused);
    if (deed === "keep-both") this.choices.keepBoth(id, [group.keep, hand.id]).catch(refused);
    if (deed === "keep-all") this.choices.keepBoth(id).catch(refused);
    this.#around(deed);
  }

  /** To the next group that is open, in whichever view. */
  async skip() {
    const place = this.listing.place(this.closer.id ?? "");
    const gone = place < 0 ? this.#at - 1 : place; // the next one has taken its place
    const from = this.view === "closer" ? gone : this.list.cursor;
    const id = (await this.listing.nextOpen(from + 1)) ?? (await this.listing.nextOpen(0));
    if (!id)
      this.notices.note("Every group of this list is decided.", {
        words: "Look at the plan",
        run: () => {
          location.hash = "#/plan";
        },
      });
    else if (this.view === "closer") this.look(id);
    else this.list.go(this.listing.place(id));
  }

  /** Takes back the last step of this tab, and shows what it was about. */
  async undo() {
    await this.choices.settled; // what was just chosen is a step once the server has it
    if (!this.steps.last) return this.notices.note("There is nothing to undo.");
    const last = await this.choices.stepBack();
    if (!last) return;
    this.notices.note(`Undone: ${last.words}`);
    if (!last.group) return this.#renewSoon();
    const place = this.listing.place(last.group);
    if (this.view === "closer" && last.group !== this.closer.id) this.look(last.group);
    if (this.view === "groups" && place >= 0) this.list.go(place);
  }

  /** @param {number} action as the history counts them */
  undoAction(action) {
    location.hash = "#/history";
    this.history.undo(action);
  }

  /** @param {import("./closer.js").Deed} deed */
  async #around(deed) {
    if (deed === "next") this.skip();
    if (deed === "previous") this.beside(-1);
  }

  /** The group before or after, decided or not. @param {number} by */
  async beside(by) {
    if (this.view === "groups")
      return this.list.go(
        this.list.row?.element.contains(document.activeElement)
          ? this.list.cursor + by
          : this.list.cursor,
      );
    const place = this.listing.place(this.closer.id ?? "");
    const id = await this.listing.at(place + by);
    if (id && place >= 0) this.look(id);
  }

  /**
   * @param {import("./keys.js").View} before
   * @param {string | null} last the group that was looked at
   */
  #showList(before, last) {
    document.title = "imgcat review";
    this.list.come();
    const place = last && before === "closer" ? this.listing.place(last) : -1;
    if (place >= 0) this.list.go(place);
  }

  /** @param {string} id @param {number | null} photo */
  async #showCloser(id, photo) {
    const place = this.listing.place(id);
    this.#at = Math.max(0, place);
    document.title = place >= 0 ? `Group ${place + 1} – imgcat review` : "imgcat review";
    if (!this.closer.actions.contains(document.activeElement))
      this.closer.stage.panes.focus({ preventScroll: true });
    await this.closer.open(id, photo, place, this.listing.total);
    if (this.closer.id !== id) return;
    if (document.activeElement === document.body)
      this.closer.stage.panes.focus({ preventScroll: true });
    this.notices.speak([this.closer.place.textContent, this.closer.title.textContent].join(": "));
    if (place < 0) return;
    const next = await this.listing.nextOpen(place + 1);
    const group = next && (await this.choices.whole(next).catch(() => null));
    if (group && this.closer.id === id) this.closer.stage.ahead(inOrder(group).slice(0, 2));
  }

  #follow() {
    this.standing.addEventListener("state", () => this.#state());
    this.standing.addEventListener("elsewhere", (event) =>
      this.#elsewhere(/** @type {CustomEvent} */ (event).detail),
    );
    this.filters.addEventListener("change", () => this.listing.ask(this.filters.query));
    this.filters.addEventListener("all", () => this.#chooseAll());
    for (const what of ["renewed", "loaded"])
      this.listing.addEventListener(what, () => this.filters.tell(this.listing));
    this.listing.addEventListener("renewed", () => {
      if (!this.listing.ready) setTimeout(() => this.listing.ask(this.filters.query), MAKING);
    });
    this.listing.addEventListener("renewed", (event) => {
      if (!this.closer.id) return;
      const place = this.listing.place(this.closer.id);
      this.#at = place < 0 ? /** @type {CustomEvent} */ (event).detail.to : place;
      this.closer.number(place, this.listing.total);
    });
    this.listing.addEventListener("failed", (event) =>
      this.notices.note(/** @type {CustomEvent} */ (event).detail.words),
    );
    this.choices.addEventListener("refused", (event) => {
      const { id, words } = /** @type {CustomEvent} */ (event).detail;
      this.#refused(id, words);
    });
    this.choices.addEventListener("decided", (event) =>
      this.#decided(/** @type {CustomEvent} */ (event).detail),
    );
  }

  #state() {
    const { state } = this.standing;
    if (!state) return;
    const { found, chosen, finding, acting, offline, remarks, fresh } = state;
    const text = (/** @type {string} */ id, /** @type {string} */ words) =>
      say(/** @type {Element} */ (document.getElementById(id)), words);
    text(
      "totals",
      state.ready
        ? `${counted(found.groups, "group")} of ${counted(found.photos, "photo")}, ` +
            `${size(found.bytes)} to gain${fresh ? "" : ", as last indexed"}`
        : "",
    );
    text(
      "chosen",
      chosen.photos
        ? `${counted(chosen.photos, "photo")} in the tray, ${size(chosen.bytes)}`
        : "Nothing in the tray",
    );
    document.getElementById("look-at-plan")?.classList.toggle("quiet", !chosen.photos);
    const doing = finding ?? (this.view === "plan" || this.view === "history" ? null : acting);
    const bar = /** @type {HTMLProgressElement} */ (document.getElementById("working"));
    bar.hidden = !doing;
    if (doing) progress(bar, doing);
    text("working-words", doing ? progressWords(doing) : "");
    const trouble = state.trouble ? [state.trouble] : [];
    this.notices.remark([...trouble, ...offline, ...remarks]);
    if (!state.ready)
      this.list.wait(state.trouble || (finding ? progressWords(finding) : "Looking for copies …"));
    if (state.ready && !this.#asked) {
      this.#asked = true;
      if (state.alike) this.filters.begin("all");
      this.listing.ask(this.filters.query);
      this.filters.loadFolders().catch(() => {});
    }
  }

  async #chooseAll() {
    try {
      const words = await this.choices.chooseAll(this.filters.query);
      this.notices.note(words, { words: "Undo", run: () => this.undo() });
    } catch (error) {
      this.notices.note(error instanceof Error ? error.message : String(error));
    }
    this.#renewSoon();
  }

  /** @param {{answer: boolean}} changed */
  #elsewhere({ answer }) {
    if (!this.#asked) return;
    this.#renewSoon();
    if (this.closer.id) this.choices.again(this.closer.id);
    if (answer) this.filters.loadFolders().catch(() => {});
  }

  /** As soon as nobody has the finger on it. */
  #renewSoon() {
    clearTimeout(this.#renewing);
    if (this.view === "groups" && this.list.busy)
      this.#renewing = setTimeout(() => this.#renewSoon(), AGAIN);
    else this.listing.renew(this.view === "closer" ? this.#at : this.list.anchor);
  }

  /** @param {string | null} id @param {string} words */
  #refused(id, words) {
    if (this.view === "closer" && this.closer.id === id) return this.closer.refuse(words);
    const row = id && this.view === "groups" ? this.list.rowOf(id) : null;
    if (row) row.refuse(words);
    else this.notices.note(words, id ? { words: "Look", run: () => this.look(id) } : undefined);
  }

  /** @param {{id: string, words: string, on: boolean, lasting?: boolean}} detail */
  #decided({ id, words, on, lasting }) {
    const undo = { words: "Undo", run: () => this.undo() };
    if (this.view === "closer" && this.closer.id === id && on) {
      this.notices.note(words, undo);
      this.skip();
    } else if (lasting) this.notices.note(words, undo);
    else this.notices.speak(words);
  }
}

new Page().start();
