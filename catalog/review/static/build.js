/** Builds elements. Text is always a text node: no name of a file is ever read as HTML. */

/**
 * @param {string} what a tag with classes, such as "button.primary"
 * @param {Record<string, any>} [given] attributes; functions become listeners, null is left out
 * @param {...(Node | string | null | undefined | false)} children
 * @returns {any}
 */
export function el(what, given = {}, ...children) {
  const [tag, ...classes] = what.split(".");
  const made = /** @type {any} */ (document.createElement(tag));
  if (classes.length) made.className = classes.join(" ");
  if (tag === "button") made.type = "button";
  for (const [name, value] of Object.entries(given)) {
    if (typeof value === "function") made.addEventListener(name, value);
    else if (value != null && value !== false) made.setAttribute(name, value === true ? "" : value);
  }
  made.append(...children.filter((child) => child != null && child !== false));
  return made;
}

/**
 * Sets the text only where it changed, so that nothing is announced or drawn again.
 * @param {Element} element
 * @param {string} text
 */
export function say(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/** Whether a click came from a finger or a mouse, not from the keyboard. */
export const pointed = (/** @type {MouseEvent} */ event) => event.detail > 0;
