import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { keyOf } from '../auth.ts';
import { Bodies } from './bodies.ts';
import { ServeError } from '../errors.ts';
import { decodeInfer, encodeInfer } from '../oip/json.ts';
import { describeServer, metadataOf, repositoryOf } from '../oip/messages.ts';
import type { InferenceService } from '../service.ts';
import type { HttpOptions } from './options.ts';
import { SCHEMAS } from './schemas.ts';

interface ModelParams {
  model: string;
  version?: string;
}

export const HEADER_LENGTH = 'inference-header-content-length';

/** The protocol's routes. */
export function addRoutes(
  app: FastifyInstance,
  service: InferenceService,
  {
    authenticate,
    metrics,
    maxBody,
    maxBodies,
  }: Pick<HttpOptions, 'authenticate' | 'metrics' | 'maxBody' | 'maxBodies'>,
): void {
  const bodies = new Bodies(maxBodies, maxBody);
  const owner = ({ headers }: FastifyRequest) => authenticate(keyOf(headers));
  /** Before the body is read: of a stranger none is kept, of others as many bytes as there is room for. */
  const onRequest = (request: FastifyRequest, reply: FastifyReply, done: () => void) => {
    owner(request);
    bodies.take(request.raw, reply.raw);
    done();
  };

  app.get('/openapi.json', { schema: { hide: true } }, () => app.swagger());
  app.get('/v2/health/live', { schema: SCHEMAS.live }, () => ({ live: true }));
  app.get('/v2/health/ready', { schema: SCHEMAS.ready }, (_request, reply) =>
    reply.code(service.ready ? 200 : 503).send({ ready: service.ready }),
  );
  app.get('/metrics', { schema: SCHEMAS.metrics }, async (request, reply) => {
    owner(request);
    return reply.type(metrics.registry.contentType).send(await metrics.registry.metrics());
  });
  app.get('/v2', { schema: SCHEMAS.server }, () => describeServer());
  app.post('/v2/repository/index', { onRequest, schema: SCHEMAS.repository }, () => repositoryOf(service.models));

  for (const path of ['/v2/models/:model', '/v2/models/:model/versions/:version']) {
    const versioned = path.endsWith(':version');
    app.get<{ Params: ModelParams }>(path, { schema: SCHEMAS.model(service.models, versioned) }, (request) => {
      owner(request);
      return metadataOf(service.find(request.params.model, request.params.version));
    });
    app.get<{ Params: ModelParams }>(
      `${path}/ready`,
      { schema: SCHEMAS.modelReady(service.models, versioned) },
      (request, reply) => {
        const { name } = service.find(request.params.model, request.params.version);
        return reply.code(service.ready ? 200 : 503).send({ name, ready: service.ready });
      },
    );
    app.post<{ Params: ModelParams; Body: Buffer | undefined }>(
      `${path}/infer`,
      { onRequest, schema: SCHEMAS.infer(service.models, versioned) },
      async (request, reply) => {
        const who = owner(request);
        const { model, version } = request.params;
        const served = service.find(model, version);
        const body = {
          bytes: request.body ?? new Uint8Array(0),
          jsonLength: headerLength(request.headers[HEADER_LENGTH]),
        };
        const infer = decodeInfer(served, body);
        infer.traceparent = request.headers['traceparent'] as string | undefined;
        const answer = encodeInfer(await service.infer(who, model, infer), infer.outputs);
        if (answer.jsonLength === undefined) void reply.type('application/json');
        else void reply.type('application/octet-stream').header(HEADER_LENGTH, answer.jsonLength);
        return reply.send(answer.bytes);
      },
    );
  }
}

function headerLength(value: string | string[] | undefined): number | undefined {
  if (value === undefined) return undefined;
  if (typeof value === 'string' && /^\d{1,15}$/.test(value)) return Number(value);
  throw new ServeError('bad_request', 'Inference-Header-Content-Length must be a whole number');
}
