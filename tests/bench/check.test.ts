import { describe, expect, test } from 'vitest';
import { caseNamed, CASES, heats } from '../../bench/cases.ts';
import { check } from '../../bench/check.ts';
import { type Engine, LeftOut } from '../../bench/engine.ts';
import { gruWasm, quantized } from '../../bench/engines/gru-wasm.ts';
import { textbook } from '../../bench/engines/textbook.ts';
import { TOLERANCE } from '../../bench/reference.ts';
import { sizesOf } from '../../bench/size.ts';
import { hasRelaxedSimd } from '../../ts/backends/wasm/detect.ts';

const source = () => import('../../ts/index.ts');
const ENGINES: Engine[] = [
  gruWasm('relaxed', 'wasm-relaxed', source),
  gruWasm('baseline', 'wasm-baseline', source),
  gruWasm('js', 'js', source),
  textbook,
];

const NAMES = [
  'grid/after/64,1,1',
  'grid/before/64,100,1',
  'odd/after/33',
  'odd/before/4',
  'layers/after/bidirectional/128,100,1',
  'layers/before/two/128,100,1',
  'step/after/64',
  'step/before/64',
  'denormal/h0=1e-40/128,1,1',
];
/** Of cells and layers that the textbook's engine leaves out. */
const OTHER_CELLS = ['lstm/64,100,1', 'rnn/64,100,1', 'conv1d/64,5,100,1', 'attention/256,4,100,1'];

/** Correctness only: what the benchmark times must be right. No time is looked at. */
describe.each(ENGINES.map((engine) => ({ name: engine.name, engine })))(
  'benchmark engine $name',
  ({ name, engine }) => {
    test.each(engine === textbook ? NAMES : [...NAMES, ...OTHER_CELLS])('%s', async (caseName) => {
      expect(engine.takes(caseNamed(caseName))).toBe(true);
      const checked = check(engine, caseName);
      if (name === 'relaxed' && !hasRelaxedSimd()) await expect(checked).rejects.toThrow(LeftOut);
      else expect(await checked).toBeLessThan(TOLERANCE);
    });
  },
);

describe.each(['i16', 'i8'] as const)('benchmark engine %s', (precision) => {
  const engine = quantized(precision, source);
  test.each(['grid/after/64,1,1', 'grid/before/64,100,1', 'lstm/64,100,1', 'step/before/64'])(
    '%s',
    async (caseName) => {
      expect(engine.takes(caseNamed(caseName))).toBe(true);
      const checked = check(engine, caseName);
      if (hasRelaxedSimd()) {
        const error = await checked;
        expect(error).toBeLessThan(engine.tolerance!);
        expect(error).toBeGreaterThan(TOLERANCE / 10);
      } else await expect(checked).rejects.toThrow(LeftOut);
    },
  );
});

test('an engine that is wrong is found out', async () => {
  const wrong: Engine = {
    ...textbook,
    prepare: async (task) => {
      const runner = await textbook.prepare({ ...task, case: { ...task.case } });
      return { ...runner, run: async (x) => (await runner.run(x)).map((v, i) => (i === 7 ? v + 1e-3 : v)) };
    },
  };
  expect(await check(wrong, 'grid/after/64,1,1')).toBeGreaterThan(TOLERANCE);
});

test('names are unique, and every case is in one heat', () => {
  expect(new Set(CASES.map((c) => c.name)).size).toBe(CASES.length);
  expect(heats(CASES).flat()).toHaveLength(CASES.length);
});

test('what a program on wasm downloads is told from what it loads on demand', async () => {
  const relaxed = ENGINES[0]!;
  const sizes = await sizesOf({ ...relaxed, ships: { ...relaxed.ships!, code: "export * from '../dist/index.js'" } });
  expect(sizes.map(({ part }) => part)).toEqual([
    undefined,
    'the JS backend',
    'layers beyond the core flavour',
    'layouts of createGru and its like',
    'model.trace',
    'readers of all model files',
  ]);
  // Neither counted twice nor left out: the sum is that of one bundle, but for what chunks cost.
  const whole = await sizesOf({ ...relaxed, ships: { code: "export * from '../dist/index.js'" } });
  expect(sizes.reduce((sum, { raw }) => sum + raw, 0)).toBe(whole[0]!.raw);
});
