import { GruError } from '../../base/errors.ts';
import type { Engine } from './engine.ts';

type Call = (a?: number, b?: number, c?: number, d?: number) => number;

/**
 * An instance of the core, through which all calls of it go. Whatever a call throws, a trap or a stack overflow, may have left its
 * work half done: the instance is dead then, and every further call says so.
 */
export class Instance {
  dead = false;
  /** The exports, guarded. Freeing on a dead instance does nothing, silently. */
  readonly engine: Engine;
  /** Apart from {@link engine}, where all guards share one call site: this one stays fast. */
  private readonly stateRun: Engine['state_run'];
  private during = '';
  private cause: unknown;

  constructor(engine: Engine) {
    this.stateRun = engine.state_run;
    const guarded = Object.entries(engine).map(([name, value]) => [
      name,
      typeof value === 'function' ? this.guard(name, value as Call) : (value as unknown),
    ]);
    this.engine = Object.fromEntries(guarded) as Engine;
  }

  /** `state_run` of a state that is known to live. */
  run(state: number): number {
    try {
      return this.stateRun(state);
    } catch (cause) {
      // Fields first: where the stack has overflowed, a call overflows it again.
      this.dead = true;
      this.during = 'state_run';
      this.cause = cause;
      throw this.error();
    }
  }

  /** What every use of a dead instance throws. */
  error(): GruError {
    const { during, cause } = this;
    const message = `the WebAssembly core failed in ${during} (${String(cause)}): models and streams on it are dead; make them again`;
    return new GruError('internal', message, { cause });
  }

  private guard(name: string, call: Call): Call {
    const frees = name.endsWith('_free');
    return (a, b, c, d) => {
      if (this.dead) {
        if (frees) return 0;
        throw this.error();
      }
      try {
        return call(a, b, c, d);
      } catch (cause) {
        this.dead = true;
        this.during = name;
        this.cause = cause;
        if (frees) return 0;
        throw this.error();
      }
    };
  }
}
