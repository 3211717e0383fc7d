import {
  fastify,
  type FastifyBaseLogger,
  type FastifyError,
  type FastifyInstance,
  type FastifyRequest,
  LogController,
} from 'fastify';
import { type Authenticate, keyOf } from '../auth.ts';
import { ServeError } from '../errors.ts';
import type { Metrics } from '../metrics.ts';
import { decodeInfer, encodeInfer } from '../oip/json.ts';
import { describeServer, metadataOf } from '../oip/messages.ts';
import { asServeError, type InferenceService } from '../service.ts';

export interface HttpOptions {
  authenticate: Authenticate;
  metrics: Metrics;
  logger: FastifyBaseLogger;
  /** Bytes of a request. */
  maxBody: number;
  /** Milliseconds that a client may take to send a request. */
  requestTimeout: number;
  tls?: { key: string; cert: string; ca?: string | undefined } | undefined;
}

interface ModelParams {
  model: string;
  version?: string;
}

const HEADER_LENGTH = 'inference-header-content-length';

/** The Open Inference Protocol over HTTP. */
export function createHttpServer(service: InferenceService, options: HttpOptions): FastifyInstance {
  const { authenticate, metrics, logger, maxBody, requestTimeout, tls } = options;
  const timeouts = {
    headersTimeout: requestTimeout,
    connectionsCheckingInterval: requestTimeout / 4,
  };
  const app = fastify({
    loggerInstance: logger,
    logController: new LogController({ disableRequestLogging: true }),
    bodyLimit: maxBody,
    requestTimeout,
    // Kept for as long as a client may think between two steps.
    keepAliveTimeout: 75_000,
    routerOptions: { maxParamLength: 256 },
    forceCloseConnections: 'idle',
    ...(tls ? { https: { ...timeouts, ...mutual(tls) } } : { http: timeouts }),
  }) as unknown as FastifyInstance;

  // Bodies are the protocol's, whatever type they say: clients send application/json, octet-stream, or none.
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, body, done) => {
    done(null, body);
  });

  app.setErrorHandler((error: FastifyError, request, reply) => {
    const isOurs = error instanceof ServeError;
    // Fastify's own: a body that is too large, a malformed URL, ...
    const refusal = isOurs || !error.statusCode || error.statusCode >= 500 ? asServeError(error) : undefined;
    const status = refusal?.http ?? error.statusCode!;
    if (status === 500) request.log.error(error);
    if (status === 429 || status === 503) void reply.header('retry-after', '1');
    if (status === 401) void reply.header('www-authenticate', 'Bearer');
    const step = refusal?.step === undefined ? {} : { sequence_step: refusal.step };
    return reply.code(status).send({ error: refusal?.message ?? error.message, ...step });
  });
  app.setNotFoundHandler((request, reply) =>
    reply.code(404).send({
      error: `there is no ${request.method} ${request.url.slice(0, 100)}`,
    }),
  );
  const owner = ({ headers }: FastifyRequest) => authenticate(keyOf(headers));

  app.get('/v2/health/live', () => ({ live: true }));
  app.get('/v2/health/ready', (_request, reply) =>
    reply.code(service.ready ? 200 : 503).send({ ready: service.ready }),
  );
  app.get('/metrics', async (request, reply) => {
    owner(request);
    return reply.type(metrics.registry.contentType).send(await metrics.registry.metrics());
  });
  app.get('/v2', () => describeServer());
  app.post('/v2/repository/index', (request) => {
    owner(request);
    return service.models.map(({ name, version }) => ({
      name,
      version,
      state: 'READY',
    }));
  });

  for (const path of ['/v2/models/:model', '/v2/models/:model/versions/:version']) {
    app.get<{ Params: ModelParams }>(path, (request) => {
      owner(request);
      return metadataOf(service.find(request.params.model, request.params.version));
    });
    app.get<{ Params: ModelParams }>(`${path}/ready`, (request, reply) => {
      const { name } = service.find(request.params.model, request.params.version);
      return reply.code(service.ready ? 200 : 503).send({ name, ready: service.ready });
    });
    app.post<{ Params: ModelParams; Body: Buffer | undefined }>(`${path}/infer`, async (request, reply) => {
      const who = owner(request);
      const { model, version } = request.params;
      const served = service.find(model, version);
      const body = {
        bytes: request.body ?? new Uint8Array(0),
        jsonLength: headerLength(request.headers[HEADER_LENGTH]),
      };
      const infer = decodeInfer(served, body);
      const answer = encodeInfer(await service.infer(who, model, infer), infer.outputs);
      if (answer.jsonLength === undefined) void reply.type('application/json');
      else void reply.type('application/octet-stream').header(HEADER_LENGTH, answer.jsonLength);
      return reply.send(answer.bytes);
    });
  }
  return app;
}

/** With an authority, clients must have a certificate of it. */
function mutual({ key, cert, ca }: NonNullable<HttpOptions['tls']>) {
  return ca === undefined ? { key, cert } : { key, cert, ca, requestCert: true, rejectUnauthorized: true };
}

function headerLength(value: string | string[] | undefined): number | undefined {
  if (value === undefined) return undefined;
  if (typeof value === 'string' && /^\d{1,15}$/.test(value)) return Number(value);
  throw new ServeError('bad_request', 'Inference-Header-Content-Length must be a whole number');
}
