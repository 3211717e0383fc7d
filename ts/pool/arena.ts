/**
 * Where the arrays of a job are copied to. With shared memory a worker reads them there, and the next job has the same place;
 * else each array has a buffer of its own, which the worker is given. (Fresh pages for each job cost more than the copy.)
 */
export class Arena {
  private readonly shared = typeof SharedArrayBuffer === 'function';
  private buffer: ArrayBufferLike = new ArrayBuffer(0);
  private at = 0;

  /** What was taken before is not needed any more. */
  restart(): void {
    this.at = 0;
  }

  take<T extends Float32Array | Int32Array>(like: T, length: number): T {
    const type = like instanceof Int32Array ? Int32Array : Float32Array;
    if (!this.shared) return new type(length) as T;
    if (this.at + length * 4 > this.buffer.byteLength) {
      this.buffer = new SharedArrayBuffer(Math.max(length * 4, 2 * this.buffer.byteLength));
      this.at = 0;
    }
    const start = this.at;
    this.at += length * 4;
    return new type(this.buffer as ArrayBuffer, start, length) as T;
  }
}
