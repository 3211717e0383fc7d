import type { IncomingMessage, ServerResponse } from 'node:http';
import { ServeError } from '../errors.ts';

/**
 * Bytes of the bodies of all requests that are read or answered. Each has a bound of its own, but as many as there are connections, sent slowly, are more
 * than a machine has.
 */
export class Bodies {
  private readonly most: number;
  private readonly mostOfOne: number;
  private taken = 0;

  constructor(most: number, mostOfOne: number) {
    this.most = most;
    this.mostOfOne = mostOfOne;
  }

  /** Counts a request until it is answered or gone, by the length that it says, or the longest where it says none. @throws ServeError 503. */
  take({ headers }: IncomingMessage, response: ServerResponse): void {
    const length = headers['transfer-encoding'] === undefined ? Number(headers['content-length'] ?? 0) : Infinity;
    const bytes = Math.min(length, this.mostOfOne);
    if (this.taken + bytes > this.most) {
      throw new ServeError(
        'unavailable',
        `requests of ${this.taken} bytes are on their way, and --max-bodies is ${this.most}`,
      );
    }
    this.taken += bytes;
    response.once('close', () => {
      this.taken -= bytes;
    });
  }
}
