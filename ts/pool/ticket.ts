/**
 * A word of shared memory with the id of a job that waits for a busy worker. Who swaps it for 0 has the job: the worker that
 * comes to it, or the pool, which then gives it to another, or to none.
 */
export type Ticket = Int32Array;

export function claim(ticket: Ticket, id: number): boolean {
  return Atomics.compareExchange(ticket, 0, id, 0) === id;
}
