import { randomUUID } from 'node:crypto';
import type { IncomingMessage, Server } from 'node:http';
import type { Duplex } from 'node:stream';
import { type RawData, type WebSocket, WebSocketServer } from 'ws';
import { type Authenticate, keyOf } from '../auth.ts';
import type { ServedModel } from '../core/model.ts';
import { bytesOf } from '../core/tensors.ts';
import { ServeError } from '../errors.ts';
import { decodeInfer, encodeInfer } from '../oip/json.ts';
import { checkIds, checkShape, type InferRequest, type Sequence, sequenceOf } from '../oip/messages.ts';
import { decodeRaw } from '../oip/raw.ts';
import { asServeError, type InferenceService } from '../service.ts';

export interface WebSocketOptions {
  authenticate: Authenticate;
  /** Bytes of a frame. */
  maxBody: number;
  maxConnections: number;
  /** Milliseconds between two pings; a client that has not answered the last is gone. */
  pingEvery: number;
}

/** Frames of a connection that are on their way, answers included that the client has not read; so many, and no more are read. */
const MAX_OF_STREAM = 32;

/** The subprotocol, and how a page, which cannot set headers, says its key: as another one. */
const PROTOCOL = 'gru-wasm';
const KEY = 'key.';

/**
 * One live stream a connection, at /v2/models/NAME/stream: frames in, results out, in the same order. A binary frame is the rows of the model's
 * one input, little-endian, and has the rows of its first output as answer; a text frame is a request of the protocol as JSON.
 */
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
      const stream = admit(request, sockets, service, options);
      sockets.handleUpgrade(request, socket, head, (client) => {
        serveStream(client, service, stream);
        keepAlive(client, options.pingEvery);
      });
    } catch (error) {
      refuse(socket, asServeError(error));
    }
  });
  return sockets;
}

interface Stream {
  owner: string;
  model: ServedModel;
  sequence: Sequence;
  /** Of this connection alone: it ends with it. */
  isOwn: boolean;
}

/** @throws ServeError for what is not let in. */
function admit(
  request: IncomingMessage,
  sockets: WebSocketServer,
  service: InferenceService,
  options: WebSocketOptions,
): Stream {
  const { headers, url = '' } = request;
  const { origin, host } = headers;
  // A page of another origin could otherwise use what its visitor may reach: WebSockets know no CORS.
  if (origin !== undefined && !origin.endsWith(`://${host ?? ''}`)) {
    throw new ServeError('unauthorized', `pages of ${origin.slice(0, 100)} are not let in`);
  }
  const owner = options.authenticate(keyOf(headers) ?? keyOfProtocols(headers['sec-websocket-protocol']));
  const { pathname, searchParams } = new URL(url, 'http://localhost');
  const name = /^\/v2\/models\/([\w.-]+)\/stream$/.exec(pathname)?.[1];
  if (name === undefined) throw new ServeError('not_found', 'streams are at /v2/models/NAME/stream');
  if (sockets.clients.size >= options.maxConnections) {
    throw new ServeError('unavailable', `there are ${options.maxConnections} streams, the most the server takes`);
  }
  if (!service.ready) throw new ServeError('unavailable', 'the server is shutting down: ask another');
  const model = service.find(name);
  const given = searchParams.get('sequence_id');
  const step = searchParams.get('sequence_step');
  const sequence = sequenceOf({
    sequence_id: given ?? randomUUID(),
    sequence_start: given === null || searchParams.get('sequence_start') === 'true',
    ...(step === null ? {} : { sequence_step: Number(step) }),
  })!;
  return { owner, model, sequence, isOwn: given === null };
}

function serveStream(client: WebSocket, service: InferenceService, { owner, model, sequence, isOwn }: Stream): void {
  const next = { ...sequence };
  let running = 0;
  let last = Promise.resolve();
  const send = (answer: Uint8Array | string) =>
    new Promise<void>((resolve) => {
      client.send(answer, () => {
        resolve();
      });
    });
  const answerTo = async (data: RawData, isBinary: boolean): Promise<Uint8Array | string> => {
    try {
      const bytes = data as Buffer;
      const request = isBinary ? frameOf(model, bytes) : decodeInfer(model, { bytes, jsonLength: undefined }, next);
      request.sequence = { ...next };
      const answer = service.infer(owner, model.name, request);
      next.start = false;
      next.step = undefined;
      const { outputs } = await answer;
      if (isBinary) return bytesOf(outputs[model.outputs[0]!.name]!.data);
      const wanted = request.outputs.map(({ port }) => ({
        port,
        binary: false,
      }));
      return Buffer.from(encodeInfer(await answer, wanted).bytes).toString();
    } catch (error) {
      const { message, reason, step } = asServeError(error);
      return JSON.stringify({
        error: message,
        reason,
        ...(step === undefined ? {} : { sequence_step: step }),
      });
    }
  };
  // Frames that a chunk of the network held still come after `pause`: they wait here.
  const frames: { data: RawData; isBinary: boolean }[] = [];
  const pump = () => {
    while (running < MAX_OF_STREAM && frames.length > 0) {
      const { data, isBinary } = frames.shift()!;
      running++;
      const answer = answerTo(data, isBinary);
      last = last.then(async () => {
        await send(await answer);
        running--;
        pump();
      });
    }
    if (frames.length === 0) client.resume();
  };
  client.on('message', (data, isBinary) => {
    frames.push({ data, isBinary });
    if (running >= MAX_OF_STREAM) client.pause();
    else pump();
  });
  // Of a frame that is too large, or malformed: ws closes the connection, with the code that says so.
  client.on('error', () => undefined);
  client.on('close', () => {
    frames.length = 0;
    if (isOwn)
      void last.then(() => {
        service.release(owner, model.name, next.id);
      });
  });
}

/** A binary frame as a request. */
function frameOf(model: ServedModel, bytes: Buffer): InferRequest {
  const [port] = model.inputs;
  if (!port || model.inputs.length > 1) {
    throw new ServeError('bad_request', `model ${model.name} has several inputs: send text frames`);
  }
  const steps = bytes.length / (4 * port.size);
  const shape = checkShape(
    port,
    port.shape.map((n, i) => (i === 0 ? 1 : n < 0 ? steps : n)),
    true,
  );
  const data = decodeRaw(port, shape, port.datatype, bytes);
  checkIds(port, data);
  return {
    id: undefined,
    inputs: { [port.name]: { data, shape } },
    outputs: [],
    sequence: undefined,
  };
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
  const token = protocols?.split(/ *, */).find((one) => one.startsWith(KEY));
  return token?.slice(KEY.length);
}

function refuse(socket: Duplex, { http, message }: ServeError): void {
  const body = JSON.stringify({ error: message });
  socket.on('error', () => undefined);
  socket.end(
    `HTTP/1.1 ${http} Refused\r\ncontent-type: application/json\r\ncontent-length: ${Buffer.byteLength(body)}\r\nconnection: close\r\n\r\n${body}`,
  );
}
