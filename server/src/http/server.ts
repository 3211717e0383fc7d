import cors from '@fastify/cors';
import swagger from '@fastify/swagger';
import { fastify, type FastifyError, type FastifyInstance, type FastifyReply, LogController } from 'fastify';
import { checkHostHeader, checkOrigin } from '../auth.ts';
import { ServeError } from '../errors.ts';
import { quote } from '../oip/messages.ts';
import { asServeError, type InferenceService } from '../service.ts';
import type { Tls } from '../tls.ts';
import { VERSION } from '../version.ts';
import type { HttpOptions } from './options.ts';
import { addRoutes, HEADER_LENGTH } from './routes.ts';

/** For so long a browser does not ask again whether a page may send. */
const PREFLIGHT_SECONDS = 600;

/** The Open Inference Protocol over HTTP. */
export function createHttpServer(service: InferenceService, options: HttpOptions): FastifyInstance {
  const { allowOrigins, hosts, logger, maxBody, requestTimeout, tls } = options;
  const timeouts = {
    headersTimeout: requestTimeout,
    connectionsCheckingInterval: requestTimeout / 4,
  };
  const app = fastify({
    loggerInstance: logger,
    logController: new LogController({ disableRequestLogging: true }),
    // Of an address that is malformed: its own answer would not be as all others are.
    frameworkErrors(error, _request, reply) {
      void (reply as FastifyReply).code(error.statusCode ?? 400).send({ error: error.message });
    },
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
  app.addHook('onRequest', (request, _reply, done) => {
    checkHostHeader(request.headers, hosts);
    if (isSentUnasked(request.headers['content-type'])) checkOrigin(request.headers, allowOrigins);
    done();
  });
  app.addContentTypeParser('*', { parseAs: 'buffer' }, (request, body, done) => {
    const { 'content-encoding': encoding = 'identity' } = request.headers;
    if (encoding === 'identity') done(null, body);
    // A small one may be of any size: what it takes could not be bounded by what it has.
    else done(new ServeError('bad_request', `a body of content-encoding ${quote(encoding)}: send it as it is`));
  });

  // Schemas describe; what a request may be is said by the model that it is for.
  app.setValidatorCompiler(() => () => true);
  app.setSerializerCompiler(() => (value) => JSON.stringify(value));

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
  if (allowOrigins.length > 0) {
    void app.register(cors, {
      origin: [...allowOrigins],
      methods: ['GET', 'POST'],
      exposedHeaders: [HEADER_LENGTH, 'retry-after'],
      maxAge: PREFLIGHT_SECONDS,
    });
  }
  void app.register(swagger, {
    openapi: {
      info: { title: 'gru-wasm-server: Open Inference Protocol 2', version: VERSION },
      components: { securitySchemes: { key: { type: 'http', scheme: 'bearer' } } },
      security: [{}, { key: [] }],
    },
  });
  // In a plugin of their own: that of the description, which lists them, is loaded before.
  void app.register((scope, _options, done) => {
    addRoutes(scope, service, options);
    done();
  });
  return app;
}

/** Whether browsers send a body of this type to another origin without asking it first, as CORS has it. */
function isSentUnasked(type: string | undefined): boolean {
  return type === undefined || /^\s*(text\/plain|multipart\/form-data|application\/x-www-form-urlencoded)/i.test(type);
}

/** With an authority, clients must have a certificate of it. */
function mutual({ key, cert, ca }: Tls) {
  return ca === undefined ? { key, cert } : { key, cert, ca, requestCert: true, rejectUnauthorized: true };
}
