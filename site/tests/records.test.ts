import { expect, test } from 'vitest';
import { measurements, newest } from '../lib/records.ts';

test('a record becomes medians a case, of the engines that ran', () => {
  const engine = (name: string, status: string, rounds?: number[]) => ({ engine: name, status, rounds });
  const engines = [engine('relaxed', 'ok', [3, 1, 2]), engine('tfjs-wasm', 'left out'), engine('ceiling', 'ok', [1])];
  const of = (name: string, group: string, resetAfter: boolean) => ({ case: { name, group, resetAfter }, engines });
  const text = JSON.stringify({
    date: '2026-11-24T14:17:54.582Z',
    machine: { cpu: 'Some processor (family 1; avx2)' },
    host: 'Node 24',
    cases: [
      of('grid/after/64,100,16', 'grid', true),
      of('step/after/64', 'step', true),
      of('grid/before/64,1,1', 'grid', false),
    ],
  });
  expect(measurements('name', text, true)).toEqual({
    record: 'name',
    machine: 'Some processor (family 1)',
    host: 'Node 24',
    date: '2026-11-24',
    steps: [{ name: '64 units', micros: { 'gru-wasm': 2 } }],
    sequences: [{ name: '64 units, 100 steps, 16 sequences', micros: { 'gru-wasm': 2 } }],
  });
});

test('the records of the repository can be drawn', () => {
  const { node, textbook, integers, browsers } = newest(new URL('../../bench/records/', import.meta.url));
  expect(Object.keys(integers.sequences[0]!.micros)).toContain('gru-wasm, i8');
  for (const { steps } of [node, textbook]) expect(steps.length).toBeGreaterThan(2);
  for (const { sequences } of [node, textbook, integers, ...browsers]) {
    expect(sequences.length).toBeGreaterThan(1);
    for (const { micros } of sequences) expect(Object.keys(micros)).toContain('gru-wasm');
  }
});
