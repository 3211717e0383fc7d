/** One thing that is measured. All of it is data: weights and inputs are made from it (task.ts), by a seed. */
export interface Case {
  name: string;
  group: keyof typeof GROUPS;
  /**
   * `run`: sequences in, all states out, copies included. `step`: one step of a live stream, copies included.
   * `dense`, `recurrent`: a kernel on its own, without copies. `ceiling`: what the machine can do at most.
   * `cold`: import, creation and first result in a fresh process.
   */
  kind: 'run' | 'step' | 'dense' | 'recurrent' | 'ceiling' | 'cold';
  inputSize: number;
  hiddenSize: number;
  steps: number;
  batch: number;
  cell: keyof typeof GATES;
  /** Of a GRU. */
  resetAfter: boolean;
  layers: number;
  bidirectional: boolean;
  /** Taps of a causal convolution to `hiddenSize` channels, which stands in place of the cells. */
  taps?: number;
  /** Heads of an attention of each step to all, by their dot products, which stands in place of the cells. */
  heads?: number;
  /** What every initial hidden value is; left out: no initial state is given. */
  h0?: number;
  /** Of a ceiling: the loop of bench/ceilings, and the bytes that it loads. */
  loop?: { name: 'madd_registers' | 'madd_1x12' | 'madd_6x2' | 'madd_2x4' | 'loads'; bytes: number };
  /** Part of `--quick`. */
  quick: boolean;
}

/** Blocks of hiddenSize rows in a cell's weights. */
export const GATES = { gru: 3, lstm: 4, rnn: 1 };

export const GROUPS = {
  grid: 'Sequences (I = H, T, B)',
  lstm: 'LSTM: the same sequences',
  rnn: 'Simple RNN: the same sequences',
  odd: 'Hidden sizes that are no multiple of 16, each with the next multiple (I = that multiple)',
  layers: 'Two directions, two layers',
  conv1d: 'Causal convolutions (I = channels, taps, T, B)',
  attention: 'Attention of a sequence to itself (I, heads, T, B)',
  step: 'One step of a live stream',
  denormal: 'Initial state 1e-40 against 0',
  kernel: 'Kernels alone, no copies',
  ceiling: 'Ceilings of this machine',
  cold: 'Cold start: import, create, first result, in a fresh process',
};

type Shape = [inputSize: number, hiddenSize: number, steps: number, batch: number];

const KINDS = { after: true, before: false };
const resets = Object.entries(KINDS);

function row(group: Case['group'], name: string, [I, H, T, B]: Shape, rest: Partial<Case> = {}): Case {
  return {
    name: `${group}/${name}`,
    group,
    kind: 'run',
    inputSize: I,
    hiddenSize: H,
    steps: T,
    batch: B,
    cell: 'gru',
    resetAfter: true,
    layers: 1,
    bidirectional: false,
    quick: false,
    ...rest,
  };
}

const GRID: [H: number, T: number, B: number, quick?: boolean][] = [
  [64, 1, 1, true],
  [128, 1, 1],
  [256, 1, 1, true],
  [512, 1, 1],
  [64, 100, 1, true],
  [128, 100, 1],
  [256, 100, 1, true],
  [512, 50, 1],
  [1024, 25, 1],
  [128, 100, 16, true],
  [256, 50, 32],
  [512, 50, 64],
];

const ODD = [4, 8, 20, 33, 100, 154, 400];
/** 400 = 25 * 16 is a multiple: it stands beside 416 to show the same. */
const next16 = (H: number) => 16 * Math.ceil((H + (H % 16 === 0 ? 1 : 0)) / 16);
const oddPairs = [...new Set(ODD.flatMap((H) => [`${H},${next16(H)}`, `${next16(H)},${next16(H)}`]))];

/** Both of a pair: what the targets compare per FLOP. */
export const ODD_PAIRS = ODD.map((H) => ({ H, next: next16(H) }));

const LOAD_SIZES = [16, 32, 64, 256, 512, 1024, 2048, 4096, 8192, 16384, 65536];

/** Channels, taps or heads, steps, batch. */
const CONVOLUTIONS = [
  [64, 5, 100, 1],
  [64, 5, 100, 16],
  [256, 3, 100, 1],
] as const;
const ATTENTIONS = [
  [64, 1, 100, 1],
  [256, 4, 100, 1],
  [64, 1, 100, 16],
] as const;

export const CASES: Case[] = [
  ...(['madd_registers', 'madd_1x12', 'madd_6x2', 'madd_2x4'] as const).map((name) =>
    row('ceiling', name, [128, 4, 1, 1], { kind: 'ceiling', loop: { name, bytes: 0 }, quick: true }),
  ),
  ...LOAD_SIZES.map((kilobytes) =>
    row('ceiling', `loads/${kilobytes}KB`, [1, 1, 1, 1], {
      kind: 'ceiling',
      loop: { name: 'loads', bytes: kilobytes * 1024 },
      quick: [16, 512, 65536].includes(kilobytes),
    }),
  ),
  ...[64, 128, 256, 512].map((H) =>
    row('kernel', `projection/${H}`, [H, H, 100, 1], { kind: 'dense', quick: H === 256 }),
  ),
  row('kernel', 'conv1d/64', [64, 64, 100, 1], { kind: 'dense', taps: 5 }),
  ...resets.flatMap(([kind, resetAfter]) =>
    [64, 128, 256, 512, 1024].map((H) =>
      row('kernel', `recurrent/${kind}/${H}`, [1, H, 50, 1], { kind: 'recurrent', resetAfter, quick: H === 256 }),
    ),
  ),
  ...resets.flatMap(([kind, resetAfter]) =>
    GRID.map(([H, T, B, quick = false]) => row('grid', `${kind}/${H},${T},${B}`, [H, H, T, B], { resetAfter, quick })),
  ),
  ...(['lstm', 'rnn'] as const).flatMap((cell) =>
    GRID.map(([H, T, B, quick = false]) =>
      row(cell, `${H},${T},${B}`, [H, H, T, B], { cell, resetAfter: false, quick: quick && cell === 'lstm' }),
    ),
  ),
  ...resets.flatMap(([kind, resetAfter]) =>
    oddPairs.map((pair) => {
      const [H = 0, I = 0] = pair.split(',').map(Number);
      return row('odd', `${kind}/${H}`, [I, H, 100, 1], { resetAfter, quick: resetAfter && I === 48 });
    }),
  ),
  ...resets.flatMap(([kind, resetAfter]) => [
    row('layers', `${kind}/bidirectional/128,100,1`, [128, 128, 100, 1], {
      resetAfter,
      bidirectional: true,
      quick: resetAfter,
    }),
    row('layers', `${kind}/two/128,100,1`, [128, 128, 100, 1], { resetAfter, layers: 2 }),
    row('layers', `${kind}/two-bidirectional/128,100,8`, [128, 128, 100, 8], {
      resetAfter,
      layers: 2,
      bidirectional: true,
    }),
  ]),
  ...CONVOLUTIONS.map(([I, taps, T, B], i) =>
    row('conv1d', `${I},${taps},${T},${B}`, [I, I, T, B], { taps, quick: i === 0 }),
  ),
  ...ATTENTIONS.map(([I, heads, T, B], i) =>
    row('attention', `${I},${heads},${T},${B}`, [I, I, T, B], { heads, quick: i === 0 }),
  ),
  ...resets.flatMap(([kind, resetAfter]) =>
    [64, 128, 256, 512].map((H) =>
      row('step', `${kind}/${H}`, [H, H, 8, 1], { kind: 'step', resetAfter, quick: resetAfter && H <= 256 }),
    ),
  ),
  ...[0, 1e-40].map((h0) => row('denormal', `h0=${h0}/128,1,1`, [128, 128, 1, 1], { h0, quick: true })),
  row('cold', 'before/128,1,1', [128, 128, 1, 1], { kind: 'cold', resetAfter: false, quick: true }),
];

export function caseNamed(name: string): Case {
  const found = CASES.find((c) => c.name === name);
  if (!found) throw new Error(`no case is called ${name}`);
  return found;
}

/**
 * Cases that are compared with each other take turns too: cells at equal sizes, a size and the next multiple, both h0, the projection
 * and the convolution.
 */
export function heats(cases: Case[]): Case[][] {
  const heats = new Map<string, Case[]>();
  for (const c of cases) {
    const isBySize = c.group === 'odd' || c.group === 'denormal';
    const key = isBySize
      ? `${c.group} ${c.inputSize}`
      : c.name
          .replace(/(after|before)\//, '')
          .replace(/^(lstm|rnn)\//, 'grid/')
          .replace('kernel/conv1d/', 'kernel/projection/');
    heats.set(key, [...(heats.get(key) ?? []), c]);
  }
  return [...heats.values()];
}

/** Inputs of each layer, with the directions that read them. */
export function layerSizes({
  inputSize,
  hiddenSize,
  layers,
  bidirectional,
}: Case): { inputs: number; directions: number }[] {
  const directions = bidirectional ? 2 : 1;
  return Array.from({ length: layers }, (_, i) => ({
    inputs: i === 0 ? inputSize : directions * hiddenSize,
    directions,
  }));
}

/** Whether its layers are recurrent. */
export const hasCells = ({ kind, taps, heads }: Case) => kind !== 'dense' && taps === undefined && heads === undefined;

/** Sums of a row of a layer by its weights, and how many numbers go into one. */
export function sumsOf({ cell, hiddenSize, taps, heads }: Case, inputs: number): [sums: number, of: number] {
  if (heads !== undefined) return [0, 0];
  return taps === undefined ? [GATES[cell] * hiddenSize, inputs] : [hiddenSize, taps * inputs];
}

/** Rows of one timed call. */
export const rowsOf = ({ kind, steps, batch }: Case) => (kind === 'step' ? 1 : steps) * batch;

/** Multiply-adds count as two. Those of the input projection, of the recurrent product, and all. */
export function flopsOf(c: Case): { input: number; recurrent: number; all: number } {
  if (c.loop) {
    const sums = { madd_registers: 12, madd_1x12: 12, madd_6x2: 12, madd_2x4: 8, loads: 0 }[c.loop.name];
    const all = 2 * sums * 4 * 128 * CEILING_PASSES;
    return { input: all, recurrent: 0, all };
  }
  const rows = rowsOf(c);
  if (c.heads !== undefined) {
    // The scores of each step and the sum that they weigh.
    const all = 2 * 2 * rows * c.steps * c.inputSize;
    return { input: all, recurrent: 0, all };
  }
  let [input, recurrent] = [0, 0];
  for (const { inputs, directions } of layerSizes(c)) {
    const [sums, of] = sumsOf(c, inputs);
    input += directions * 2 * rows * sums * of;
    if (hasCells(c)) recurrent += directions * 2 * rows * sums * c.hiddenSize;
  }
  return { input, recurrent, all: input + recurrent };
}

/** Times that one call of a ceiling goes over its buffer: 4 MB and more in all. */
export const loadPasses = (bytes: number) => Math.max(1, 2 ** 22 / bytes);

/** Passes over a panel of 128 * 48 weights in one call of a ceiling. */
export const CEILING_PASSES = 64;
