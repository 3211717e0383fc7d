/** What went wrong with a request, each with its HTTP status and gRPC code. */
const REASONS = {
  bad_request: { http: 400, grpc: 3 },
  unauthorized: { http: 401, grpc: 16 },
  not_found: { http: 404, grpc: 5 },
  timeout: { http: 504, grpc: 4 },
  /** The sequence is at another step than the request says. */
  conflict: { http: 409, grpc: 10 },
  too_large: { http: 413, grpc: 8 },
  /** More than this client may have. */
  too_many: { http: 429, grpc: 8 },
  /** More than the server can take now, for all clients together. */
  unavailable: { http: 503, grpc: 14 },
  internal: { http: 500, grpc: 13 },
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
    return REASONS[this.reason].http;
  }

  get grpc(): number {
    return REASONS[this.reason].grpc;
  }
}
