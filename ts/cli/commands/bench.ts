import { cpus } from 'node:os';
import { setImmediate } from 'node:timers/promises';
import { Command } from 'commander';
import { createModel } from '../../api/default.ts';
import type { GruModel } from '../../api/model.ts';
import { DTYPES, dtyped, type IntDtype, weightsOf } from '../../base/weights.ts';
import { quantizableOf, specWith } from '../../formats/precision.ts';
import { resolveGraph } from '../../spec/graph.ts';
import type { ModelSpec } from '../../spec/spec.ts';
import { refuseLoss } from '../files/place.ts';
import { writeWhole } from '../files/sink.ts';
import { randomInputs } from '../inputs.ts';
import { backendOptions, type Choice, count, openModel, readFiles, readOptions, type ReadFlags } from '../model.ts';
import { print, printJson } from '../print.ts';
import { escaped, svg } from '../svg.ts';
import { columns, Progress, prose, styled, table, visible } from '../terminal.ts';

interface BenchFlags extends ReadFlags {
  steps: number;
  svg?: string;
  json?: boolean;
}

interface Measured {
  backend: string;
  /** What the weights of products are: `f32`, `i16`, `i8`, or several. */
  weights: string;
  /** Microseconds: a step of a whole run, and a call of a stream's step (undefined: the model does not stream). */
  run: number;
  step: number | undefined;
}

/** `gru bench [MODEL]` */
export function benchCommand(): Command {
  return readOptions(new Command('bench'))
    .description(
      'time a model on wasm, on baseline wasm and on JavaScript, and with weights of 16 and 8 bits, on this machine',
    )
    .argument('[model]', 'the file; default: a GRU of 64 inputs and 128 hidden units')
    .option('--steps <count>', 'steps of the sequence', count, 100)
    .option('--svg <file>', 'write the chart too')
    .option('--json', 'print it as JSON')
    .addHelpText('after', '\nExamples:\n  gru bench\n  gru bench encoder.safetensors --steps 500 --svg chart.svg')
    .action(bench);
}

async function bench(path: string | undefined, flags: BenchFlags): Promise<void> {
  await refuseLoss([{ what: '--svg', path: flags.svg }], readFiles(path, flags));
  const spec = path === undefined ? EXAMPLE : (await openModel(path, flags, 'js')).spec;
  const found: Measured[] = [];
  const progress = new Progress(VARIANTS.length);
  for (const [i, [choice, dtype]] of VARIANTS.entries()) {
    const model = await createModel(dtype ? specWith(resolveGraph(spec), dtype) : spec, backendOptions(choice));
    const weights = dtypesOf(model.spec);
    const known = found.some((other) => other.backend === model.backend && other.weights === weights);
    if (!known) found.push({ backend: model.backend, weights, ...(await measure(model, flags.steps)) });
    model.dispose();
    progress.update(i + 1);
  }
  progress.end();
  const title = `${visible(path ?? 'GRU, 64 inputs, 128 hidden units')}: microseconds a step, ${flags.steps} steps, one thread of ${cpus()[0]?.model ?? 'this machine'}`;
  try {
    // Before stdout, whose reader may have seen enough.
    if (flags.svg !== undefined) await writeWhole(flags.svg, picture(title, found));
  } finally {
    await (flags.json ? printJson(found) : print(`${styled('bold', prose([title]))}\n${chart(found)}`));
  }
}

/** What is timed: backends with the weights that the file has, and the fastest with fewer bits, where they are not the same. */
const VARIANTS: readonly (readonly [Choice, IntDtype?])[] = [
  ['auto'],
  ['baseline'],
  ['js'],
  ['auto', 'i16'],
  ['auto', 'i8'],
];

/** Of the weights that can be integers. */
function dtypesOf(spec: ModelSpec): string {
  const found = resolveGraph(spec).nodes.flatMap((node) => {
    const weights = weightsOf(node.layer);
    return quantizableOf(node).flatMap(({ key }) => (weights[key] ? [dtyped(weights[key]).dtype] : []));
  });
  return DTYPES.filter((dtype) => found.includes(dtype)).join(', ') || 'none';
}

const EXAMPLE: ModelSpec = {
  inputs: [{ name: 'x', dtype: 'float32', size: 64 }],
  layers: [
    {
      name: 'gru',
      type: 'gru',
      inputSize: 64,
      hiddenSize: 128,
      resetAfter: true,
      weights: {
        'forward.input': Float32Array.from({ length: 3 * 128 * 64 }, (_, i) => Math.sin(i) / 8),
        'forward.recurrent': Float32Array.from({ length: 3 * 128 * 128 }, (_, i) => Math.cos(i) / 11),
      },
    },
  ],
};

/** Milliseconds of work of which the median is taken. */
const BUDGET = 300;

/** And after so many signals are listened to. */
const HEAR = 50;

/** The median time of a call, in microseconds, after it has been warmed up. Between calls Ctrl-C is heard. */
async function time(call: () => void): Promise<number> {
  const times: number[] = [];
  const start = performance.now();
  let heard = start;
  while (performance.now() - start < 2 * BUDGET || times.length < 6) {
    const before = performance.now();
    call();
    times.push(performance.now() - before);
    if (performance.now() - heard > HEAR) heard = await setImmediate(performance.now());
  }
  const warm = times.slice(Math.floor(times.length / 2)).sort((a, b) => a - b);
  return warm[Math.floor(warm.length / 2)]! * 1000;
}

async function measure(model: GruModel, steps: number): Promise<Pick<Measured, 'run' | 'step'>> {
  const whole = randomInputs(model, steps);
  const run = (await time(() => model.run(whole))) / steps;
  if (!model.streamable) return { run, step: undefined };
  const x = Object.fromEntries(Object.entries(randomInputs(model, 1)).map(([name, { data }]) => [name, data]));
  const stream = model.createStream();
  // A step is too short for the clock.
  const step = await time(() => {
    for (let i = 0; i < steps; i++) stream.step(x);
  });
  stream.dispose();
  return { run, step: step / steps };
}

/** Longest bar, and the columns before it. */
const [WIDTH, BESIDE] = [40, 52];

function chart(found: readonly Measured[]): string {
  const most = found.reduce((a, { run }) => Math.max(a, run), 0);
  const width = Math.max(1, Math.min(WIDTH, columns() - BESIDE));
  const rows = found.map(({ backend, weights, run, step }) => [
    backend,
    weights,
    run.toFixed(2),
    step?.toFixed(2) ?? 'does not stream',
    '█'.repeat(Math.max(1, Math.round((run / most) * width))),
  ]);
  return table(['backend', 'weights', 'whole run', 'live step', ''], rows);
}

function picture(title: string, found: readonly Measured[]): string {
  const most = found.reduce((a, { run }) => Math.max(a, run), 0);
  const bars = found.flatMap(({ backend, weights, run }, i) => {
    const [y, width] = [50 + i * 30, (run / most) * 420];
    return [
      `<text x="160" y="${y + 14}" text-anchor="end">${backend}, ${weights}</text>`,
      `<rect x="170" y="${y}" width="${width.toFixed(1)}" height="20" fill="#4477aa"/>`,
      `<text x="${(176 + width).toFixed(1)}" y="${y + 14}">${run.toFixed(2)} us</text>`,
    ];
  });
  return svg(720, 60 + found.length * 30, [`<text x="10" y="24">${escaped(title)}</text>`, ...bars]);
}
