import { expect } from 'vitest';
import { GruError } from '../../../ts/base/errors.ts';
import type { Values } from '../../../ts/base/typed-array.ts';
import type { GruModel } from '../../../ts/api/model.ts';
import type { GruStream } from '../../../ts/stream/stream.ts';
import type { GruStreams } from '../../../ts/stream/streams.ts';
import { BACKENDS, type BackendCase } from '../../backends.ts';
import type { Choices } from '../../random.ts';
import { type Family, randomFamily } from './families.ts';
import { advance, dispose, reset, restore, setState, snapshot } from './acts.ts';
import { refuse } from './refused.ts';
import { runBatch } from './batch.ts';
import {
  allRows,
  begin,
  expectBits,
  fresh,
  hasBegun,
  likeIt,
  type Sequence,
  sideBySide,
  streamed,
} from './sequence.ts';

export interface Live {
  model: GruModel;
  on: BackendCase;
  family: Family;
  alive: boolean;
}

/** What has states: a stream of some sequences side by side, or many streams. */
export type Stateful = One | Many;

interface Held {
  live: Live;
  sequences: Sequence[];
  alive: boolean;
}

export interface One extends Held {
  kind: 'one';
  stream: GruStream;
}

export interface Many extends Held {
  kind: 'many';
  streams: GruStreams;
}

interface Snapshot {
  bytes: Uint8Array;
  family: Family;
  exact: boolean;
  sequences: Sequence[];
}

/** What may be done, each as often as its number says. */
const ACTS: readonly [number, (world: World) => void][] = [
  [2, (world) => void world.make()],
  [1, (world) => { world.load(); }],
  [6, (world) => void world.open()],
  [10, (world) => { runBatch(world, world.pickModel()); }],
  [30, advance],
  [6, snapshot],
  [8, restore],
  [4, setState],
  [4, reset],
  [4, dispose],
  [10, refuse],
  [4, (world) => { world.check(world.pickHeld()); }],
]; // prettier-ignore

/** Thrown by getters: it comes out as it is. */
export class Thrown extends Error {}

/** How deep calls lie in getters of other calls' arguments. */
const DEEPEST = 2;

/** Models, streams and snapshots of a few families, to which things are done in any order; and what they should be by now. */
export class World {
  readonly random: Choices;
  readonly families: Family[];
  readonly models: Live[] = [];
  readonly held: Stateful[] = [];
  readonly snapshots: Snapshot[] = [];
  /** What has been done, for a failure. */
  readonly log: string[] = [];
  private readonly pending: Promise<void>[] = [];
  private depth = 0;
  /** What a getter found, which the library may have taken for the caller's. */
  private failure: Error | undefined;

  constructor(random: Choices) {
    this.random = random;
    this.families = Array.from({ length: random.int(1, 2) }, () => randomFamily(random));
  }

  pickModel(): Live {
    const { random, models } = this;
    const alive = models.filter((live) => live.alive);
    if (alive.length === 0) return this.make();
    return random.pick(alive);
  }

  make(): Live {
    const { random } = this;
    const [family, on] = [random.pick(this.families), random.pick(BACKENDS)];
    const live = { model: fresh(family, on), on, family, alive: true };
    this.models.push(live);
    return live;
  }

  /** One that comes later, while other calls are made. */
  load(): void {
    const { random } = this;
    const [family, on] = [random.pick(this.families), random.pick(BACKENDS)];
    const made = random.chance(0.5) ? on.api.createModel(family.spec) : on.api.loadModel(this.file(family, on));
    this.pending.push(
      made.then((model) => {
        this.models.push({ model, on, family, alive: true });
      }),
    );
  }

  private file(family: Family, on: BackendCase): Uint8Array {
    using model = fresh(family, on);
    return model.save();
  }

  /** Waits for those. */
  async settle(): Promise<void> {
    await Promise.all(this.pending.splice(0));
  }

  isAlive(of: Live | Stateful): boolean {
    return of.alive && (!('live' in of) || of.live.alive);
  }

  act(): void {
    const { random } = this;
    let at = random.int(0, ACTS.reduce((sum, [weight]) => sum + weight, 0) - 1);
    const act = ACTS.find(([weight]) => (at -= weight) < 0)!;
    act[1](this);
    if (this.failure !== undefined) throw this.failure;
  }

  /**
   * Values as the caller may have them: now and then a plain array of which one is a getter, in which other things are done or which
   * throws.
   */
  odd<T extends Values>(values: T, thrown = false): T {
    const { random } = this;
    if (values.length === 0 || !(thrown || random.chance(0.15))) return values;
    const plain = Array.from(values);
    if (thrown || random.chance(0.7)) {
      const at = random.int(0, plain.length - 1);
      this.getter(plain, at, plain[at], thrown);
    }
    return plain as unknown as T;
  }

  /** Makes a property one in whose getter, once, other things are done. */
  getter(object: object, key: string | number, value: unknown, thrown = false): void {
    let asked = 0;
    const get = () => {
      if (thrown) throw new Thrown('a getter');
      if (asked++ === 0) this.inside();
      return value;
    };
    Object.defineProperty(object, key, { get, enumerable: true, configurable: true });
  }

  private inside(): void {
    if (this.depth >= DEEPEST || this.failure !== undefined) return;
    this.depth++;
    try {
      for (let count = this.random.int(1, 2); count > 0; count--) this.act();
    } catch (error) {
      this.failure = error instanceof Error ? error : new Error(String(error));
    } finally {
      this.depth--;
    }
  }

  /** A call that is fine, unless what it is made on is disposed of before it or by a getter in it. */
  attempt<T>(what: string, of: Live | Stateful, call: () => T, done: (result: T) => void): void {
    this.log.push(what);
    let result: T;
    try {
      result = call();
    } catch (error) {
      if (this.failure !== undefined) throw this.failure;
      if (error instanceof GruError && error.code === 'disposed' && !this.isAlive(of)) return;
      throw new Error(`${what}: ${String(error)}`, { cause: error });
    }
    if (this.failure !== undefined) throw this.failure;
    if (!this.isAlive(of)) expect.fail(`${what}: it has been disposed of`);
    done(result);
  }

  pickHeld(): Stateful {
    const { random, held } = this;
    // Those that are gone too, now and then.
    const some = random.chance(0.1) ? held : held.filter((one) => this.isAlive(one));
    return some.length > 0 ? random.pick(some) : this.open();
  }

  open(): Stateful {
    const { random } = this;
    let live = this.pickModel();
    while (!live.family.streamable) {
      this.refusedAs(() => live.model.createStream(), 'createStream', 'not_streamable');
      const family = this.families.find(({ streamable }) => streamable) ?? randomFamily(random);
      const on = random.pick(BACKENDS);
      live = { model: fresh(family, on), on, family, alive: true };
      this.models.push(live);
    }
    const count = random.int(1, 4);
    const sequences = Array.from({ length: count }, () => begin(live.family.graph));
    const one: Stateful = random.chance(0.5)
      ? { kind: 'one', live, sequences, alive: true, stream: live.model.createStream({ batch: count }) }
      : { kind: 'many', live, sequences, alive: true, streams: live.model.createStreams(count) };
    this.log.push(`open ${one.kind} of ${count} on ${live.on.name}`);
    this.held.push(one);
    return one;
  }

  /** Rows of an input. */
  rows(family: Family, input: number, steps: number): Values {
    const { random } = this;
    const { dtype, size, vocabularySize, kind } = family.graph.inputs[input]!;
    const count = kind === 'vector' ? 1 : steps;
    if (dtype === 'int32') return Int32Array.from({ length: count }, () => random.int(0, vocabularySize - 1));
    const rows = random.floats(count * size);
    for (let t = 0; t < count; t++) if (random.chance(0.2)) rows.fill(0, t * size, (t + 1) * size);
    return rows;
  }

  /** A block of a sequence by input; `steps` are those of each axis. */
  block(family: Family, steps: readonly number[]): Values[] {
    return family.graph.inputs.map(({ axis }, i) => this.rows(family, i, steps[axis]!));
  }

  /** By input name, or the value of the only input; now and then behind a getter. */
  given<T extends object>({ graph }: Family, values: readonly T[]): T | Record<string, T> {
    const { random } = this;
    if (values.length === 1 && random.chance(0.6)) return values[0]!;
    const record = Object.fromEntries(graph.inputs.map(({ name }, i) => [name, values[i]!]));
    const { name } = random.pick(graph.inputs);
    if (random.chance(0.1)) this.getter(record, name, record[name]);
    return record;
  }

  /** Compares rows that sequences side by side have given with those that they give alone. */
  gave({ live }: Held, sequences: Sequence[], arrays: Record<string, Values>, what: string): void {
    const { graph } = live.family;
    const on = likeIt(live.on, this.log.length);
    sequences.forEach((sequence, b) => {
      const want = allRows(live.family, on, sequence);
      graph.outputs.forEach((port, i) => {
        const { name, kind, size } = port;
        if (!hasBegun(graph, sequence, port)) return;
        const all = want[name]!;
        const from = kind === 'vector' ? 0 : sequence.given[i]! * size;
        if (kind === 'sequence') sequence.given[i] = all.length / size;
        const got = arrays[name];
        if (!got) return;
        const each = got.length / sequences.length;
        expectBits(got.subarray(b * each, (b + 1) * each), all.subarray(from), `${what}: '${name}' of sequence ${b}`);
      });
    });
  }

  /** The states, by those of fresh streams. */
  private states(of: Stateful): Float32Array[] {
    const { live, sequences } = of;
    return sequences.map((sequence) => streamed(live.family, likeIt(live.on, this.log.length), sequence).hiddenState);
  }

  /** Whether the states are what they should be. */
  check(of: Stateful): void {
    const what = `the states of ${of.kind} on ${of.live.on.name}`;
    const read = () =>
      of.kind === 'one' ? [of.stream.hiddenState] : of.sequences.map((_, i) => of.streams.hiddenState(i));
    this.attempt(what, of, read, (got) => {
      const want = this.states(of);
      if (of.kind === 'one') expectBits(got[0]!, sideBySide(of.live.family.graph, want), what);
      else want.forEach((one, i) => { expectBits(got[i]!, one, `${what}, ${i}`); });
    }); // prettier-ignore
  }

  /** A call that must be refused, and leaves the states as they are. */
  refusedOn(of: Live | Stateful, what: string, call: () => unknown): void {
    this.log.push(`refused: ${what}`);
    this.refusedAs(call, what);
    if ('live' in of && this.isAlive(of)) this.check(of);
  }

  refusedAs(call: () => unknown, what: string, code?: string): void {
    let error: unknown;
    try {
      call();
    } catch (thrown) {
      error = thrown;
    }
    if (this.failure !== undefined) throw this.failure;
    if (error instanceof Thrown) return;
    if (!(error instanceof GruError) || error.code === 'internal' || (code !== undefined && error.code !== code)) {
      throw new Error(`${what}: not refused, but ${String(error)}`, { cause: error });
    }
  }

  /** What has been done, and on what. */
  toString(): string {
    const omitted = (key: string, value: unknown) => (key === 'weights' ? undefined : value);
    return [...this.log, ...this.families.map(({ spec }) => JSON.stringify(spec, omitted))].join('\n');
  }

  /** Checks what is left, and frees all. */
  end(): void {
    for (const of of this.held) this.check(of);
    for (const { model } of this.models) model.dispose();
    for (const of of this.held) {
      this.refusedAs(
        () => (of.kind === 'one' ? of.stream.hiddenState : of.streams.hiddenState(0)),
        'after the end',
        'disposed',
      );
    }
  }
}
