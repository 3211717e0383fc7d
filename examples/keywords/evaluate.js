// How often the spotter is right on the recordings of testset.py:
//
//     node evaluate.js FOLDER [threshold] [i16|i8]
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { loadModel } from 'gru-wasm';
import { createSpotter, LABELS } from './spotter.js';
import { readWav } from './wav.js';

const [, , folder, threshold, precision] = process.argv;
/** Seconds after a word's end in which it may still be told. */
const LATE = 0.5;

const model = await loadModel(new URL('keywords.safetensors', import.meta.url), { precision });
const sets = {};
for (const { file, set, seconds, words } of JSON.parse(await readFile(join(folder, 'list.json'), 'utf8'))) {
  const spotter = createSpotter(model, threshold === undefined ? {} : { threshold: Number(threshold) });
  const told = spotter.hear(readWav(await readFile(join(folder, file))));
  spotter.dispose();
  const score = (sets[set] ??= {
    hours: 0,
    told: 0,
    others: 0,
    keywords: 0,
    right: 0,
    wrong: 0,
    missed: 0,
    onOthers: 0,
    delay: 0,
  });
  score.hours += seconds / 3600;
  score.told += told.length;
  for (const { word, start, end } of words) {
    const heard = told.filter(({ time }) => time >= start && time < end + LATE);
    if (!LABELS.includes(word)) {
      score.others++;
      if (heard.length > 0) score.onOthers++;
      continue;
    }
    score.keywords++;
    if (heard.length === 0) score.missed++;
    else if (heard.every((one) => one.word === word)) {
      score.right++;
      score.delay += heard[0].time - end;
    } else score.wrong++;
  }
}

const percent = (part, whole) => `${((100 * part) / whole).toFixed(1)} %`;
for (const [set, score] of Object.entries(sets)) {
  console.log(
    score.keywords > 0
      ? `${set}: of ${score.keywords} keywords right ${percent(score.right, score.keywords)}, missed ${percent(score.missed, score.keywords)}, ` +
          `taken for another ${percent(score.wrong, score.keywords)}; of ${score.others} other words taken for a keyword ` +
          `${percent(score.onOthers, score.others)}; told ${((1000 * score.delay) / score.right).toFixed(0)} ms after the end`
      : `${set}: ${(score.told / score.hours).toFixed(1)} false alarms an hour, in ${score.hours.toFixed(2)} hours`,
  );
}
