import { describe, expect, test } from 'vitest';
import { JoinedAxes, NamedAxes } from '../../ts/spec/axes.ts';
import { NO_AXIS, stepsOf } from '../../ts/spec/derived-axes.ts';
import type { Graph } from '../../ts/spec/graph.ts';
import { Clock } from '../../ts/stream/clock.ts';
import { expectError } from './helpers.ts';

const pad = (add: number) => ({ mul: 1, add, div: 1 });
const stride = (div: number, add = 0) => ({ mul: 1, add, div });
const maker = () => 'a layer';

describe('axes that layers make', () => {
  test('steps are rounded down, and never below none', () => {
    expect([0, 1, 2, 7].map((n) => stepsOf(stride(2, 1), n))).toEqual([0, 1, 1, 4]);
    expect([0, 1, 2, 7].map((n) => stepsOf(pad(-2), n))).toEqual([0, 0, 0, 5]);
    expect([0, 5].map((n) => stepsOf({ mul: 0, add: 3, div: 1 }, n))).toEqual([3, 3]);
  });

  test('the same rule of the same axis is one axis; padding that is taken away again gives the axis back', () => {
    const axes = new NamedAxes();
    const time = axes.of('x', undefined);
    const half = axes.derive(time, stride(2), maker);
    expect(axes.derive(time, stride(2), maker)).toBe(half);
    expect(axes.derive(axes.derive(time, pad(4), maker), pad(-4), maker)).toBe(time);
    expect(axes.derive(axes.derive(time, pad(1), maker), stride(2, -1), maker)).toBe(half);
    expect(axes.derive(axes.derive(time, { mul: 4, add: 0, div: 1 }, maker), stride(4), maker)).toBe(time);
    // Steps that were cut off or rounded away do not come back.
    expect(axes.derive(axes.derive(time, pad(-4), maker), pad(4), maker)).not.toBe(time);
    expect(axes.derive(half, { mul: 2, add: 0, div: 1 }, maker)).not.toBe(time);
    expect(axes.derive(NO_AXIS, { mul: 0, add: 3, div: 1 }, maker)).toBe(
      axes.derive(NO_AXIS, { mul: 0, add: 3, div: 1 }, maker),
    );
  });

  test('values of two of them are refused by what they are', async () => {
    const axes = new NamedAxes();
    const time = axes.of('x', undefined);
    const read = [
      { ref: 'x', axis: time },
      { ref: 'pool', axis: axes.derive(time, stride(3, -1), maker) },
    ];
    await expectError(() => axes.common(read, maker), 'invalid_spec', 'a layer', "'x' of the axis 'time'", "(1 * steps + -1) / 3 of the axis 'time'"); // prettier-ignore
    for (let i = 0; i < 29; i++) axes.derive(time, pad(i + 1), maker);
    await expectError(() => axes.derive(time, pad(99), maker), 'invalid_spec', 'a layer: more than 31 axes');
  });

  test('inputs whose axes are made to meet in the same way share one', () => {
    const axes = new JoinedAxes();
    const [a, b, c] = [axes.of('a'), axes.of('b'), axes.of('c')];
    const [x, y] = [axes.derive(a, stride(2)), axes.derive(b, stride(2))];
    expect(axes.common([{ ref: 'x', axis: x }, { ref: 'y', axis: y }])).toBe(x); // prettier-ignore
    expect([axes.root(b), axes.root(c)]).toEqual([a, c]);
  });
});

describe('what blocks of a stream give', () => {
  const graph = { axes: ['time'], derivedAxes: [{ from: 0, ...stride(3, 1) }, { from: 1, ...pad(2) }] } as unknown as Graph; // prettier-ignore

  test.each([[[7]], [[1, 1, 1, 1, 1, 1, 1]], [[0, 2, 0, 5]], [[3, 4]]])('blocks of %j', (blocks) => {
    const clock = new Clock(graph, 2);
    let given = [0, 0];
    for (const block of blocks) {
      const steps = Int32Array.of(block, 0, 0);
      clock.derive(steps, 1);
      clock.advance(steps, 1);
      given = given.map((sum, i) => sum + steps[i + 1]!);
    }
    expect(given).toEqual([2, 4]);
  });

  test('counts are kept and come back, however large', () => {
    const [clock, other] = [new Clock(graph, 1), new Clock(graph, 1)];
    for (const block of [2 ** 30, 2 ** 30, 2 ** 30, 5]) clock.advance(Int32Array.of(block, 0, 0));
    const kept = new Float32Array(clock.size);
    clock.write(kept, 0);
    expect(other.read(kept)).toBe(true);
    const [a, b] = [Int32Array.of(4, 0, 0), Int32Array.of(4, 0, 0)];
    clock.derive(a);
    other.derive(b);
    expect([...a]).toEqual([...b]);
    for (const bad of [[0.5, 0], [-1, 0], [2 ** 20, 0], [NaN, 0], [0, 2 ** 30]]) expect(other.read(Float32Array.from(bad))).toBe(false); // prettier-ignore
  });
});
