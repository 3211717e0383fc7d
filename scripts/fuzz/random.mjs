/**
 * Random numbers that a seed decides (mulberry32).
 *
 * @typedef {object} Random
 * @property {() => number} next in [0, 1)
 * @property {(n: number) => number} below a whole number below n
 * @property {<T>(list: readonly T[]) => T} pick
 */

/** @returns {Random} */
export function random(/** @type {number} */ seed) {
  let a = seed | 0;
  const next = () => {
    a = (a + 0x6d2b79f5) | 0;
    let t = Math.imul(a ^ (a >>> 15), 1 | a);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
  const below = (/** @type {number} */ n) => Math.floor(next() * n);
  return { next, below, pick: (list) => list[below(list.length)] };
}

/** A number of 32 bits from text (FNV-1a), so that each input has random numbers of its own. */
export function hash(/** @type {string} */ text) {
  let h = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) h = Math.imul(h ^ text.charCodeAt(i), 0x01000193);
  return h >>> 0;
}
