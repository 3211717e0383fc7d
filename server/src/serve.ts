import { X509Certificate } from 'node:crypto';
import { setTimeout } from 'node:timers/promises';
import { createSecureContext } from 'node:tls';
import type { Server } from '@grpc/grpc-js';
import { CommandError, EXIT } from 'gru-wasm/command';
import { type Logger, pino } from 'pino';
import { authenticator } from './auth.ts';
import { digestOf } from './core/model.ts';
import { RedisStore } from './core/redis-store.ts';
import { createGrpcServer, listen } from './grpc/server.ts';
import { createHttpServer } from './http/server.ts';
import { isLoopback, listening } from './listening.ts';
import { Metrics } from './metrics.ts';
import { loadModels } from './models.ts';
import type { ServeOptions } from './options.ts';
import { checkRedis } from './redis.ts';
import { InferenceService, type ServiceOptions } from './service.ts';
import type { Tls } from './tls.ts';
import { observers, Tracing } from './tracing.ts';
import { readTextOf } from './words.ts';
import { attachWebSockets } from './ws/server.ts';

/** A server that listens. */
export interface RunningServer {
  /** Where it listens. */
  http: string;
  grpcPort: number | undefined;
  /** Answers what has been asked, writes the states, and ends. Idempotent. @throws (as a rejection) CommandError where states are lost. */
  close(): Promise<void>;
}

const PING_EVERY = 30_000;
const GRACE = 1000;

/** Loads the models and listens. @throws GruError of a model; CommandError of files, a Redis or a port that is taken. Nothing is left open then. */
export async function startServer(options: ServeOptions): Promise<RunningServer> {
  const logger = pino({ level: options.logLevel, base: null });
  const metrics = new Metrics();
  const tls = readTls(options);
  const hosts = hostsOf(options, await isLoopback(options.host));
  if (options.state !== undefined) await checkRedis('state', options.state);
  const models = await loadModels(options.models);
  const warn = (text: string) => {
    logger.warn(text);
  };
  const tracing = options.otel ? await Tracing.start(warn) : undefined;
  const service = await InferenceService.create(models, {
    ...options,
    store: storeOf(options, tracing, warn),
    observe: tracing ? observers(metrics, tracing) : metrics,
  });
  metrics.watch(service);
  const doors = new Doors(service, { ...options, tls, hosts }, metrics, logger);
  const closeAll = async () => {
    logger.info('draining');
    try {
      await service.close();
    } catch (cause) {
      const { message } = cause as Error;
      throw new CommandError(EXIT.host, `the last steps of live sequences are not in the store: ${message}`, { cause });
    } finally {
      await doors.close();
      await tracing?.close();
      logger.info('closed');
    }
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

type DoorOptions = ServeOptions & { tls: Tls | undefined; hosts: readonly string[] | undefined };

/** Where requests come in: HTTP with WebSockets, and gRPC. */
class Doors {
  private readonly options: DoorOptions;
  private readonly logger: Logger;
  private readonly app: ReturnType<typeof createHttpServer>;
  private readonly sockets: ReturnType<typeof attachWebSockets>;
  private readonly grpc: Server | undefined;

  constructor(service: InferenceService, options: DoorOptions, metrics: Metrics, logger: Logger) {
    const { allowOrigins, grpcPort, hosts, maxBody, maxBodies, maxConnections, requestTimeout, tls } = options;
    const authenticate = authenticator(options.apiKeys);
    [this.options, this.logger] = [options, logger];
    this.app = createHttpServer(service, {
      authenticate,
      allowOrigins,
      hosts,
      metrics,
      logger,
      maxBody,
      maxBodies,
      requestTimeout,
      tls,
    });
    this.app.server.maxConnections = maxConnections;
    this.sockets = attachWebSockets(this.app.server, service, {
      authenticate,
      allowOrigins,
      hosts,
      maxBody,
      maxConnections,
      pingEvery: PING_EVERY,
    });
    this.grpc = grpcPort === undefined ? undefined : createGrpcServer(service, { authenticate, maxBody });
  }

  async open(): Promise<{ http: string; grpcPort: number | undefined }> {
    const { host, port, grpcPort, tls } = this.options;
    // gRPC first: who finds HTTP there finds all there.
    let bound: number | undefined;
    if (this.grpc) {
      const address = `${host}:${String(grpcPort)}`;
      bound = await listening('grpc-port', address, listen(this.grpc, address, tls));
      this.logger.info(`gRPC listening at ${host}:${bound}`);
    }
    const http = await listening('port', `${host}:${port}`, this.app.listen({ host, port }));
    return { http, grpcPort: bound };
  }

  async close(): Promise<void> {
    for (const client of this.sockets.clients) client.close(1001, 'the server is shutting down');
    await grpcClosed(this.grpc);
    await this.app.close();
  }
}

/**
 * The names by which requests may ask for this server; undefined: any. Without keys and TLS, being on this machine is what lets a client in, and each page that somebody opens
 * on it is there too.
 */
function hostsOf({ host, allowHosts, apiKeys, tlsKey }: ServeOptions, isLocal: boolean): string[] | undefined {
  const isOpen = isLocal && apiKeys.length === 0 && tlsKey === undefined;
  return isOpen || allowHosts.length > 0 ? [host, ...allowHosts].map((name) => name.toLowerCase()) : undefined;
}

/** With a store a sequence that has ended is kept for a minute, for a request that comes again. */
const KEEP_ENDED = 60_000;
const STORE_TIMEOUT = 5000;

function storeOf(
  { state, stateKeep }: ServeOptions,
  tracing: Tracing | undefined,
  warn: (text: string) => void,
): ServiceOptions['store'] {
  if (state === undefined) return undefined;
  return async ({ name, model }) => {
    const store = await RedisStore.connect({
      url: state,
      // States are of one model: after a change of it there are none.
      prefix: `gru:${name}:${digestOf(model).slice(0, 16)}:`,
      keep: stateKeep,
      keepEnded: KEEP_ENDED,
      timeout: STORE_TIMEOUT,
      warn,
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

/** @throws CommandError for files that are no PEM of their kind. */
function readTls({ tlsKey, tlsCert, tlsCa }: ServeOptions): Tls | undefined {
  if (tlsKey === undefined || tlsCert === undefined) return undefined;
  const [key, cert] = [readTextOf('tls-key', tlsKey), readTextOf('tls-cert', tlsCert)];
  const ca = tlsCa === undefined ? undefined : readTextOf('tls-ca', tlsCa);
  try {
    if (ca !== undefined) new X509Certificate(ca);
    createSecureContext({ key, cert, ca });
  } catch (cause) {
    const { message } = cause as Error;
    throw new CommandError(
      EXIT.file,
      `--tls-key, --tls-cert, --tls-ca: not a key and its certificates (PEM): ${message}`,
      { cause },
    );
  }
  return { key, cert, ca };
}
