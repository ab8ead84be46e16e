/** Asks the server of this page. Every answer is JSON, every refusal has words for a person. */

const CSRF = document.querySelector('meta[name="imgcat-csrf"]')?.getAttribute("content") ?? "";

/** Names this session of the server, without telling its secret. */
export const SESSION = [...CSRF]
  .reduce((sum, letter) => (sum * 31 + letter.charCodeAt(0)) >>> 0, 7)
  .toString(36);

/** The server said no; `answer` is what it sent with it. */
export class Refused extends Error {
  /**
   * @param {number} status
   * @param {Record<string, any>} answer
   */
  constructor(status, answer) {
    super(answer.error ?? `the server answered with ${status}`);
    this.status = status;
    this.answer = answer;
  }
}

/** Nobody answers any more: imgcat review has ended. */
export class Ended extends Error {}

/** Tells "ended", "over" (another session) and "there" whenever an answer shows it. */
export const connection = new EventTarget();

/** @param {"ended" | "over" | "there"} what */
const tell = (what) => connection.dispatchEvent(new Event(what));

/**
 * @param {string} path
 * @param {RequestInit} options
 */
async function asked(path, options) {
  let answer;
  try {
    answer = await fetch(path, { credentials: "same-origin", ...options });
  } catch (error) {
    if (options.signal?.aborted) throw error;
    tell("ended");
    throw new Ended("imgcat review has ended");
  }
  tell(answer.status === 401 ? "over" : "there");
  const said = answer.status === 204 ? {} : await answer.json().catch(() => ({}));
  if (!answer.ok) throw new Refused(answer.status, said);
  return said;
}

/**
 * @param {string} path
 * @param {{query?: Record<string, any>, signal?: AbortSignal}} [how]
 */
export function get(path, { query = {}, signal } = {}) {
  const given = Object.entries(query).filter(([, value]) => value !== "" && value != null);
  const asks = new URLSearchParams(given.map(([name, value]) => [name, String(value)])).toString();
  return asked(asks ? `${path}?${asks}` : path, { signal });
}

/**
 * @param {string} path
 * @param {Record<string, any>} [body]
 */
export function post(path, body = {}) {
  return asked(path, {
    method: "POST",
    headers: { "Content-Type": "application/json", "X-Imgcat": CSRF },
    body: JSON.stringify(body),
  });
}
