import { checked, type Engine } from './engine.ts';

/** `PROBE_WORDS` of crate/src/kernels/mod.rs. */
const OPERANDS = 64 * (48 + 1) + (1 + 6) * 48;

/** The sets of `KERNELS` (crate/src/kernels/matmul.rs) that an engine without flags may run best; told apart by one row. */
const SETS = [0, 1];

/** With V8's revectorizer; told apart by six rows, the height of the tile that it doubles. */
const REVECTORIZED_SETS = [0, 1, 2];

/** Products of 64 x 48 until V8's baseline code has asked for optimised code: 0.4 to 0.7 ms a set. */
const WARM_UP = 2000;

/** Products in one timing: about 5 us in optimised code. */
const TIMED = 32;

/** Optimised code has come when a product takes less than this share of what it took in baseline code. */
const FASTER = 0.8;

/**
 * Chooses the kernels that new models use, by timing them: their order depends on the engine's compiler, not on its version
 * alone (bench/records). All sets give the same bits, so a wrong choice costs speed only. Warming up takes about 1 ms of this
 * thread, the engine then optimises on another one, timing takes 0.1 ms.
 *
 * @returns The number of the set.
 */
export async function chooseKernels(engine: Engine, revectorize: boolean): Promise<number> {
  if (typeof setTimeout !== 'function' || typeof performance !== 'object') return 0;
  const operands = checked(engine.block_new(OPERANDS), 'kernel probe');
  const [sets, rows] = revectorize ? [REVECTORIZED_SETS, 6] : [SETS, 1];
  try {
    const run = (set: number, times: number) => {
      const start = performance.now();
      engine.kernels_run(set, operands, rows, times);
      return (performance.now() - start) / times;
    };
    const baseline = sets.map((set) => Math.min(run(set, TIMED), run(set, TIMED), run(set, TIMED)));
    for (const set of sets) run(set, WARM_UP);
    let best = baseline;
    for (let round = 0; round < 3 && !best.every((time, set) => time < FASTER * baseline[set]!); round++) {
      await new Promise((resolve) => setTimeout(resolve, 1));
      best = sets.map((set) => Math.min(...Array.from({ length: 8 }, () => run(set, TIMED))));
    }
    const chosen = best.indexOf(Math.min(...best));
    checked(engine.kernels_select(chosen), 'kernel choice');
    return chosen;
  } finally {
    engine.block_free(operands);
  }
}
