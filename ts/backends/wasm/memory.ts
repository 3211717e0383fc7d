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

/** Words handed to the core: a block of its memory, to be freed. */
export interface Block {
  handle: number;
  length: number;
}

/** Copies 4-byte words into a new block. @throws GruError `out_of_memory`. */
export function copyIn(engine: Engine, data: Float32Array | Int32Array, what: string): Block {
  const handle = checked(engine.block_new(data.length), what);
  const address = engine.block_address(handle) >>> 0;
  // As integers: no conversion that could touch the payload of a NaN.
  new Int32Array(engine.memory.buffer, address, data.length).set(
    new Int32Array(data.buffer, data.byteOffset, data.length),
  );
  return { handle, length: data.length };
}

/** Runs `f` with blocks that are freed afterwards, whatever happens. */
export function withBlocks<R>(
  engine: Engine,
  f: (copy: (data: Float32Array | Int32Array, what: string) => Block) => R,
): R {
  const handles: number[] = [];
  try {
    return f((data, what) => {
      const block = copyIn(engine, data, what);
      handles.push(block.handle);
      return block;
    });
  } finally {
    for (const handle of handles) engine.block_free(handle);
  }
}
