import { readFileSync } from 'node:fs';
import { pino } from 'pino';
import { authenticator } from './auth.ts';
import { createHttpServer } from './http/server.ts';
import { Metrics } from './metrics.ts';
import { loadModels } from './models.ts';
import type { ServeOptions } from './options.ts';
import { InferenceService } from './service.ts';

/** A server that listens. */
export interface RunningServer {
  /** Where it listens. */
  http: string;
  /** Answers what has been asked, writes the states, and ends. Idempotent. */
  close(): Promise<void>;
}

/** Loads the models and listens. @throws GruError of a model, Error of a port that is taken. */
export async function startServer(options: ServeOptions): Promise<RunningServer> {
  const logger = pino({ level: options.logLevel, base: null });
  const metrics = new Metrics();
  const service = await InferenceService.create(await loadModels(options.models), { ...options, observe: metrics });
  metrics.watch(service);
  const { tlsKey, tlsCert, tlsCa } = options;
  const tls =
    tlsKey !== undefined && tlsCert !== undefined
      ? { key: text(tlsKey), cert: text(tlsCert), ca: tlsCa === undefined ? undefined : text(tlsCa) }
      : undefined;
  const app = createHttpServer(service, {
    authenticate: authenticator(options.apiKeys),
    metrics,
    logger: logger,
    maxBody: options.maxBody,
    requestTimeout: options.requestTimeout,
    tls,
  });
  const http = await app.listen({ host: options.host, port: options.port });
  let closed: Promise<void> | undefined;
  const close = async () => {
    logger.info('draining');
    service.drain();
    await service.close();
    await app.close();
    logger.info('closed');
  };
  return { http, close: () => (closed ??= close()) };
}

const text = (path: string) => readFileSync(path, 'utf8');
