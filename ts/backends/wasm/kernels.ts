import { checked, type Engine } from './engine.ts';

/** `PROBE_WORDS` of crate/src/kernels/mod.rs. */
const OPERANDS = 64 * (48 + 1) + (1 + 6) * 48;

/** The sets of `KERNELS` (crate/src/kernels/matmul.rs) that an engine without flags may run best; told apart by one row. */
const SETS = [0, 1];

/** With V8's revectorizer; told apart by six rows, the height of the tile that it doubles. */
const REVECTORIZED_SETS = [0, 1, 2];

/** Products of 64 x 48 until V8's baseline code has asked for optimised code: 0.4 to 0.7 ms a set. */
const WARM_UP = 2000;

/** Products in one slice of that: less than 0.5 ms. */
const SLICE = 1000;

/** Products in one timing: about 5 us in optimised code. */
const TIMED = 32;

/** Optimised code has come when a product takes less than this share of what it took in baseline code. */
const FASTER = 0.8;

/**
 * Chooses the kernels of an instance by timing them: their order depends on the engine's compiler, not on its version alone
 * (bench/records). All sets give the same bits, so that models run on the first one until then, and a wrong choice costs speed
 * only. Warming up takes 1 to 2 ms of this thread in slices, between which it is free; the engine then optimises on another
 * one, timing takes 0.1 ms.
 */
export class KernelChoice {
  private set = 0;
  private readonly done: Promise<void>;
  /** Node's can be told not to keep the process alive; a browser's is a number. */
  private timer: Partial<Pick<NodeJS.Timeout, 'ref' | 'unref'>> | undefined;
  private awaited = false;

  constructor(engine: Engine, revectorize: boolean) {
    // A probe that fails leaves the first set.
    this.done = this.choose(engine, revectorize).catch(() => undefined);
  }

  /** Number of the set in use now. */
  get current(): number {
    return this.set;
  }

  /** The same when it will not change any more. */
  async final(): Promise<number> {
    this.awaited = true;
    this.timer?.ref?.();
    await this.done;
    return this.set;
  }

  private async choose(engine: Engine, revectorize: boolean): Promise<void> {
    const [sets, rows] = revectorize ? [REVECTORIZED_SETS, 6] : [SETS, 1];
    await this.pause();
    const operands = checked(engine.block_new(OPERANDS), 'kernel probe');
    try {
      const run = (set: number, times: number) => {
        const start = performance.now();
        engine.kernels_run(set, operands, rows, times);
        return (performance.now() - start) / times;
      };
      const baseline = sets.map((set) => Math.min(run(set, TIMED), run(set, TIMED), run(set, TIMED)));
      for (let done = 0; done < WARM_UP; done += SLICE) {
        for (const set of sets) {
          await this.pause();
          run(set, SLICE);
        }
      }
      let best = baseline;
      for (let round = 0; round < 3 && !best.every((time, set) => time < FASTER * baseline[set]!); round++) {
        await this.pause();
        best = sets.map((set) => Math.min(...Array.from({ length: 8 }, () => run(set, TIMED))));
      }
      const chosen = best.indexOf(Math.min(...best));
      checked(engine.kernels_select(chosen), 'kernel choice');
      this.set = chosen;
    } finally {
      engine.block_free(operands);
    }
  }

  /** Lets others run. A process does not stay for it, unless somebody waits. */
  private pause(): Promise<void> {
    return new Promise((resolve) => {
      this.timer = setTimeout(resolve, 1);
      if (!this.awaited) this.timer.unref?.();
    });
  }
}
