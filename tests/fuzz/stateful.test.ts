import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { BACKENDS, memoryOf } from '../backends.ts';
import { inUse } from '../heap.ts';
import { choices } from '../parity/choices.ts';
import { type Choices, Random } from '../random.ts';
import { World } from './stateful/world.ts';

/**
 * Worlds of models that are made of one seed each, from `GRU_SEED` on: `GRU_WORLDS=2000 npx vitest run tests/fuzz/stateful` for more of them
 * (10 a second), `GRU_SHRINK=1` for a smallest one that fails.
 */
const WORLDS = Number(process.env['GRU_WORLDS'] ?? 60);
const SEED = Number(process.env['GRU_SEED'] ?? 20261130);
const ACTS = 60;
/** Rounds of the same worlds; in the first ones what stays is made. */
const [ROUNDS, FIRST] = [Number(process.env['GRU_ROUNDS'] ?? 8), 3];
/** Bytes of the heap that the engine itself takes or gives back. */
const MOST_HEAP = 2 ** 21;

async function live(random: Choices): Promise<void> {
  const world = new World(random);
  try {
    for (let count = random.int(1, ACTS); count > 0; count--) {
      world.act();
      if (random.chance(0.05)) await world.settle();
    }
    await world.settle();
    world.end();
  } catch (cause) {
    throw new Error(`${String(cause)}\n${world.toString()}`, { cause });
  }
}

async function seed(number: number): Promise<void> {
  await live(new Random(number)).catch((cause: unknown) => {
    throw new Error(`seed ${number}: ${String(cause)}`, { cause });
  });
}

describe('whatever is called, in any order and inside of each other', () => {
  test('each sequence gives the bits that it gives alone', async () => {
    if (!process.env['GRU_SHRINK']) for (let i = 0; i < WORLDS; i++) await seed(SEED + i);
    else {
      const property = fc.asyncProperty(fc.gen(), (draw) => live(choices(draw)));
      await fc.assert(property, { numRuns: WORLDS, seed: SEED });
    }
  });

  test('nothing of it stays', async () => {
    const wasm = () =>
      BACKENDS.flatMap(({ name }) => (name === 'js' ? [] : [[name, memoryOf(name).buffer.byteLength]]));
    const used = [];
    for (let round = 0; round < ROUNDS; round++) {
      for (let i = 0; i < 8; i++) await seed(SEED + i);
      used.push({ wasm: wasm(), ...(await inUse()) });
    }
    const [early, late] = [used[FIRST]!, used.at(-1)!];
    expect(late.wasm).toEqual(early.wasm);
    expect(late.heap - early.heap).toBeLessThan(MOST_HEAP);
    expect(late.arrays - early.arrays).toBeLessThan(2 ** 16);
  });
});
