import { GruError } from 'gru-wasm';
import type { GruPool } from 'gru-wasm/pool';
import { ServeError } from '../errors.ts';
import { join } from './engine.ts';
import { keepsSteps } from './keeps-steps.ts';
import type { ServedModel, Values } from './model.ts';

/** Whole sequences: a batch of them, all of the same length on each axis. */
export interface WholeSequences {
  batch: number;
  inputs: Record<string, { data: Values; shape: number[] }>;
}

export interface RunAnswer {
  outputs: Record<string, { data: Values; shape: number[] }>;
}

export interface RunsOptions {
  window: number;
  /** Sequences of one run. */
  maxBatch: number;
  maxPending: number;
  /** Milliseconds that a run may take. */
  timeout: number;
  onBatch?(sequences: number, milliseconds: number): void;
}

/** Steps of a run, with padding; a request by itself may have more. */
const MAX_STEPS = 2 ** 18;

interface Waiting {
  call: WholeSequences;
  resolve: (answer: RunAnswer) => void;
  reject: (error: unknown) => void;
}

/**
 * Requests of whole sequences, those of a window in one run on the pool: of any lengths where the model's outputs have the steps of its one
 * axis, else those of the same shape.
 */
export class RunBatcher {
  private readonly served: ServedModel;
  private readonly pool: GruPool;
  private readonly options: RunsOptions;
  private readonly ragged: boolean;
  private ready: Waiting[] = [];
  private timer: NodeJS.Timeout | undefined;
  private pending = 0;

  constructor(served: ServedModel, pool: GruPool, options: RunsOptions) {
    this.served = served;
    this.pool = pool;
    this.options = options;
    this.ragged = keepsSteps(served);
  }

  /** @throws (as a rejection) ServeError `unavailable`; GruError of the run. */
  submit(call: WholeSequences): Promise<RunAnswer> {
    const { maxBatch, maxPending, window } = this.options;
    return new Promise((resolve, reject) => {
      if (this.pending >= maxPending)
        throw new ServeError('unavailable', `${maxPending} requests wait already: try again`);
      this.pending++;
      this.ready.push({ call, resolve, reject });
      const sequences = this.ready.reduce((sum, { call: { batch } }) => sum + batch, 0);
      if (sequences >= maxBatch) this.runAll();
      else {
        this.timer ??= setTimeout(() => {
          this.runAll();
        }, window);
      }
    });
  }

  private runAll(): void {
    clearTimeout(this.timer);
    this.timer = undefined;
    const ready = this.ready;
    this.ready = [];
    const groups = new Map<string, Waiting[]>();
    for (const one of ready) {
      const group = this.groupOf(one.call);
      const others = groups.get(group);
      if (others) others.push(one);
      else groups.set(group, [one]);
    }
    for (const group of groups.values()) for (const slice of this.slicesOf(group)) void this.run(slice);
  }

  /** What may run together. */
  private groupOf({ inputs }: WholeSequences): string {
    if (this.ragged) return '';
    return this.served.inputs.map(({ name }) => inputs[name]!.shape.slice(1).join('x')).join(',');
  }

  /**
   * Sequences of a run are padded to the longest: a long one beside thousands of short ones would be an answer of padding, too large for any memory, and
   * all of them would fail by what one client sent. Like lengths go together.
   */
  private slicesOf(group: readonly Waiting[]): Waiting[][] {
    const slices: Waiting[][] = [];
    let batch = 0;
    for (const one of group.toSorted((a, b) => this.stepsOf(a.call) - this.stepsOf(b.call))) {
      batch += one.call.batch;
      const slice = slices.at(-1);
      if (slice && batch * this.stepsOf(one.call) <= MAX_STEPS) slice.push(one);
      else {
        slices.push([one]);
        ({ batch } = one.call);
      }
    }
    return slices;
  }

  /** The most of its inputs, and one where there is none: a sequence is something to do. */
  private stepsOf({ inputs }: WholeSequences): number {
    return this.served.inputs.reduce(
      (most, { name, hasSteps }) => (hasSteps ? Math.max(most, inputs[name]!.shape[1]!) : most),
      1,
    );
  }

  private async run(group: readonly Waiting[]): Promise<void> {
    const start = performance.now();
    try {
      const batch = group.reduce((sum, { call }) => sum + call.batch, 0);
      const { outputs } = await this.pool.run(this.inputOf(group), {
        timeout: this.options.timeout,
      });
      let at = 0;
      for (const { call, resolve } of group) {
        resolve({ outputs: this.partOf(outputs, at, call) });
        at += call.batch;
      }
      this.options.onBatch?.(batch, performance.now() - start);
    } catch (error) {
      if (group.length > 1 && isOfSome(error)) {
        const half = group.length >> 1;
        await Promise.all([this.run(group.slice(0, half)), this.run(group.slice(half))]);
        return;
      }
      for (const { reject } of group) reject(error);
    }
    this.pending -= group.length;
  }

  private inputOf(group: readonly Waiting[]): Record<string, { data: Values; shape: number[] } | Values[]> {
    const entries = this.served.inputs.map(({ name, datatype, hasSteps }) => {
      const tensors = group.map(({ call }) => call.inputs[name]!);
      const isSame = tensors.every(({ shape }) => shape[1] === tensors[0]!.shape[1]);
      if (!hasSteps || isSame) {
        const shape = [tensors.reduce((sum, { shape: [batch] }) => sum + batch!, 0), ...tensors[0]!.shape.slice(1)];
        const data = join(
          datatype,
          tensors.map(({ data }) => data),
        );
        return [name, { data, shape }];
      }
      return [name, tensors.flatMap(rowsOf)];
    });
    return Object.fromEntries(entries) as Record<string, Values[]>;
  }

  /** The rows of one call of those that ran together. */
  private partOf(
    outputs: Record<string, { data: Float32Array; shape: number[] }>,
    at: number,
    call: WholeSequences,
  ): RunAnswer['outputs'] {
    const steps = this.served.inputs.filter(({ hasSteps }) => hasSteps).map(({ name }) => call.inputs[name]!.shape[1]!);
    return Object.fromEntries(
      this.served.outputs.map(({ name, size, hasSteps, datatype }) => {
        const { data, shape } = outputs[name]!;
        const rows = hasSteps ? shape[1]! : 1;
        const own = hasSteps && this.ragged ? steps[0]! : rows;
        // Of sequences of one length the rows lie one behind another.
        const [count, length] = own === rows ? [Math.min(call.batch, 1), call.batch * rows] : [call.batch, own];
        const parts = Array.from({ length: count }, (_, i) =>
          data.subarray((at + i) * rows * size, ((at + i) * rows + length) * size),
        );
        return [
          name,
          {
            data: join(datatype, parts),
            shape: [call.batch, ...(hasSteps ? [own] : []), ...shape.slice(hasSteps ? 2 : 1)],
          },
        ];
      }),
    );
  }
}

/** Errors by what requests hold, or how much of it: the others of a run are not to suffer for them. */
const OF_SOME: ReadonlySet<string> = new Set([
  'invalid_argument',
  'shape_mismatch',
  'dtype_mismatch',
  'id_out_of_range',
  'out_of_memory',
]);

const isOfSome = (error: unknown) => error instanceof GruError && OF_SOME.has(error.code);

function rowsOf({ data, shape: [batch] }: { data: Values; shape: number[] }): Values[] {
  const size = data.length / batch!;
  return Array.from({ length: batch! }, (_, i) => data.subarray(i * size, (i + 1) * size));
}
