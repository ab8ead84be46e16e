/** Dragging, pinching and the wheel over an element, as moves and zooms. */

/**
 * @typedef {{pan: (x: number, y: number) => void, zoom: (by: number, x: number, y: number) => void,
 *   twice: (x: number, y: number) => void}} Moves all in CSS pixels of the window
 */

const WHEEL = 0.0016; // of a zoom per pixel of the wheel
const LINE = 16; // pixels of a line, where a wheel counts lines
const TAP = 300; // milliseconds between two taps
const NEAR = 24; // pixels

/** @param {HTMLElement} element @param {Moves} moves */
export function fingers(element, moves) {
  /** @type {Map<number, {x: number, y: number}>} */
  const down = new Map();
  let tap = { time: 0, x: 0, y: 0 };
  let far = false;

  const spread = () => {
    const [one, other] = [...down.values()];
    return {
      x: (one.x + other.x) / 2,
      y: (one.y + other.y) / 2,
      apart: Math.hypot(one.x - other.x, one.y - other.y) || 1,
    };
  };

  element.addEventListener(
    "wheel",
    (event) => {
      event.preventDefault();
      const pixels =
        event.deltaMode === WheelEvent.DOM_DELTA_LINE ? event.deltaY * LINE : event.deltaY;
      moves.zoom(Math.exp(-pixels * WHEEL * (event.ctrlKey ? 4 : 1)), event.clientX, event.clientY);
    },
    { passive: false },
  );

  element.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    element.setPointerCapture(event.pointerId);
    down.set(event.pointerId, { x: event.clientX, y: event.clientY });
    far = down.size > 1;
  });

  element.addEventListener("pointermove", (event) => {
    const last = down.get(event.pointerId);
    if (!last) return;
    const now = { x: event.clientX, y: event.clientY };
    if (down.size === 1) {
      down.set(event.pointerId, now);
      far ||= Math.hypot(now.x - last.x, now.y - last.y) > 3;
      moves.pan(now.x - last.x, now.y - last.y);
      return;
    }
    if (down.size > 2) return;
    const before = spread();
    down.set(event.pointerId, now);
    const after = spread();
    moves.pan(after.x - before.x, after.y - before.y);
    moves.zoom(after.apart / before.apart, after.x, after.y);
  });

  const up = (/** @type {PointerEvent} */ event) => {
    if (!down.delete(event.pointerId) || event.type === "pointercancel" || far) return;
    const { timeStamp: time, clientX: x, clientY: y } = event;
    const again = time - tap.time < TAP && Math.hypot(x - tap.x, y - tap.y) < NEAR;
    tap = again ? { time: 0, x: 0, y: 0 } : { time, x, y };
    if (again) moves.twice(x, y);
  };
  element.addEventListener("pointerup", up);
  element.addEventListener("pointercancel", up);
}
