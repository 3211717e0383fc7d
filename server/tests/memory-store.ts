import type { SequenceStore, StoredSequence, Write } from '../src/core/store.ts';
import { ServeError } from '../src/errors.ts';

/** A store that several instances share, without a network. */
export class MemoryStore implements SequenceStore {
  readonly entries = new Map<string, StoredSequence>();
  /** Answers that are lost on their way: what was written is there. */
  lose = 0;
  private writes = 0;

  load(keys: readonly string[]) {
    return Promise.resolve(keys.map((key) => this.entries.get(key)));
  }

  save(writes: readonly Write[], states: Float32Array) {
    const version = ++this.writes;
    const size = states.length / writes.length;
    const refused: number[] = [];
    writes.forEach(({ key, version: replaces, step, ended, last }, i) => {
      if (replaces !== undefined && this.entries.get(key)?.version !== replaces) refused.push(i);
      else this.entries.set(key, { version, step, ended, last, state: states.slice(i * size, (i + 1) * size) });
    });
    return this.lose-- > 0
      ? Promise.reject(new ServeError('unavailable', 'no answer'))
      : Promise.resolve({ version, refused });
  }

  close() {
    return Promise.resolve();
  }
}
