import { type Case, caseNamed } from './cases.ts';
import { type Engine, LeftOut, type Runner, type Task } from './engine.ts';
import { makeTask, swapEach, swapRows } from './task.ts';

/** What a prepared case gave: its output as (batch, steps, size), and how long the first call took. */
export interface Prepared {
  output: Float32Array;
  firstCall: number;
}

/** Passed between processes as data. */
export type Reply<T> = { result: T } | { leftOut: string } | { error: string };

/** Which case, and how long. */
export interface Order {
  name: string;
  milliseconds?: number;
}

export type Command = 'load' | 'prepare' | 'warm' | 'sample' | 'release' | 'cold';

interface Ready {
  runner: Runner;
  call: () => Float32Array | Promise<Float32Array>;
  isAsync: boolean;
  /** Calls a sample. */
  inner: number;
}

/** One engine in a process or page of its own, doing as it is told. Times are in microseconds. */
export class Session {
  private readonly engine: Engine;
  private readonly ready = new Map<string, Ready>();
  /** A sample lasts at least this long, so that the clock's steps do not show: pages have coarse clocks. */
  private readonly sampleLength: number;

  constructor(engine: Engine, sampleLength: number) {
    this.engine = engine;
    this.sampleLength = sampleLength;
  }

  load(): Promise<void> {
    return this.engine.load();
  }

  /** Makes a case ready and runs it once. */
  async prepare({ name }: Order): Promise<Prepared> {
    const task = makeTask(caseNamed(name));
    const runner = await this.engine.prepare(task);
    const xs = inputsOf(task, runner);
    let at = 0;
    const call = xs.length === 1 ? () => runner.run(xs[0]!) : () => runner.run(xs[at++ % xs.length]!);
    const start = performance.now();
    const first = call();
    const outputs = [(await first).slice()];
    const firstCall = (performance.now() - start) * 1000;
    for (let i = 1; i < xs.length; i++) outputs.push((await call()).slice());
    this.ready.set(name, { runner, call, isAsync: first instanceof Promise, inner: 1 });
    return { output: joined(task.case, outputs, runner), firstCall };
  }

  /** Calls until the engine has had time to compile what is hot; finds how many calls make a sample. */
  async warm({ name, milliseconds = 0 }: Order): Promise<void> {
    const ready = this.ready.get(name)!;
    const start = performance.now();
    let calls = 0;
    do {
      await makeCalls(ready, 1);
      calls++;
    } while (performance.now() - start < milliseconds);
    let each = (performance.now() - start) / calls;
    for (let i = 0; i < 2 && each < this.sampleLength; i++) {
      ready.inner = Math.min(100_000, Math.ceil(this.sampleLength / Math.max(each, 1e-5)));
      const again = performance.now();
      await makeCalls(ready, ready.inner);
      each = (performance.now() - again) / ready.inner;
    }
  }

  /** Times calls for about this long, at least one sample: microseconds a call. */
  async sample({ name, milliseconds = 0 }: Order): Promise<number[]> {
    const ready = this.ready.get(name)!;
    const samples: number[] = [];
    const end = performance.now() + milliseconds;
    let now = performance.now();
    do {
      const start = now;
      await makeCalls(ready, ready.inner);
      now = performance.now();
      samples.push(((now - start) * 1000) / ready.inner);
    } while (now < end);
    return samples;
  }

  release({ name }: Order): void {
    this.ready.get(name)?.runner.free?.();
    this.ready.delete(name);
  }

  /** Import, creation and first result, in milliseconds: for a process that has loaded nothing yet. */
  async cold({ name }: Order): Promise<{ output: Float32Array; milliseconds: number }> {
    const task = makeTask(caseNamed(name));
    this.engine.write?.(task);
    const start = performance.now();
    await this.engine.load();
    const runner = await this.engine.prepare(task);
    const output = await runner.run(task.x);
    return { output, milliseconds: performance.now() - start };
  }
}

/** Engines that answer at once are not made to wait for a promise. */
function makeCalls({ call, isAsync }: Ready, count: number): void | Promise<void> {
  if (isAsync) return awaitCalls(call, count);
  for (let i = 0; i < count; i++) void call();
}

async function awaitCalls(call: Ready['call'], count: number): Promise<void> {
  for (let i = 0; i < count; i++) await call();
}

/** What each call takes: all of it, or of a stream one step after another. */
function inputsOf({ case: c, x }: Task, { layout }: Runner): Float32Array[] {
  if (c.kind === 'step') {
    return Array.from({ length: c.steps }, (_, t) => x.slice(t * c.inputSize, (t + 1) * c.inputSize));
  }
  if (layout === 'channels-first') return [swapEach(x, c.batch, c.steps)];
  return [layout === 'time-major' ? swapRows(x, c.batch, c.steps) : x];
}

function joined(c: Case, outputs: Float32Array[], { layout }: Runner): Float32Array {
  if (c.kind === 'step') return Float32Array.from(outputs.flatMap((y) => [...y]));
  if (layout === 'channels-first') return swapEach(outputs[0]!, c.batch, c.hiddenSize);
  return layout === 'time-major' ? swapRows(outputs[0]!, c.steps, c.batch) : outputs[0]!;
}

/** Carries out a command, and tells what became of it. */
export async function obey(session: Session, command: Command, order: Order): Promise<Reply<unknown>> {
  try {
    // JSON leaves out what is undefined, and so would lose the answer.
    return { result: (await session[command](order)) ?? null };
  } catch (error) {
    if (error instanceof LeftOut) return { leftOut: error.message };
    return { error: error instanceof Error ? error.message : String(error) };
  }
}
