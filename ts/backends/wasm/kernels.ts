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

/** Milliseconds between slices, in which others run, and the engine makes optimised code. */
const PAUSE = 1;

/** As it is now: whoever stops the clocks later, as tests do, would stop the probe, and wait for {@link Kernels.final} for ever. */
// (A bundle that has no use for it drops a pure call, and not a property of globalThis.)
const later: typeof setTimeout | undefined = /* @__PURE__ */ (() => globalThis.setTimeout)();

/** What runs need to know of the kernels of their instance. */
export interface Kernels {
  /** Number of the set in use. */
  readonly current: number;
  /** To be called by each run, while it is there. */
  readonly take?: (() => void) | undefined;
  /** {@link current} when it will not change any more. */
  final?(): Promise<number>;
}

/**
 * Chooses the kernels of an instance by timing them: their order depends on the engine's compiler, not on its version alone
 * (bench/records). All sets give the same bits, so that models run on the first one until then, and a wrong choice costs speed
 * only. Warming up takes 1 to 2 ms of this thread in slices; the engine then optimises on another one, timing takes 0.1 ms.
 * Timers ask for the slices; runs do too, for a program that runs on and on lets no timer fire.
 */
export class KernelChoice implements Kernels {
  current = 0;
  take: (() => void) | undefined;
  private readonly slices: Generator<boolean, void>;
  /** Undefined until the first run, which takes none: its result is what a program waits for when it starts. */
  private lastSlice: number | undefined;
  /** The engine needs time now, to make optimised code. */
  private waits = false;
  private settle!: () => void;
  private readonly settled = new Promise<void>((resolve) => (this.settle = resolve));
  /** Node's can be told not to keep the process alive; a browser's is a number. */
  private timer: Partial<Pick<NodeJS.Timeout, 'ref' | 'unref'>> | undefined;
  private awaited = false;

  constructor(engine: Engine, revectorize: boolean) {
    // Memory is taken now, for it may grow, and not in a run.
    const operands = engine.block_new(OPERANDS);
    this.slices = this.probe(engine, operands, revectorize);
    if (operands < 0 || !later || typeof performance !== 'object') {
      if (operands > 0) engine.block_free(operands);
      this.settle();
      return;
    }
    this.take = () => {
      const now = performance.now();
      this.lastSlice ??= now;
      if (now - this.lastSlice >= PAUSE) this.takeSlice();
    };
    this.wait();
  }

  async final(): Promise<number> {
    this.awaited = true;
    // Whoever waits can spare 2 ms at once; a hidden page's timers fire once a second.
    while (this.take && !this.waits) this.takeSlice();
    this.timer?.ref?.();
    await this.settled;
    return this.current;
  }

  /** A process does not stay for it, unless somebody waits. */
  private wait(): void {
    this.timer = later!(() => {
      this.takeSlice();
      if (this.take) this.wait();
    }, PAUSE);
    if (!this.awaited) this.timer.unref?.();
  }

  private takeSlice(): void {
    if (!this.take) return;
    let done: boolean | undefined = true;
    try {
      const slice = this.slices.next();
      done = slice.done;
      this.waits = slice.value === true;
    } catch {
      // A probe that fails leaves the first set.
    }
    this.lastSlice = performance.now();
    if (!done) return;
    this.take = undefined;
    this.settle();
  }

  /** Pauses between slices; true: for the engine to make optimised code. */
  private *probe(engine: Engine, operands: number, revectorize: boolean): Generator<boolean, void> {
    const [sets, rows] = revectorize ? [REVECTORIZED_SETS, 6] : [SETS, 1];
    try {
      const run = (set: number, times: number) => {
        const start = performance.now();
        checked(engine.kernels_run(set, operands, rows, times), 'kernel probe');
        return (performance.now() - start) / times;
      };
      const baseline = sets.map((set) => Math.min(run(set, TIMED), run(set, TIMED), run(set, TIMED)));
      for (let done = 0; done < WARM_UP; done += SLICE) {
        for (const set of sets) {
          yield false;
          run(set, SLICE);
        }
      }
      let best = baseline;
      for (let round = 0; round < 3 && !best.every((time, set) => time < FASTER * baseline[set]!); round++) {
        yield true;
        best = sets.map((set) => least(Array.from({ length: 8 }, () => run(set, TIMED))));
      }
      const chosen = best.indexOf(least(best));
      checked(engine.kernels_select(chosen), 'kernel choice');
      this.current = chosen;
    } finally {
      engine.block_free(operands);
    }
  }
}

/** Of a few. */
function least(values: number[]): number {
  // eslint-disable-next-line no-restricted-syntax
  return Math.min(...values);
}
