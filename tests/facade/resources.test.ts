import { expect, test } from 'vitest';
import type { AxisLengths, BackendState, CompiledModel } from '../../ts/backends/backend.ts';
import { ModelResources } from '../../ts/run/resources.ts';

/** A compiled model that counts what is asked of it. */
function counted() {
  const laidOut: number[][][] = [];
  const freed: number[] = [];
  const compiled = {
    createState: (batch: number) =>
      ({
        batch,
        setLengths: (axes: readonly AxisLengths[]) => laidOut.push(axes.map(({ lengths }) => Array.from(lengths))),
        free: () => freed.push(batch),
      }) as unknown as BackendState,
    free: () => freed.push(-1),
  } as unknown as CompiledModel;
  return { resources: new ModelResources(compiled), laidOut, freed };
}

const even = (steps: number) => ({ steps, ragged: undefined });
const ragged = (...lengths: number[]) => ({
  steps: Math.max(...lengths),
  ragged: { lengths: Int32Array.from(lengths) },
});

test('a state is laid out again where the run is another one, and only there', () => {
  const { resources, laidOut } = counted();
  const ask = (timeMajor: boolean, ...axes: (ReturnType<typeof even> | ReturnType<typeof ragged>)[]) => {
    const before = laidOut.length;
    resources.stateFor({ batch: 2, timeMajor, axes });
    return laidOut.length - before;
  };
  expect([ask(false, even(3), even(5)), ask(false, even(3), even(5))]).toEqual([1, 0]);
  expect(laidOut).toEqual([[[3, 3], [5, 5]]]); // prettier-ignore
  expect([ask(false, even(3), even(4)), ask(false, even(2), even(4))], 'other steps, of either axis').toEqual([1, 1]);
  expect([ask(true, even(2), even(4)), ask(true, even(2), even(4))], 'another order').toEqual([1, 0]);
  expect([ask(false, ragged(1, 2), even(4)), ask(false, ragged(1, 2), even(4))], 'ragged').toEqual([1, 0]);
  expect([ask(false, ragged(2, 2), even(4)), ask(false, ragged(2, 1), even(4))], 'other lengths').toEqual([1, 1]);
  expect([ask(false, even(2), even(4)), ask(false, ragged(2, 2), even(4))], 'ragged or not').toEqual([1, 1]);
});

test('lengths that are overwritten after a run are compared with what they were', () => {
  const { resources, laidOut } = counted();
  const axis = ragged(1, 2);
  resources.stateFor({ batch: 2, timeMajor: false, axes: [axis] });
  axis.ragged.lengths[0] = 2;
  resources.stateFor({ batch: 2, timeMajor: false, axes: [axis] });
  expect(laidOut).toEqual([[[1, 2]], [[2, 2]]]);
});

test('another batch frees the state of the last one, and so does the model', () => {
  const { resources, laidOut, freed } = counted();
  for (const batch of [2, 2, 3]) resources.stateFor({ batch, timeMajor: false, axes: [even(1)] });
  expect([laidOut.length, freed]).toEqual([2, [2]]);
  resources.free();
  expect(freed).toEqual([2, 3, -1]);
  expect(resources.runState).toBeUndefined();
});
