import { GruError } from '../../base/errors.ts';
import { checked, type Engine } from './engine.ts';

/**
 * A typed array over wasm memory that survives growth: `memory.grow`, by any model, detaches all views; a detached one has
 * length 0, and is made anew. This module alone makes views.
 */
export class View<T extends Float32Array | Int32Array> {
  private readonly memory: WebAssembly.Memory;
  private readonly type: new (buffer: ArrayBufferLike, offset: number, length: number) => T;
  private readonly address: number;
  private readonly length: number;
  private array: T;

  constructor(
    engine: Engine,
    type: new (buffer: ArrayBufferLike, offset: number, length: number) => T,
    address: number,
    length: number,
  ) {
    this.memory = engine.memory;
    this.type = type;
    this.address = address >>> 0;
    this.length = length;
    if (this.address === 0 && length > 0) throw new GruError('internal', 'a wasm buffer has no address');
    this.array = new type(this.memory.buffer, this.address, length);
  }

  get(): T {
    // `memory.buffer` is a call into the engine: asked only where the length does not tell.
    if (this.array.length !== this.length || (this.length === 0 && this.array.buffer !== this.memory.buffer)) {
      this.array = new this.type(this.memory.buffer, this.address, this.length);
    }
    return this.array;
  }
}

/** Values that a block holds. */
export type BlockData = Float32Array | Int32Array | Int16Array | Int8Array;

/** Copies values into a new block of 4-byte words. @throws GruError `out_of_memory`. */
function copyIn(engine: Engine, data: BlockData, what: string): number {
  const handle = checked(engine.block_new(Math.ceil(data.byteLength / 4)), what);
  const address = engine.block_address(handle) >>> 0;
  // As bytes: no conversion that could touch the payload of a NaN.
  new Uint8Array(engine.memory.buffer, address, data.byteLength).set(
    new Uint8Array(data.buffer, data.byteOffset, data.byteLength),
  );
  return handle;
}

/** Runs `f` with blocks that are freed afterwards, whatever happens. */
export function withBlocks<R>(engine: Engine, f: (copy: (data: BlockData, what: string) => number) => R): R {
  const handles: number[] = [];
  try {
    return f((data, what) => {
      const handle = copyIn(engine, data, what);
      handles.push(handle);
      return handle;
    });
  } finally {
    for (const handle of handles) engine.block_free(handle);
  }
}
