/** What `bench review` sees of a page, from within: put into every document before its scripts. */

window.bench = (() => {
  const frame = () => new Promise(requestAnimationFrame);

  /** Once what the frame brought has been drawn. */
  async function painted() {
    await frame();
    await new Promise((done) => {
      const channel = new MessageChannel();
      channel.port1.onmessage = done;
      channel.port2.postMessage(null);
    });
    return performance.now();
  }

  const PATIENCE = 900_000; // milliseconds

  /** The moment at which this was seen to hold. @param {() => boolean} holds */
  async function until(holds, patience = PATIENCE) {
    const end = performance.now() + patience;
    while (!holds()) {
      if (performance.now() > end)
        throw new Error(`waited in vain for ${holds}: ${document.body.innerText.slice(0, 500)}`);
      await frame();
    }
    return painted();
  }

  const list = () => document.getElementById("list");
  const there = () => document.querySelectorAll(".row[data-group]").length > 0;

  /** Milliseconds since 1970 at which the first groups were on the screen. */
  const groups = until(there, Infinity).then((moment) => performance.timeOrigin + moment);

  // -- pictures ----------------------------------------------------------------------------------

  /** The boxes of pictures that somebody sees; null: some of the rows have not come. */
  function inView() {
    const box = list().getBoundingClientRect();
    const seen = (element) => {
      const { top, bottom, height } = element.getBoundingClientRect();
      return height > 0 && bottom > box.top && top < box.bottom;
    };
    const rows = [...document.querySelectorAll(".row")].filter(seen);
    if (!rows.length || rows.some((row) => !row.dataset.group)) return null;
    return rows.flatMap((row) => [...row.querySelectorAll(".frame")].filter(seen));
  }

  const isThere = (box) => {
    const picture = box.querySelector("img");
    return box.querySelector(".failed") || (picture?.complete && picture.naturalWidth > 0);
  };

  /** Waits for all that are in view; how many, when, and how many could not be shown. */
  async function pictures() {
    let boxes = null;
    const moment = await until(() => {
      boxes = inView();
      return boxes !== null && boxes.every(isThere);
    });
    const failed = boxes.filter((box) => box.querySelector(".failed")).length;
    const addresses = boxes.map((box) => box.querySelector("img")?.getAttribute("src"));
    return { moment: performance.timeOrigin + moment, failed, addresses };
  }

  /** From the top, a screen at a time, each once all its pictures are there. */
  async function leaf(screens) {
    const seen = new Set();
    list().scrollTop = 0;
    await frame();
    const begun = performance.now();
    for (let screen = 1; screen <= screens; screen += 1) {
      const { failed, addresses } = await pictures();
      if (failed) throw new Error(`${failed} pictures cannot be shown`);
      for (const address of addresses) seen.add(address);
      list().scrollTop = screen * list().clientHeight;
    }
    return { pictures: seen.size, seconds: (performance.now() - begun) / 1000 };
  }

  // -- scrolling ---------------------------------------------------------------------------------

  /** To the end, by as many pixels each frame: milliseconds of each, and elements at most. */
  async function scroll(pixels) {
    const box = list();
    box.scrollTop = 0;
    await painted();
    const frames = [];
    let elements = 0;
    let last = await frame();
    while (box.scrollTop + box.clientHeight < box.scrollHeight - 1) {
      box.scrollTop += pixels;
      const now = await frame();
      frames.push(now - last);
      last = now;
      if (frames.length % 10 === 0)
        elements = Math.max(elements, document.getElementsByTagName("*").length);
    }
    return { frames, elements };
  }

  /** In the place of this document, as many rows of boxes of the same height. */
  function plain(rows, height, boxes) {
    document.body.innerHTML = `<div id="list"></div>`;
    list().style.cssText = "position: fixed; inset: 0; overflow-y: scroll";
    for (let row = 0; row < rows; row += 1) {
      const element = list().appendChild(document.createElement("div"));
      element.style.height = `${height}px`;
      for (let box = 0; box < boxes; box += 1) {
        const picture = element.appendChild(document.createElement("img"));
        picture.style.cssText = "width: 190px; height: 190px; border: 1px solid";
      }
    }
    return painted();
  }

  // -- deciding ----------------------------------------------------------------------------------

  let decided = null;
  let answered = null;
  new PerformanceObserver((entries) => {
    for (const { name, responseEnd } of entries.getEntries())
      if (name.endsWith("/api/choose")) answered?.(responseEnd);
  }).observe({ type: "resource" });

  document.addEventListener(
    "keydown",
    (event) => {
      const row = document.activeElement?.closest?.(".row");
      if (event.key !== "a" || !row) return;
      const answer = new Promise((done) => (answered = done));
      const shown = until(() => row.classList.contains("decided"));
      const late = new Promise((_, fail) => setTimeout(() => fail(new Error("no answer")), PATIENCE));
      const both = Promise.race([Promise.all([shown, answer]), late]);
      decided = both.then(([seen, told]) => ({
        shown: seen - event.timeStamp,
        told: told - event.timeStamp,
      }));
    },
    { capture: true },
  );

  /** Milliseconds from the last key "a" until its row showed it, and until the server knew. */
  const decision = () => decided ?? Promise.reject(new Error('no row took the key "a"'));

  const csrf = () => document.querySelector('meta[name="imgcat-csrf"]').content;

  async function post(what, body) {
    const headers = { "Content-Type": "application/json", "X-Imgcat": csrf() };
    const answer = await fetch(what, { method: "POST", headers, body: JSON.stringify(body) });
    if (!answer.ok) throw new Error(`${what}: ${await answer.text()}`);
    return answer.json();
  }

  const state = async () => (await fetch("/api/state")).json();

  /** Milliseconds of so many questions, one after the other. */
  async function asked(count) {
    const taken = [];
    for (let number = 0; number < count; number += 1) {
      const begun = performance.now();
      await state();
      taken.push(performance.now() - begun);
    }
    return taken;
  }

  /** The others of every group into the tray; how many groups were not decided before. */
  async function chooseAll() {
    const open = [];
    for (let offset = 0, total = 1; offset < total; offset += 200) {
      const page = await (await fetch(`/api/groups?state=open&count=200&offset=${offset}`)).json();
      open.push(...page.groups);
      total = page.total;
    }
    const seen = ({ id, size, mtime_ns }) => ({ id, size, mtime_ns });
    for (const { group, keep, photos } of open) {
      const kept = photos.find((photo) => photo.id === keep);
      const drop = photos.filter((photo) => photo !== kept).map(seen);
      await post("/api/choose", { group, keep: seen(kept), drop });
    }
    return open.length;
  }

  /** Seconds until the plan is on the screen. */
  async function plan() {
    const begun = performance.now();
    location.hash = "#/plan";
    const button = document.getElementById("apply"); // there all the time, and seen with the plan
    const ready = () => button.clientHeight > 0 && !button.disabled;
    return ((await until(ready)) - begun) / 1000;
  }

  /** Seconds until the receipt is, and what it says. */
  async function apply() {
    const begun = performance.now();
    document.getElementById("apply").click();
    const receipt = () => document.querySelector('[data-testid="receipt"]');
    const seconds = ((await until(() => receipt()?.hidden === false)) - begun) / 1000;
    return { seconds, receipt: (await state()).receipt };
  }

  /** Puts back what the last action took; seconds. */
  async function undo(action) {
    const begun = performance.now();
    await post("/api/undo", { action });
    while (performance.now() < begun + PATIENCE) {
      const { receipt, acting } = await state();
      if (!acting && receipt?.undo) return { seconds: (performance.now() - begun) / 1000, receipt };
      await new Promise((done) => setTimeout(done, 50));
    }
    throw new Error("waited in vain for what was done to be undone");
  }

  return {
    ...{ groups, pictures, leaf, scroll, plain, state },
    ...{ decision, asked, chooseAll, plan, apply, undo },
  };
})();
