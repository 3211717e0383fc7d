/**
 * GRU against LSTM on one task: our model of words to phonemes (examples/g2p) and its twin of LSTMs, trained by the same recipe.
 *
 *     python3 examples/g2p/train.py --data DICTIONARY --out LSTM --cell lstm
 *     node examples/g2p/convert.js LSTM/model.safetensors LSTM
 *     node bench/twins.ts LSTM --data DICTIONARY --record RECORD.json --out NAME
 *
 * DICTIONARY is the folder of the npm package cmu-pronouncing-dictionary, RECORD a benchmark that has the rows of both cells
 * (`npm run bench -- --case '^(lstm|grid/after)/'`). Leaves NAME.json and NAME.svg.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { loadG2p } from '../examples/g2p/g2p.js';
import { CONFIG, svgOf } from './chart.ts';
import { score, testWords } from './pronunciations.ts';
import { machine } from './machine.ts';
import { geometricMean, ratioOf, readRecord, resultOf, spread } from './record.ts';

const { values, positionals } = parseArgs({
  options: { data: { type: 'string' }, record: { type: 'string' }, out: { type: 'string' } },
  allowPositionals: true,
});
const [lstmFolder] = positionals;
if (lstmFolder === undefined || !values.data || !values.record || !values.out) {
  throw new Error('usage: node bench/twins.ts LSTM --data DICTIONARY --record RECORD.json --out NAME');
}

const ROUNDS = 15;
const GRU = new URL('../examples/g2p/', import.meta.url);
const folders = { gru: GRU, lstm: pathToFileURL(resolve(lstmFolder) + '/') };
type Cell = keyof typeof folders;
const CELLS: Cell[] = ['gru', 'lstm'];

interface Trained {
  parameters: number;
  metrics: { test: { per: number; wer: number } };
  training: { history: { epoch: number; per: number }[] };
}

const words = testWords(values.data);
const sample = [...words.keys()].slice(0, 500);
const models = {} as Record<Cell, Awaited<ReturnType<typeof loadG2p>>>;
const trained = {} as Record<Cell, Trained>;
for (const cell of CELLS) {
  models[cell] = await loadG2p({}, folders[cell]);
  trained[cell] = JSON.parse(readFileSync(new URL('config.json', folders[cell]), 'utf8')) as Trained;
}

/** Milliseconds that the sample takes, by round; the models take turns. */
const times: Record<Cell, number[]> = { gru: [], lstm: [] };
for (let round = 0; round < ROUNDS; round++) {
  for (const cell of round % 2 === 0 ? CELLS : CELLS.toReversed()) {
    const start = performance.now();
    for (const word of sample) models[cell].toPhonemes(word);
    times[cell].push(performance.now() - start);
  }
}

const measured = (cell: Cell) => {
  const { parameters, metrics, training } = trained[cell];
  const scores = score(words, models[cell].toPhonemes);
  // Another framework's sums round otherwise, so a word or two of thousands may differ.
  const off = Math.abs(scores.per - metrics.test.per);
  if (off > 0.05) throw new Error(`${cell}: phoneme errors of ${scores.per} %, PyTorch had ${metrics.test.per} %`);
  const wordsPerSecond = (1000 * sample.length) / spread(times[cell])!.median;
  return { parameters, ...scores, pytorch: metrics.test, wordsPerSecond, history: training.history };
};

const record = readRecord(values.record);
const rows = record.cases
  .filter(({ case: c }) => c.group === 'lstm' && c.steps > 1)
  .flatMap(({ case: c }) => {
    const gru = c.name.replace('lstm/', 'grid/after/');
    const value = ratioOf(resultOf(record, c.name, 'relaxed'), resultOf(record, gru, 'relaxed'));
    return value === undefined ? [] : [{ row: c.name.replace('lstm/', ''), value }];
  });
const result = {
  machine: machine(),
  backend: models.gru.backend,
  words: words.size,
  gru: measured('gru'),
  lstm: measured('lstm'),
  /** Time of the GRU over that of the LSTM, in the same rounds. */
  ratios: { word: spread(times.gru.map((time, i) => time / times.lstm[i]!))!.median, rows },
};
writeFileSync(`${values.out}.json`, JSON.stringify(result, null, 1) + '\n');

const bars = [
  ['parameters', result.gru.parameters / result.lstm.parameters],
  ['time of a sequence', geometricMean(rows.map(({ value }) => value))],
  ['time of a word', result.ratios.word],
  ['phoneme errors', result.gru.per / result.lstm.per],
].map(([what, share]) => ({ what, share }));
const share = { field: 'share', type: 'quantitative', title: 'GRU / LSTM', scale: { domain: [0, 1.2] } };
const what = { field: 'what', type: 'nominal', sort: null, title: null, axis: { labelLimit: 300 } };
const color = {
  field: 'cell',
  title: null,
  scale: { domain: ['GRU', 'LSTM'], range: ['#e8590c', '#1c7ed6'] },
  legend: { orient: 'bottom' },
};
const errors = { type: 'quantitative', title: 'phoneme errors (%)', scale: { zero: false } };
const curve = CELLS.flatMap((cell) =>
  result[cell].history.filter(({ epoch }) => epoch >= 8).map((point) => ({ ...point, cell: cell.toUpperCase() })),
);
const svg = await svgOf({
  config: CONFIG,
  background: 'transparent',
  padding: 12,
  hconcat: [
    {
      ...{ width: 280, height: 200, title: 'While they were trained (words kept apart)', data: { values: curve } },
      mark: { type: 'line', point: true },
      encoding: { x: { field: 'epoch', type: 'quantitative' }, y: { field: 'per', ...errors }, color },
    },
    {
      ...{ width: 240, height: 200, title: 'Of equal units', data: { values: bars } },
      layer: [
        { mark: { type: 'rule', strokeDash: [4, 3], color: '#7d8590' }, encoding: { x: { datum: 0.75 } } },
        { mark: { type: 'bar', color: '#e8590c', opacity: 0.8 }, encoding: { y: what, x: share } },
        {
          mark: { type: 'text', align: 'left', dx: 4, color: '#7d8590' },
          encoding: { y: what, x: share, text: { field: 'share', format: '.2f' } },
        },
      ],
    },
  ],
});
writeFileSync(`${values.out}.svg`, svg);
console.log(
  JSON.stringify({ ...result, gru: { ...result.gru, history: [] }, lstm: { ...result.lstm, history: [] } }, null, 1),
);
