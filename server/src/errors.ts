/** What went wrong with a request, each with its HTTP status. (Its status of gRPC: grpc/server.ts.) */
const REASONS = {
  bad_request: 400,
  unauthorized: 401,
  /** A page of an origin that is not let in. */
  forbidden: 403,
  not_found: 404,
  timeout: 504,
  /** The sequence is at another step than the request says. */
  conflict: 409,
  too_large: 413,
  /** Meant for another host than this server. */
  misdirected: 421,
  /** More than this client may have. */
  too_many: 429,
  /** More than the server can take now, for all clients together. */
  unavailable: 503,
  internal: 500,
} as const;

export type Reason = keyof typeof REASONS;

/** A refusal that the client gets to see. */
export class ServeError extends Error {
  override readonly name = 'ServeError';
  readonly reason: Reason;
  /** For `conflict`: the step that the sequence is at. */
  readonly step: number | undefined;

  constructor(reason: Reason, message: string, options?: ErrorOptions & { step?: number }) {
    super(message, options);
    this.reason = reason;
    this.step = options?.step;
  }

  get http(): number {
    return REASONS[this.reason];
  }
}
