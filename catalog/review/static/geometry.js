/**
 * Where one photo lies on another, as affine maps [a, b, c, d, e, f] like those of CSS:
 * x' = a x + c y + e, y' = b x + d y + f.
 *
 * @typedef {[number, number, number, number, number, number]} Affine
 * @typedef {import("./records.js").Photo} Photo
 */

/** What each EXIF orientation does to the unit square. @type {Record<number, Affine>} */
const TURNS = {
  1: [1, 0, 0, 1, 0, 0],
  2: [-1, 0, 0, 1, 1, 0],
  3: [-1, 0, 0, -1, 1, 1],
  4: [1, 0, 0, -1, 0, 1],
  5: [0, 1, 1, 0, 0, 0],
  6: [0, 1, -1, 0, 1, 0],
  7: [0, -1, -1, 0, 1, 1],
  8: [0, -1, 1, 0, 0, 1],
};

/** First `inner`, then `outer`. @param {Affine} outer @param {Affine} inner @returns {Affine} */
export function after(outer, inner) {
  const [a, b, c, d, e, f] = outer;
  const [p, q, r, s, t, u] = inner;
  return [
    a * p + c * q,
    b * p + d * q,
    a * r + c * s,
    b * r + d * s,
    a * t + c * u + e,
    b * t + d * u + f,
  ];
}

/** @param {Affine} map @returns {Affine} */
export function inverse([a, b, c, d, e, f]) {
  const area = a * d - b * c;
  return [d / area, -b / area, -c / area, a / area, (c * f - d * e) / area, (b * e - a * f) / area];
}

/** @param {Affine} map @param {number} x @param {number} y @returns {[number, number]} */
export const moved = ([a, b, c, d, e, f], x, y) => [a * x + c * y + e, b * x + d * y + f];

/** @param {number} width @param {number} height @returns {Affine} */
const scaled = (width, height) => [width, 0, 0, height, 0, 0];

/**
 * The unit square onto what is left between edges.
 * @param {[string, number][]} edges
 * @returns {Affine}
 */
function inside(edges) {
  const { left = 0, right = 0, top = 0, bottom = 0 } = Object.fromEntries(edges);
  return [1 - left - right, 0, 0, 1 - top - bottom, left, top];
}

/**
 * The unit square of a photo onto that of the suggested one.
 *
 * `more` is told in the sides of the photo itself, before it is turned, `lost` in those of the
 * suggested one.
 * @param {Photo} photo
 */
const ontoSuggested = (photo) =>
  after(
    inside(photo.lost),
    after(TURNS[photo.orientation] ?? TURNS[1], inverse(inside(photo.more))),
  );

/**
 * Pixels of one photo onto those of another of its group; both are upright.
 * @param {Photo} photo
 * @param {Photo} onto
 * @returns {Affine}
 */
export function laid(photo, onto) {
  const between = after(inverse(ontoSuggested(onto)), ontoSuggested(photo));
  return after(
    scaled(onto.width, onto.height),
    after(between, scaled(1 / photo.width, 1 / photo.height)),
  );
}

/** How much longer a length becomes. @param {Affine} map */
export const growth = ([a, b, c, d]) => Math.sqrt(Math.abs(a * d - b * c));

/**
 * The box around a picture after a map: left, top, right, bottom.
 * @param {Affine} map @param {{width: number, height: number}} size
 */
export function around(map, { width, height }) {
  const corners = [
    moved(map, 0, 0),
    moved(map, width, 0),
    moved(map, 0, height),
    moved(map, width, height),
  ];
  const xs = corners.map(([x]) => x);
  const ys = corners.map(([, y]) => y);
  return {
    left: Math.min(...xs),
    top: Math.min(...ys),
    right: Math.max(...xs),
    bottom: Math.max(...ys),
  };
}
