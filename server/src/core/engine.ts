import { GruError, type GruStreams } from 'gru-wasm';
import { ServeError } from '../errors.ts';
import type { Port, ServedModel, Tensors, Values } from './model.ts';

type Awaitable<T> = T | Promise<T>;

/** The states of live sequences in numbered slots, and what steps them: what it is asked for is done in the order of the asking. */
export interface StepEngine {
  /** Slots there may be at most. */
  readonly maxSlots: number;
  /** Told when all states are gone. */
  onLost?: (() => void) | undefined;
  /** Runs one block of steps of each slot, each named once, and gives the outputs of each. All states stay as they were when it throws. */
  run(slots: readonly number[], blocks: readonly Tensors[]): Awaitable<Tensors[]>;
  /** Begins a slot's sequence anew. */
  reset(slot: number): void;
  /** The values of their states, a row each. */
  save(slots: readonly number[]): Awaitable<Float32Array>;
  /** Sets states, as {@link save} gives them. Tells of each whether it can be one of this model. */
  load(slots: readonly number[], states: readonly Float32Array[]): Awaitable<boolean[]>;
  close(): Awaitable<void>;
}

const FIRST_SLOTS = 64;

/** On a model's streams, whose memory doubles when slots are asked for that it does not have. */
export class StreamsEngine implements StepEngine {
  readonly maxSlots: number;
  private readonly served: ServedModel;
  private streams: GruStreams;

  /** @throws GruError `not_streamable`. */
  constructor(served: ServedModel, maxSlots: number) {
    this.served = served;
    this.maxSlots = maxSlots;
    this.streams = served.model.createStreams(Math.min(FIRST_SLOTS, maxSlots));
  }

  run(slots: readonly number[], blocks: readonly Tensors[]): Tensors[] {
    this.grow(most(slots) + 1);
    if (this.served.outputs.length > 1) return this.runSteps(slots, blocks);
    const { inputs } = this.served;
    const areRows = blocks.every((block) => inputs.every(({ name, size }) => block[name]!.length === size));
    return areRows ? this.runRows(slots, blocks) : this.runBlocks(slots, blocks);
  }

  reset(slot: number): void {
    this.grow(slot + 1);
    this.streams.reset(slot);
  }

  save(slots: readonly number[]): Float32Array {
    return this.streams.hiddenStates(slots);
  }

  load(slots: readonly number[], states: readonly Float32Array[]): boolean[] {
    this.grow(most(slots) + 1);
    return slots.map((slot, i) => {
      try {
        this.streams.setHiddenState(slot, states[i]!);
        return true;
      } catch (error) {
        if (error instanceof GruError) return false;
        throw error;
      }
    });
  }

  close(): void {
    this.streams.dispose();
  }

  /** One step each, as live streams mostly have them: one buffer of rows in, one out, of which each has its part. 0.8 KB of garbage a step less than blocks. */
  private runRows(slots: readonly number[], blocks: readonly Tensors[]): Tensors[] {
    const { inputs, outputs } = this.served;
    const [{ name, datatype, size }] = outputs as [Port];
    const byInput = inputs.map((port) => [
      port.name,
      join(
        port.datatype,
        blocks.map((block) => block[port.name]!),
      ),
    ]);
    const rows = zeros(datatype, slots.length * size);
    this.streams.stepMany(slots, Object.fromEntries(byInput) as Tensors, { [name]: rows });
    return blocks.map((_, i) => ({ [name]: rows.subarray(i * size, (i + 1) * size) }));
  }

  private runBlocks(slots: readonly number[], blocks: readonly Tensors[]): Tensors[] {
    const { inputs, outputs } = this.served;
    const byInput = inputs.map(({ name }) => [name, blocks.map((block) => block[name]!)] as const);
    const rows = this.streams.runMany<Values & Float32Array>(slots, Object.fromEntries(byInput));
    return rows.map((data) => ({ [outputs[0]!.name]: data }));
  }

  /** Step by step, for `runMany` gives one output only: those that have a t-th step, together. */
  private runSteps(slots: readonly number[], blocks: readonly Tensors[]): Tensors[] {
    const steps = blocks.map((block) => stepsOf(this.served, block));
    const before = slots.map((slot) => this.streams.hiddenState(slot));
    const results = steps.map((count) => this.rowsOf(count));
    const longest = most(steps);
    try {
      for (let t = 0; t < longest; t++) this.runStep(t, slots, blocks, steps, results);
    } catch (error) {
      slots.forEach((slot, i) => {
        this.streams.setHiddenState(slot, before[i]!);
      });
      throw error;
    }
    return results;
  }

  private runStep(
    t: number,
    slots: readonly number[],
    blocks: readonly Tensors[],
    steps: readonly number[],
    results: Tensors[],
  ): void {
    const { inputs, outputs } = this.served;
    const now = slots.map((_, i) => i).filter((i) => t < steps[i]!);
    const frames: Tensors = {};
    for (const port of inputs) {
      const rows = now.map((i) => rowOf(port, blocks[i]![port.name]!, t));
      frames[port.name] = join(port.datatype, rows);
    }
    const out = this.rowsOf(1, now.length);
    this.streams.stepMany(
      now.map((i) => slots[i]!),
      frames,
      out,
    );
    for (const port of outputs) {
      const { name, size } = port;
      now.forEach((i, k) => {
        rowOf(port, results[i]![name]!, t).set(out[name]!.subarray(k * size, (k + 1) * size));
      });
    }
  }

  private rowsOf(steps: number, batch = 1): Tensors {
    const rows = ({ hasSteps, size }: Port) => batch * (hasSteps ? steps : 1) * size;
    return Object.fromEntries(this.served.outputs.map((port) => [port.name, zeros(port.datatype, rows(port))]));
  }

  private grow(count: number): void {
    const { streams } = this;
    if (count <= streams.count) return;
    const larger = this.served.model.createStreams(Math.min(this.maxSlots, Math.max(count, 2 * streams.count)));
    for (let slot = 0; slot < streams.count; slot++) larger.setHiddenState(slot, streams.hiddenState(slot));
    this.streams = larger;
    streams.dispose();
  }
}

/** As arguments of Math.max 120,000 of them are too many for the stack. */
const most = (numbers: readonly number[]) => numbers.reduce((most, n) => Math.max(most, n), 0);

/** Steps of a block: one where no input has any. @throws ServeError `bad_request` where inputs have differing numbers of them. */
export function stepsOf({ inputs }: ServedModel, block: Tensors): number {
  let first: { name: string; steps: number } | undefined;
  for (const { name, size, hasSteps } of inputs) {
    if (!hasSteps) continue;
    const steps = block[name]!.length / size;
    first ??= { name, steps };
    if (steps === first.steps) continue;
    const text = `inputs '${first.name}' and '${name}' have ${first.steps} and ${steps} steps`;
    throw new ServeError('bad_request', `${text}: those of a live sequence have the same`);
  }
  return first?.steps ?? 1;
}

/** The t-th step's row, or the one that all steps have. */
function rowOf({ hasSteps, size }: Port, values: Values, t: number): Values {
  return hasSteps ? values.subarray(t * size, (t + 1) * size) : values;
}

export function zeros(datatype: 'FP32' | 'INT32', length: number): Values {
  return datatype === 'INT32' ? new Int32Array(length) : new Float32Array(length);
}

export function join(datatype: 'FP32' | 'INT32', parts: readonly Values[]): Values {
  const length = parts.reduce((sum, part) => sum + part.length, 0);
  const whole = zeros(datatype, length);
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
