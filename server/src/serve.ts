import { readFileSync } from 'node:fs';
import { setTimeout } from 'node:timers/promises';
import type { Server } from '@grpc/grpc-js';
import { type Logger, pino } from 'pino';
import { authenticator } from './auth.ts';
import { digestOf } from './core/model.ts';
import { RedisStore } from './core/redis-store.ts';
import { createGrpcServer, listen } from './grpc/server.ts';
import { createHttpServer } from './http/server.ts';
import { Metrics } from './metrics.ts';
import { loadModels } from './models.ts';
import type { ServeOptions } from './options.ts';
import { InferenceService, type ServiceOptions } from './service.ts';
import type { Tls } from './tls.ts';
import { observers, Tracing } from './tracing.ts';
import { attachWebSockets } from './ws/server.ts';

/** A server that listens. */
export interface RunningServer {
  /** Where it listens. */
  http: string;
  grpcPort: number | undefined;
  /** Answers what has been asked, writes the states, and ends. Idempotent. */
  close(): Promise<void>;
}

const PING_EVERY = 30_000;
const GRACE = 1000;

/** Loads the models and listens. @throws GruError of a model, Error of a port that is taken; nothing is left open then. */
export async function startServer(options: ServeOptions): Promise<RunningServer> {
  const logger = pino({ level: options.logLevel, base: null });
  const metrics = new Metrics();
  const models = await loadModels(options.models);
  const warn = (text: string) => {
    logger.warn(text);
  };
  const tracing = options.otel ? await Tracing.start(warn) : undefined;
  const service = await InferenceService.create(models, {
    ...options,
    store: storeOf(options, tracing),
    observe: tracing ? observers(metrics, tracing) : metrics,
  });
  metrics.watch(service);
  const doors = new Doors(service, options, metrics, logger);
  const closeAll = async () => {
    logger.info('draining');
    await service.close();
    await doors.close();
    await tracing?.close();
    logger.info('closed');
  };
  try {
    const { http, grpcPort } = await doors.open();
    let closed: Promise<void> | undefined;
    return { http, grpcPort, close: () => (closed ??= closeAll()) };
  } catch (error) {
    await closeAll();
    throw error;
  }
}

/** Where requests come in: HTTP with WebSockets, and gRPC. */
class Doors {
  private readonly options: ServeOptions;
  private readonly logger: Logger;
  private readonly tls: Tls | undefined;
  private readonly app: ReturnType<typeof createHttpServer>;
  private readonly sockets: ReturnType<typeof attachWebSockets>;
  private readonly grpc: Server | undefined;

  constructor(service: InferenceService, options: ServeOptions, metrics: Metrics, logger: Logger) {
    const { grpcPort, maxBody, maxConnections, requestTimeout } = options;
    const authenticate = authenticator(options.apiKeys);
    const tls = readTls(options);
    [this.options, this.logger, this.tls] = [options, logger, tls];
    this.app = createHttpServer(service, { authenticate, metrics, logger, maxBody, requestTimeout, tls });
    this.app.server.maxConnections = maxConnections;
    this.sockets = attachWebSockets(this.app.server, service, {
      authenticate,
      maxBody,
      maxConnections,
      pingEvery: PING_EVERY,
    });
    this.grpc = grpcPort === undefined ? undefined : createGrpcServer(service, { authenticate, maxBody });
  }

  async open(): Promise<{ http: string; grpcPort: number | undefined }> {
    const { host, port, grpcPort } = this.options;
    // gRPC first: who finds HTTP there finds all there.
    const bound = this.grpc && (await listen(this.grpc, `${host}:${String(grpcPort)}`, this.tls));
    if (bound !== undefined) this.logger.info(`gRPC listening at ${host}:${bound}`);
    return { http: await this.app.listen({ host, port }), grpcPort: bound };
  }

  async close(): Promise<void> {
    for (const client of this.sockets.clients) client.close(1001, 'the server is shutting down');
    await grpcClosed(this.grpc);
    await this.app.close();
  }
}

/** With a store a sequence that has ended is kept for a minute, for a request that comes again. */
const KEEP_ENDED = 60_000;
const STORE_TIMEOUT = 5000;

function storeOf({ state, stateKeep }: ServeOptions, tracing: Tracing | undefined): ServiceOptions['store'] {
  if (state === undefined) return undefined;
  return async ({ name, model }) => {
    const store = await RedisStore.connect({
      url: state,
      // States are of one model: after a change of it there are none.
      prefix: `gru:${name}:${digestOf(model).slice(0, 16)}:`,
      keep: stateKeep,
      keepEnded: KEEP_ENDED,
      timeout: STORE_TIMEOUT,
    });
    return tracing ? tracing.store(name, store) : store;
  };
}

/** Answers that are being sent get through; a client that keeps its stream open is not waited for. */
async function grpcClosed(grpc: Server | undefined): Promise<void> {
  if (!grpc) return;
  const ended = new Promise<void>((resolve) => {
    grpc.tryShutdown(() => {
      resolve();
    });
  });
  await Promise.race([ended, setTimeout(GRACE, undefined, { ref: false })]);
  grpc.forceShutdown();
}

function readTls({ tlsKey, tlsCert, tlsCa }: ServeOptions): Tls | undefined {
  if (tlsKey === undefined || tlsCert === undefined) return undefined;
  const text = (path: string) => readFileSync(path, 'utf8');
  return {
    key: text(tlsKey),
    cert: text(tlsCert),
    ca: tlsCa === undefined ? undefined : text(tlsCa),
  };
}
