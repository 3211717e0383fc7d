import { once } from 'node:events';
import { createServer } from 'node:http';
import { afterEach, beforeEach, vi } from 'vitest';
import { type ClientOptions, WebSocket } from 'ws';
import type { GruModel } from 'gru-wasm';
import { authenticator } from '../src/auth.ts';
import { InferenceService } from '../src/service.ts';
import { attachWebSockets } from '../src/ws/server.ts';
import { OPTIONS } from './options.ts';

/** Connections that a server of {@link webSockets} takes. */
export const MAX_CONNECTIONS = 3;

/** A server of WebSockets for each test of a file, with keys `one` (which {@link Client}s have) and `two`. */
export function webSockets(models: () => Promise<Record<string, GruModel>>) {
  let service: InferenceService;
  let base: string;
  let stop: () => Promise<void>;
  let clients: () => number;

  beforeEach(async () => {
    service = await InferenceService.create(await models(), OPTIONS);
    const server = createServer();
    const sockets = attachWebSockets(server, service, {
      authenticate: authenticator(['one', 'two']),
      allowOrigins: ['https://app.example'],
      maxBody: 2 ** 16,
      maxConnections: MAX_CONNECTIONS,
      pingEvery: 60_000,
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    base = `ws://127.0.0.1:${(server.address() as { port: number }).port}`;
    clients = () => sockets.clients.size;
    stop = async () => {
      for (const client of sockets.clients) client.terminate();
      server.close();
      await service.close();
    };
  });
  afterEach(() => stop());

  return {
    /** Live sequences of the first model. */
    live: () => [...service.load()][0]!.live,
    connections: () => clients(),
    /** @throws Error with the status of a refusal. */
    async open(path: string, options: ClientOptions = {}, protocols: string[] = []) {
      const socket = new WebSocket(base + path, protocols, { headers: { 'x-api-key': 'one' }, ...options });
      const answers: (Buffer | string)[] = [];
      socket.on('message', (data: Buffer, isBinary) => answers.push(isBinary ? data : data.toString()));
      await once(socket, 'open');
      /** All answers, once there are so many. */
      const next = (count: number) => soon(() => (answers.length >= count ? answers : undefined));
      return { socket, next };
    },
  };
}

/** What `look` gives when it gives something. */
export const soon = <T>(look: () => T) => vi.waitUntil(look, { timeout: 60_000, interval: 5 });

export const floats = (answer: Buffer | string) => new Float32Array(Uint8Array.from(answer as Buffer).buffer);
