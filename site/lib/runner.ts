import { GruError, type ModelSpec } from 'gru-wasm';
import type { Signal } from './data.ts';
import type { Drawing } from './drawing.ts';

/** What to run a model on. */
export interface Job {
  /** The model, with the first job of a thread. */
  spec?: ModelSpec;
  source: Signal | 'drawn';
  drawing: Drawing;
  /** Rows of numbers, which are taken in place of `source` and `steps`. */
  rows: number[][] | undefined;
  steps: number;
  /** The visitor has not chosen the number of steps: take what the model takes. */
  anySteps: boolean;
}

export interface Output {
  name: string;
  shape: string;
  /** What its lines run along. */
  axis: string;
  lines: Record<string, number[]>;
}

/** What the thread says. */
export type Message =
  | { kind: 'expected'; milliseconds: number }
  | { kind: 'done'; results: Output[]; milliseconds: number; backend: string; steps: number }
  | { kind: 'failed'; text: string };

/** As the library says it. */
export const explain = (error: unknown): string =>
  error instanceof GruError ? `${error.code}: ${error.message}` : String(error);

/**
 * Numbers of steps that a model might take, by its message about others: a layer that takes `wanted` steps got `got` of the `steps` of the input. The layers
 * before it leave steps as they are, take some away, or one in some.
 */
export function stepsThatFit(message: string, steps: number): number[] {
  const [, wanted, got] = (/takes sequences of (\d+) steps?, got one of (\d+)/.exec(message) ?? []).map(Number);
  if (!wanted || !got) return [];
  const candidates = [wanted, steps + wanted - got, Math.round((steps * wanted) / got)];
  return [...new Set(candidates)].filter((count) => count > 0 && count !== steps);
}

/** Runs one model in a thread of its own. A run that is stopped ends with its thread; the next one has a new thread. */
export class Runner {
  private readonly spec: ModelSpec;
  private worker: Worker | undefined;
  private reject: ((reason: unknown) => void) | undefined;

  constructor(spec: ModelSpec) {
    this.spec = spec;
  }

  /**
   * @param expected is told how many milliseconds a long run may take
   * @throws Error as the library said it, or that the run was stopped.
   */
  run(job: Job, expected: (milliseconds: number) => void): Promise<Message & { kind: 'done' }> {
    this.stop();
    const isNew = this.worker === undefined;
    const worker = (this.worker ??= new Worker(new URL('./run-worker.ts', import.meta.url), { type: 'module' }));
    return new Promise((resolve, reject) => {
      this.reject = reject;
      worker.onmessage = ({ data }: MessageEvent<Message>) => {
        if (data.kind === 'expected') {
          expected(data.milliseconds);
          return;
        }
        this.reject = undefined;
        if (data.kind === 'done') resolve(data);
        else reject(new Error(data.text));
      };
      worker.onerror = ({ message }) => {
        this.stop(true, message || 'the thread that runs the model did not start');
      };
      worker.postMessage(isNew ? { ...job, spec: this.spec } : job);
    });
  }

  /** Ends the run that is going on, if any; with `all` the thread in any case. */
  stop(all = false, why = 'stopped'): void {
    if (!all && !this.reject) return;
    this.worker?.terminate();
    this.worker = undefined;
    this.reject?.(new Error(why));
    this.reject = undefined;
  }
}
