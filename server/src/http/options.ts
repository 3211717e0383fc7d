import type { FastifyBaseLogger } from 'fastify';
import type { Authenticate } from '../auth.ts';
import type { Metrics } from '../metrics.ts';
import type { Tls } from '../tls.ts';

/** Options of the HTTP server. */
export interface HttpOptions {
  authenticate: Authenticate;
  /** Other origins whose pages are let in (CORS). */
  allowOrigins: readonly string[];
  /** Names by which requests may ask for this server; undefined: any. */
  hosts?: readonly string[] | undefined;
  metrics: Metrics;
  logger: FastifyBaseLogger;
  /** Bytes of a request. */
  maxBody: number;
  /** Bytes of all requests at a time. */
  maxBodies: number;
  /** Milliseconds that a client may take to send a request. */
  requestTimeout: number;
  tls?: Tls | undefined;
}
