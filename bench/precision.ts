/**
 * What weights of fewer bits cost: the phoneme and word errors of our model of words to phonemes (examples/g2p), and the distance of a GRU from
 * float64 over 2,000 steps (tests/fixtures/longrun), of layers of each cell from float64, of our amplifier from float32, and what scales of features gain where their ranges are unlike. No times: `npm run bench -- --engine '^(relaxed|i16|i8)$'` has those.
 *
 *     node bench/precision.ts --data DICTIONARY [--out FILE.md]
 *
 * DICTIONARY is the folder of the npm package cmu-pronouncing-dictionary.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { copyFile, readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { createModel, loadModel, type ModelSpec } from 'gru-wasm';
import { calibrate } from 'gru-wasm/precision';
import { phrase } from '../examples/audio/phrase.js';
import { loadG2p } from '../examples/g2p/g2p.js';
import { Random } from '../tests/random.ts';
import { parseSafetensors } from '../ts/io/safetensors.ts';
import { CASES } from './cases.ts';
import { commit, machine } from './machine.ts';
import { score, testWords } from './pronunciations.ts';
import { errorOf, reference } from './reference.ts';
import { specOf } from './spec.ts';
import { makeTask } from './task.ts';

const { values } = parseArgs({ options: { data: { type: 'string' }, out: { type: 'string' } } });
if (!values.data) throw new Error('usage: node bench/precision.ts --data DICTIONARY [--out FILE.md]');

const DTYPES = ['float32', 'float16', 'i16', 'i8'] as const;
type Dtype = (typeof DTYPES)[number];
const G2P = new URL('../examples/g2p/', import.meta.url);
const LONGRUN = new URL('../tests/fixtures/longrun/', import.meta.url);

/** Our model of words to phonemes, stored in a dtype and loaded again; and its bytes. */
async function g2pIn(dtype: Dtype) {
  const folder = mkdtempSync(join(tmpdir(), 'precision-'));
  let bytes = 0;
  try {
    for (const part of ['encoder', 'decoder']) {
      using model = await loadModel(new URL(`${part}.safetensors`, G2P));
      const file = model.save({ dtype });
      bytes += file.length;
      writeFileSync(join(folder, `${part}.safetensors`), file);
    }
    await copyFile(new URL('tables.json', G2P), join(folder, 'tables.json'));
    return { bytes, ...(await loadG2p({}, pathToFileURL(folder + '/'))) };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

const words = testWords(values.data);
const expected = JSON.parse(
  await readFile(new URL('../tests/fixtures/g2p/expected.json', import.meta.url), 'utf8'),
) as {
  words: { word: string; phonemes: string }[];
};
const lines: string[] = [];
const say = (...text: string[]) => {
  lines.push(...text);
  console.log(text.join('\n'));
};

say(
  `# Precision of weights: ${machine().cpu}; Node ${process.versions.node}; ${commit()}`,
  '',
  'By `node bench/precision.ts`.',
  '',
  `## Words to phonemes (examples/g2p), ${words.size} test words, percent`,
  '',
  '| weights | bytes | phoneme errors | word errors | other words than float32 | of the expected list |',
  '|---|---|---|---|---|---|',
);
let plain: Map<string, string> | undefined;
for (const dtype of DTYPES) {
  const { bytes, toPhonemes } = await g2pIn(dtype);
  const said = new Map([...words.keys()].map((word) => [word, toPhonemes(word).join(' ')]));
  plain ??= said;
  const changed = [...said].filter(([word, phonemes]) => plain!.get(word) !== phonemes).length;
  const unexpected = expected.words.filter(({ word, phonemes }) => toPhonemes(word).join(' ') !== phonemes).length;
  const { per, wer } = score(words, (word) => said.get(word)!.split(' '));
  const share = (count: number, of: number) => `${count} of ${of}`;
  say(
    `| ${dtype} | ${bytes} | ${per.toFixed(3)} | ${wer.toFixed(2)} | ${share(changed, words.size)} | ${share(unexpected, expected.words.length)} |`,
  );
}

const tensors = (name: string) => parseSafetensors(readFileSync(new URL(`${name}.safetensors`, LONGRUN))).tensors;
const { marks } = JSON.parse(readFileSync(new URL('meta.json', LONGRUN), 'utf8')) as { marks: number[] };
const stored = tensors('weights_and_input');
const floats = (name: string) => stored.get(name)!.floats();
const [inputSize, hiddenSize] = [64, 256];

/** A regime of the long runs (meta.json says what they are). */
function spec(regime: string, resetAfter: boolean): ModelSpec {
  const [bias, recurrentBias] = [floats('bw'), floats('br')];
  if (resetAfter) for (let i = 0; i < 2 * hiddenSize; i++) bias[i]! += recurrentBias[i]!;
  if (regime === 'memory') for (let i = 0; i < hiddenSize; i++) bias[i]! += 4;
  const scale = regime === 'lively' ? 3 : 1;
  const weights = {
    'forward.input': floats('W'),
    'forward.recurrent': floats('R').map((w) => w * scale),
    'forward.bias': bias,
    ...(resetAfter ? { 'forward.recurrentBias': recurrentBias.slice(2 * hiddenSize) } : {}),
  };
  return {
    inputs: [{ name: 'x', dtype: 'float32', kind: 'sequence', size: inputSize }],
    layers: [{ type: 'gru', name: 'gru', inputSize, hiddenSize, resetAfter, weights }],
    outputs: [{ name: 'y', from: 'gru' }],
  };
}

say(
  '',
  '## A GRU of 256 units over 2,000 steps: the largest distance from float64, and the root of the mean square, of the steps that are kept',
  '',
  `| regime | ${DTYPES.join(' | ')} |`,
  `|---|${DTYPES.map(() => '---|').join('')}`,
);
for (const regime of ['calm', 'lively', 'memory']) {
  for (const resetAfter of [true, false]) {
    using whole = await createModel(spec(regime, resetAfter));
    const truth = tensors(`${regime}_${resetAfter ? 'after' : 'before'}`);
    const cells: string[] = [];
    for (const dtype of DTYPES) {
      using model = await loadModel(whole.save({ dtype }));
      const { data } = model.run(floats('x')).output;
      let [most, sum, count] = [0, 0, 0];
      for (const t of marks) {
        const want = new Float64Array(new Uint8Array(truth.get(`h_${t}`)!.bytes).buffer);
        want.forEach((value, i) => {
          const off = Math.abs(value - data[(t - 1) * hiddenSize + i]!);
          most = Math.max(most, off);
          sum += off * off;
          count++;
        });
      }
      cells.push(`${most.toExponential(1)}, ${Math.sqrt(sum / count).toExponential(1)}`);
    }
    say(`| ${regime}, reset ${resetAfter ? 'after' : 'before'} | ${cells.join(' | ')} |`);
  }
}
say(
  '',
  '## A layer of random weights, 100 steps (512 units 50, 1024 units 25), one sequence: the largest distance from float64, and the root of the mean square',
  '',
  `| cell, units | ${DTYPES.join(' | ')} |`,
  `|---|${DTYPES.map(() => '---|').join('')}`,
);
for (const c of CASES.filter(({ name }) => /^(grid\/\w+|lstm|rnn)\/\d+,(100|50|25),1$/.test(name))) {
  const task = makeTask(c);
  using whole = await createModel(specOf(task));
  const want = reference(task);
  const cells: string[] = [];
  for (const dtype of DTYPES) {
    using model = await loadModel(whole.save({ dtype }));
    const { data } = model.run(
      { data: task.x, shape: [c.batch, c.steps, c.inputSize] },
      { initialStates: task.h0 },
    ).output;
    const squares = want.reduce((sum, value, i) => sum + (value - data[i]!) ** 2, 0);
    cells.push(`${errorOf(data, want).toExponential(1)}, ${Math.sqrt(squares / want.length).toExponential(1)}`);
  }
  say(`| ${c.name.replace(/,.*/, '').replace('grid/', 'gru, reset ').replace('/', ', ')} | ${cells.join(' | ')} |`);
}

say(
  '',
  '## The amplifier (examples/audio), 2.4 seconds: energy of the difference from float32 over that of the signal, percent',
  '',
  `| ${DTYPES.slice(1).join(' | ')} |`,
  `|${DTYPES.slice(1)
    .map(() => '---|')
    .join('')}`,
);
{
  using whole = await loadModel(new URL('../examples/audio/amp.safetensors', import.meta.url));
  const want = whole.run(phrase).output.data;
  const energy = want.reduce((sum, value) => sum + value * value, 0);
  const cells: string[] = [];
  for (const dtype of DTYPES.slice(1)) {
    using model = await loadModel(whole.save({ dtype }));
    const { data } = model.run(phrase).output;
    const off = want.reduce((sum, value, i) => sum + (value - data[i]!) ** 2, 0);
    cells.push(((100 * off) / energy).toPrecision(2));
  }
  say(`| ${cells.join(' | ')} |`);
}

say(
  '',
  '## A GRU of 64 units of 40 features, ranges of 1 to so much: distance from float32 over 100 steps, and with the scales of calibrate',
  '',
  '| ranges to | i16 | i16, calibrated | i8 | i8, calibrated |',
  '|---|---|---|---|---|',
);
for (const most of [1, 10, 100, 1000]) {
  const random = new Random(1);
  const [size, units, steps] = [40, 64, 100];
  const range = (i: number) => most ** (((i % size) % 5) / 4);
  const bound = 1 / Math.sqrt(units);
  const weights = {
    'forward.input': random.floats(3 * units * size, bound).map((w, i) => w / range(i)),
    'forward.recurrent': random.floats(3 * units * units, bound),
  };
  using model = await createModel(
    {
      inputs: [{ name: 'x', dtype: 'float32', size }],
      layers: [{ type: 'gru', name: 'gru', inputSize: size, hiddenSize: units, resetAfter: true, weights }],
    },
    { deterministic: true },
  );
  const x = random.floats(steps * size).map((value, i) => value * range(i));
  const cells: string[] = [];
  for (const precision of ['i16', 'i8'] as const) {
    const { before, after } = await calibrate(model, x, { precision });
    for (const { worst, rms } of [before, after]) cells.push(`${worst.toExponential(1)}, ${rms.toExponential(1)}`);
  }
  say(`| ${most} | ${cells.join(' | ')} |`);
}
if (values.out) writeFileSync(values.out, lines.join('\n') + '\n');
