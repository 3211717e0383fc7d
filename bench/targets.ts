import { CASES, GATES, ODD_PAIRS } from './cases.ts';
import { type BenchRecord, geometricMean, ratio, ratioOf, resultOf } from './record.ts';

/** What issues 4, 12, 13 and 15 ask for: the ratios of one run; of several runs the worst counts. */
export interface Target {
  what: string;
  /** None: reported, not judged. */
  limit: number | undefined;
  sense: 'at least' | 'at most';
  unit: 'x' | '%' | 'KB';
  /** Why a record does not count. */
  notFor(record: BenchRecord): string | undefined;
  values(record: BenchRecord): Value[];
}

export interface Value {
  row: string;
  value: number;
}

const names = (pattern: RegExp) => CASES.map(({ name }) => name).filter((name) => pattern.test(name));
const WHOLE_GRID = /^grid\//;
const SEVERAL_STEPS = /^grid\/\w+\/\d+,(?!1,)/;
const ONE_SEQUENCE = /^grid\/\w+\/\d+,(?!1,)\d+,1$/;
const LSTM = /^lstm\//;
const LSTM_SEVERAL_STEPS = /^lstm\/\d+,(?!1,)/;
const BATCHED = /^grid\/.*,(?!1$)\d+$/;

/** How many times as fast `engine` is as `other`, case by case. */
const against = (engine: string, other: string, pattern: RegExp) => (record: BenchRecord) =>
  names(pattern).flatMap((row) => {
    const value = ratio(record, row, engine, other);
    return value === undefined ? [] : [{ row, value }];
  });

const mean =
  (values: Target['values']): Target['values'] =>
  (record) => {
    const all = values(record).map(({ value }) => value);
    return all.length === 0 ? [] : [{ row: `geometric mean of ${all.length} rows`, value: geometricMean(all) }];
  };

/** Time of one case over that of another of the same heat, times a factor. */
const between = (record: BenchRecord, over: string, under: string, factor = 1, engine = 'relaxed'): Value[] => {
  const value = ratioOf(resultOf(record, under, engine), resultOf(record, over, engine));
  return value === undefined ? [] : [{ row: under, value: factor * value }];
};

const share =
  (pattern: RegExp): Target['values'] =>
  (record) =>
    against('core-relaxed', 'ceiling-relaxed', pattern)(record).map(({ row, value }) => ({ row, value: 100 * value }));

/** GRU and LSTM at equal units, row by row. */
const gruOverLstm =
  (factor = 1): Target['values'] =>
  (record) =>
    names(LSTM).flatMap((row) => between(record, row.replace(LSTM, 'grid/after/'), row, factor));

const onlyOn = (slug: string) => (record: BenchRecord) => (record.slug === slug ? undefined : `only on ${slug}`);
const anywhere = () => undefined;
const onNode24 = onlyOn('node24');

/** Where V8 has a dot product of bytes: crate/src/kernels/dot.rs. */
const hasDot = ({ machine }: BenchRecord) => machine.cpu.includes('avx_vnni');
const withDot = (record: BenchRecord) => onNode24(record) ?? (hasDot(record) ? undefined : 'only with AVX-VNNI');
const withoutDot = (record: BenchRecord) => onNode24(record) ?? (hasDot(record) ? 'only without AVX-VNNI' : undefined);

const x = (
  what: string,
  limit: number | undefined,
  values: Target['values'],
  notFor: Target['notFor'] = onNode24,
): Target => ({
  what,
  limit,
  sense: 'at least',
  unit: 'x',
  values,
  notFor,
});

const oneStep = [
  [64, 10],
  [128, 4],
  [256, 2.2],
  [512, 1.1],
] as const;

export const TARGETS: Target[] = [
  x('relaxed vs ort-web, T > 1, each row', 1.25, against('relaxed', 'ort-web', SEVERAL_STEPS)),
  x('relaxed vs ort-web, T > 1, mean', 1.6, mean(against('relaxed', 'ort-web', SEVERAL_STEPS))),
  ...oneStep.map(([H, limit]) =>
    x(
      `relaxed vs ort-web, T = 1 by run(), H = ${H}`,
      limit,
      against('relaxed', 'ort-web', new RegExp(`^grid/\\w+/${H},1,1$`)),
    ),
  ),
  ...oneStep.map(([H, limit]) =>
    x(
      `relaxed vs ort-web, T = 1 by stream.step(), H = ${H}`,
      limit,
      against('relaxed', 'ort-web', new RegExp(`^step/\\w+/${H}$`)),
    ),
  ),
  x('relaxed vs ort-node, B = 1, T > 1, each row', 0.75, against('relaxed', 'ort-node', ONE_SEQUENCE)),
  x('relaxed vs ort-node, B = 1, T > 1, H = 64', 1, against('relaxed', 'ort-node', /^grid\/\w+\/64,100,1$/)),
  x('relaxed vs tfjs-wasm, each row', 5, against('relaxed', 'tfjs-wasm', /^(grid|layers|step)\//)),
  x('relaxed vs tfjs-wasm, mean', 40, mean(against('relaxed', 'tfjs-wasm', /^(grid|layers|step)\//))),
  { ...x('input projection, share of the madd ceiling', 90, share(/^kernel\/projection\//)), unit: '%' },
  {
    ...x('convolution, 64 channels, 5 taps: share of the madd ceiling over that of the projection', 80, (record) => {
      const [conv] = share(/^kernel\/conv1d\/64$/)(record);
      const [projection] = share(/^kernel\/projection\/64$/)(record);
      return conv && projection ? [{ row: conv.row, value: (100 * conv.value) / projection.value }] : [];
    }),
    unit: '%',
  },
  x('convolution, 64 channels, 5 taps: relaxed vs ort-web', 1.2, against('relaxed', 'ort-web', /^conv1d\/64,5,/)),
  x('attention: relaxed vs ort-web, each row', undefined, against('relaxed', 'ort-web', /^attention\//)),
  {
    ...x(
      'recurrent step, H = 256, B = 1, share of the load ceiling (Intel)',
      88,
      share(/^kernel\/recurrent\/\w+\/256$/),
    ),
    unit: '%',
    notFor: (record) => onNode24(record) ?? (/intel/i.test(record.machine.cpu) ? undefined : 'judged on Intel only'),
  },
  x('reset before per FLOP against reset after, H <= 256', 0.9, (record) =>
    names(/^grid\/before\/(64|128|256),/).flatMap((row) => between(record, row.replace('before', 'after'), row)),
  ),
  x('H no multiple of 16 per FLOP against the next multiple', 0.85, (record) =>
    ['after', 'before'].flatMap((kind) =>
      ODD_PAIRS.flatMap(({ H, next }) => {
        // FLOPs are 3 H (I + H) with I = next for both.
        const work = (H * (next + H)) / (next * 2 * next);
        return between(record, `odd/${kind}/${next}`, `odd/${kind}/${H}`, work);
      }),
    ),
  ),
  x('lstm: relaxed vs ort-web, T > 1, each row', 1.25, against('relaxed', 'ort-web', LSTM_SEVERAL_STEPS)),
  x('lstm: relaxed vs ort-web, T > 1, mean', 1.5, mean(against('relaxed', 'ort-web', LSTM_SEVERAL_STEPS))),
  x('lstm: relaxed vs ort-node, T > 1, each row', undefined, against('relaxed', 'ort-node', LSTM_SEVERAL_STEPS)),
  x('lstm: relaxed vs ort-node, T > 1, mean', undefined, mean(against('relaxed', 'ort-node', LSTM_SEVERAL_STEPS))),
  x('lstm per FLOP against gru with reset after, each row', 1, gruOverLstm(GATES.lstm / GATES.gru)),
  x('time of gru with reset after over lstm (3/4 by FLOPs), mean', undefined, mean(gruOverLstm())),
  x('i16 vs ort-web, T > 1, each row', 2, against('i16', 'ort-web', SEVERAL_STEPS)),
  x('i16 vs ort-node, B = 1, T > 1, each row', 1.1, against('i16', 'ort-node', ONE_SEQUENCE)),
  x('i8 with a dot product of bytes vs ort-web, T > 1, each row', 4, against('i8', 'ort-web', SEVERAL_STEPS), withDot),
  x('i8 with a dot product of bytes vs ort-node, each row', 1.15, against('i8', 'ort-node', WHOLE_GRID), withDot),
  x(
    'i8 with a dot product of bytes vs ort-web, T = 1 by stream.step()',
    6,
    against('i8', 'ort-web', /^step\//),
    withDot,
  ),
  x('i8 without one vs ort-web, T > 1, each row', 2.3, against('i8', 'ort-web', SEVERAL_STEPS), withoutDot),
  x('i8 without one vs ort-node, B = 1, T > 1, each row', 1.2, against('i8', 'ort-node', ONE_SEQUENCE), withoutDot),
  x('baseline vs our js, mean', 8, mean(against('baseline', 'js', WHOLE_GRID))),
  x(
    'relaxed vs ort-web on Node 22, T > 1, mean',
    1.2,
    mean(against('relaxed', 'ort-web', SEVERAL_STEPS)),
    onlyOn('node22'),
  ),
  x(
    'relaxed with --experimental-wasm-revectorize vs ort-web, batched',
    2.2,
    against('relaxed-revec', 'ort-web', BATCHED),
  ),
  {
    ...x('h0 = 1e-40 against h0 = 0, time', 1.2, (record) =>
      ['relaxed', 'baseline'].flatMap((engine) =>
        between(record, 'denormal/h0=1e-40/128,1,1', 'denormal/h0=0/128,1,1', 1, engine).map(({ value }) => ({
          row: engine,
          value,
        })),
      ),
    ),
    sense: 'at most',
  },
  x('cold start vs ort-web', 20, against('relaxed', 'ort-web', /^cold\//)),
  {
    ...x(
      'default entry, minified + gzip: all that a program on wasm downloads, both binaries in it',
      64,
      ({ sizes }) =>
        sizes
          .filter((s) => s.engine === 'relaxed' && s.part === undefined)
          .map(({ gzip }) => ({ row: 'gzip', value: gzip / 1024 })),
      anywhere,
    ),
    sense: 'at most',
    unit: 'KB',
  },
];

export interface Verdict {
  target: Target;
  worst: Value | undefined;
  met: boolean | undefined;
  /** Rows of any record that miss the target. */
  missed: Value[];
  note: string;
}

/** Judges by the worst row of the worst record. */
export function judge(records: BenchRecord[]): Verdict[] {
  return TARGETS.map((target) => {
    const { limit } = target;
    const fits = ({ value }: Value) =>
      limit === undefined || (target.sense === 'at least' ? value >= limit : value <= limit);
    const sign = target.sense === 'at least' ? 1 : -1;
    const counted = records.filter((record) => target.notFor(record) === undefined);
    const values = (counted.length > 0 ? counted : records).flatMap((record) => target.values(record));
    const [worst] = values.toSorted((a, b) => sign * (a.value - b.value));
    const reported = limit === undefined ? 'reported' : '';
    const note = counted.length > 0 ? reported : ((records[0] && target.notFor(records[0])) ?? '');
    return {
      target,
      worst,
      met: worst && note === '' ? fits(worst) : undefined,
      missed: values.filter((value) => !fits(value)),
      note: worst ? note : note || 'not measured',
    };
  });
}
