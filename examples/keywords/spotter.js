// From samples to words: features, the network, and what makes one event of the scores of a word. No import of gru-wasm: it runs in
// Node, in pages and in audio threads, on the model that each has made.
import { createFeatures, FRAME, HOP, RATE } from './features.js';

/** What the network tells apart, in its order. The first two are no words. */
export const LABELS = 'silence unknown yes no up down left right stop go on off'.split(' ');
const [FIRST_WORD, COUNT] = [2, LABELS.length];

/** Frames from one row of scores to the next: the stride of the convolution. */
const STRIDE = 2;
/** Rows that are averaged. */
const SMOOTHED = 5;
/** Seconds after a word in which no other is told. */
const REFRACTORY = 0.4;

/**
 * @typedef {{ word: string, time: number, score: number }} Spotted `time`: seconds from the start of the stream to the sample at which
 * the word was known, 25 to 44 ms after its end on average, and at times before it. `score`: 0 to 1.
 */

/**
 * @param {import('gru-wasm').GruModel} model keywords.safetensors
 * @param {{ threshold?: number, onRow?: (scores: Float32Array, time: number) => void }} [options] The averaged score from which on a
 *   word is told; who sees every row of averaged scores (the same array at each call)
 * @returns {{ hear(samples: Float32Array): Spotted[], dispose(): void }} `hear` takes any number of samples at 16 kHz, -1 to 1, and gives
 *   the words that they complete: the same ones however the samples are cut
 */
export function createSpotter(model, { threshold = 0.65, onRow = () => {} } = {}) {
  const stream = model.createStream();
  const features = createFeatures();
  const last = new Float32Array(SMOOTHED * COUNT);
  const scores = new Float32Array(COUNT);
  let rows = 0;
  let quietUntil = 0;

  function take(row) {
    last.set(row, (rows % SMOOTHED) * COUNT);
    for (let label = 0; label < COUNT; label++) {
      let sum = 0;
      for (let i = label; i < last.length; i += COUNT) sum += last[i];
      scores[label] = sum / SMOOTHED;
    }
    const time = (rows++ * STRIDE * HOP + FRAME) / RATE;
    onRow(scores, time);
    if (time < quietUntil) return undefined;
    let best = FIRST_WORD;
    for (let label = best; label < COUNT; label++) if (scores[label] > scores[best]) best = label;
    if (scores[best] < threshold) return undefined;
    quietUntil = time + REFRACTORY;
    return { word: LABELS[best], time, score: scores[best] };
  }

  return {
    hear(samples) {
      const frames = features(clipped(samples));
      // The rows that are ready: one for every second frame.
      const ready = frames.length > 0 ? stream.run(frames) : frames;
      const spotted = [];
      for (let at = 0; at < ready.length; at += COUNT) {
        const word = take(ready.subarray(at, at + COUNT));
        if (word) spotted.push(word);
      }
      return spotted;
    },
    dispose: () => stream.dispose(),
  };
}

/** The samples within -1 to 1, silence for what is no number: one NaN would stay in the network's state, and in all scores after it. */
function clipped(samples) {
  const isClean = samples.every((x) => Math.abs(x) <= 1);
  return isClean ? samples : samples.map((x) => (Number.isNaN(x) ? 0 : Math.max(-1, Math.min(1, x))));
}
