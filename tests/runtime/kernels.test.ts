import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { Engine } from '../../ts/backends/wasm/engine.ts';
import { KernelChoice } from '../../ts/backends/wasm/kernels.ts';

/** An engine whose products take as long as they are told, by a clock of its own: half of it after 2000 of them. */
class FakeEngine {
  readonly ran = [0, 0, 0];
  readonly selected: number[] = [];
  blocks = 0;
  clock = 0;
  longest = 0;
  readonly costs: number[];

  constructor(costs: number[]) {
    this.costs = costs;
  }
  block_new() {
    return ++this.blocks;
  }
  block_free() {
    return --this.blocks;
  }
  kernels_run(set: number, _block: number, _rows: number, times: number) {
    this.ran[set]! += times;
    const took = times * this.costs[set]! * (this.ran[set]! > 2000 ? 0.5 : 1);
    this.clock += took;
    this.longest = Math.max(this.longest, took);
    return 0;
  }
  kernels_select(set: number) {
    return this.selected.push(set);
  }
}

const choose = (engine: object, revectorize = false) => new KernelChoice(engine as Engine, revectorize);

describe('the choice of kernels', () => {
  let engine = new FakeEngine([]);
  beforeEach(() => {
    vi.spyOn(performance, 'now').mockImplementation(() => engine.clock);
  });
  afterEach(() => {
    vi.restoreAllMocks();
  });

  test.each([
    { costs: [0.0004, 0.0003], revectorize: false, best: 1 },
    { costs: [0.0003, 0.0004], revectorize: false, best: 0 },
    { costs: [0.0004, 0.0003, 0.0002], revectorize: true, best: 2 },
  ])('the fastest, after a while: $costs', async ({ costs, revectorize, best }) => {
    engine = new FakeEngine(costs);
    const choice = choose(engine, revectorize);
    expect(choice.current).toBe(0);
    expect(engine.clock).toBe(0);
    expect(await choice.final()).toBe(best);
    expect(choice.current).toBe(best);
    expect(engine.selected).toEqual([best]);
    expect(engine.blocks).toBe(0);
    expect(engine.longest).toBeLessThan(0.5);
  });

  test('runs take its slices, a millisecond apart, in a program that lets no timer fire', () => {
    engine = new FakeEngine([0.0004, 0.0003]);
    const choice = choose(engine);
    engine.clock += 5;
    choice.take!();
    // The first run takes none, however long ago the instance was made.
    expect(engine.ran).toEqual([0, 0, 0]);
    for (let runs = 0; choice.take && runs < 20; runs++) {
      const ran = [...engine.ran];
      choice.take();
      expect(engine.ran).toEqual(ran);
      engine.clock += 1.5;
      choice.take();
      expect(engine.ran).not.toEqual(ran);
    }
    expect(choice.take).toBeUndefined();
    expect(choice.current).toBe(1);
    expect(engine.selected).toEqual([1]);
    expect(engine.blocks).toBe(0);
    expect(engine.longest).toBeLessThan(0.5);
  });

  test('a probe that fails leaves the first set, and takes nothing', async () => {
    engine = new FakeEngine([0.0004, 0.0003]);
    vi.spyOn(engine, 'kernels_run').mockImplementation(() => {
      throw new RangeError('gone');
    });
    expect(await choose(engine).final()).toBe(0);
    expect(engine.selected).toEqual([]);
    expect(engine.blocks).toBe(0);
    vi.spyOn(engine, 'block_new').mockReturnValue(-1);
    expect(await choose(engine).final()).toBe(0);
  });
});
