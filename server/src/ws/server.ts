import type { IncomingMessage, Server } from 'node:http';
import type { Duplex } from 'node:stream';
import { type WebSocket, WebSocketServer } from 'ws';
import { type Authenticate, checkHostHeader, checkOrigin, keyOf } from '../auth.ts';
import { ServeError } from '../errors.ts';
import { quote } from '../oip/messages.ts';
import { asServeError, type InferenceService } from '../service.ts';
import type { Serve } from './frames.ts';
import { manyOf } from './many.ts';
import { streamOf } from './stream.ts';

export interface WebSocketOptions {
  authenticate: Authenticate;
  /** Other origins whose pages are let in. */
  allowOrigins: readonly string[];
  /** Names by which requests may ask for this server; undefined: any. */
  hosts?: readonly string[] | undefined;
  /** Bytes of a frame. */
  maxBody: number;
  maxConnections: number;
  /** Milliseconds between two pings; a client that has not answered the last is gone. */
  pingEvery: number;
}

/** The subprotocol, and how a page, which cannot set headers, says its key: as another one. */
const PROTOCOL = 'gru-wasm';
const KEY = 'key.';

/** What a connection is for, by the end of its path. @throws ServeError for words of its address that it does not take. */
const KINDS = { stream: streamOf, streams: manyOf };

/** Live streams at /v2/models/NAME/stream, one a connection (stream.ts), and /v2/models/NAME/streams, many on one (many.ts). */
export function attachWebSockets(
  server: Server,
  service: InferenceService,
  options: WebSocketOptions,
): WebSocketServer {
  const sockets = new WebSocketServer({
    noServer: true,
    maxPayload: options.maxBody,
    perMessageDeflate: false,
    handleProtocols: (protocols) => (protocols.has(PROTOCOL) ? PROTOCOL : false),
  });
  server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    try {
      const serve = admit(request, sockets, service, options);
      sockets.handleUpgrade(request, socket, head, (client) => {
        serve(client);
        keepAlive(client, options.pingEvery);
      });
    } catch (error) {
      refuse(socket, asServeError(error));
    }
  });
  return sockets;
}

/** @throws ServeError for what is not let in. */
function admit(
  request: IncomingMessage,
  sockets: WebSocketServer,
  service: InferenceService,
  options: WebSocketOptions,
): Serve {
  const { headers, url = '' } = request;
  checkHostHeader(headers, options.hosts);
  // WebSockets know no CORS.
  checkOrigin(headers, options.allowOrigins);
  const owner = options.authenticate(keyOf(headers) ?? keyOfProtocols(headers['sec-websocket-protocol']));
  const address = `http://localhost${url}`;
  // As text behind the host: of //x the host would be x.
  if (!URL.canParse(address)) throw new ServeError('bad_request', `${quote(url)} is no path`);
  const { pathname, searchParams } = new URL(address);
  const [, name, kind] = /^\/v2\/models\/([\w.-]+)\/(streams?)$/.exec(pathname) ?? [];
  if (name === undefined) {
    throw new ServeError('not_found', 'streams are at /v2/models/NAME/stream, many on one connection at /streams');
  }
  if (sockets.clients.size >= options.maxConnections) {
    throw new ServeError('unavailable', `there are ${options.maxConnections} streams, the most the server takes`);
  }
  if (!service.ready) throw new ServeError('unavailable', 'the server is shutting down: ask another');
  return KINDS[kind as keyof typeof KINDS](service, owner, service.find(name), searchParams);
}

function keepAlive(client: WebSocket, every: number): void {
  let isAlive = true;
  client.on('pong', () => (isAlive = true));
  const timer = setInterval(() => {
    if (!isAlive) {
      client.terminate();
      return;
    }
    isAlive = false;
    client.ping();
  }, every);
  client.on('close', () => {
    clearInterval(timer);
  });
}

function keyOfProtocols(protocols: string | undefined): string | undefined {
  const token = protocols
    ?.split(',')
    .map((one) => one.trim())
    .find((one) => one.startsWith(KEY));
  return token?.slice(KEY.length);
}

function refuse(socket: Duplex, { http, message }: ServeError): void {
  const body = JSON.stringify({ error: message });
  socket.on('error', () => undefined);
  socket.end(
    `HTTP/1.1 ${http} Refused\r\ncontent-type: application/json\r\ncontent-length: ${Buffer.byteLength(body)}\r\nconnection: close\r\n\r\n${body}`,
  );
}
