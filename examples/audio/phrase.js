/** A phrase of plucked strings to play with: generated, like all that the network was trained on. */
export const RATE = 48000;

const NOTES = [110, 164.81, 220, 277.18, 329.63, 277.18, 220, 164.81];
const SECONDS = 0.3;

let seed = 1;
function random() {
  seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
  return seed / 2 ** 31 - 1;
}

/** Karplus-Strong: a delay line of noise that is averaged as it goes round. */
function pluck(out, start, frequency) {
  const period = Math.round(RATE / frequency);
  const line = Float32Array.from({ length: period }, random);
  for (let i = 0; i < 3 * period; i++) line[i % period] = 0.5 * (line[i % period] + line[(i + 1) % period]);
  for (let t = start, i = 0; t < out.length; t++, i = (i + 1) % period) {
    out[t] += line[i];
    line[i] = 0.498 * (line[i] + line[(i + 1) % period]);
  }
}

const length = Math.round(NOTES.length * SECONDS * RATE);
export const phrase = new Float32Array(length);
NOTES.forEach((note, n) => pluck(phrase, Math.round(n * SECONDS * RATE), note));
const peak = phrase.reduce((most, x) => Math.max(most, Math.abs(x)), 0);
phrase.forEach((x, t) => (phrase[t] = x / peak));
