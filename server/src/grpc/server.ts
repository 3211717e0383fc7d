import { fileURLToPath } from 'node:url';
import {
  type handleUnaryCall,
  loadPackageDefinition,
  logVerbosity,
  Metadata,
  Server,
  ServerCredentials,
  type ServerDuplexStream,
  ServerInterceptingCall,
  type ServerInterceptor,
  ServerListenerBuilder,
  type ServiceDefinition,
  setLogVerbosity,
  status,
  type UntypedServiceImplementation,
} from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import { type Authenticate, keyOf } from '../auth.ts';
import type { Reason } from '../errors.ts';
import { describeServer, metadataOf, repositoryOf } from '../oip/messages.ts';
import { decodeProto, encodeProto, type ProtoRequest } from '../oip/proto.ts';
import { asServeError, type InferenceService } from '../service.ts';
import type { Tls } from '../tls.ts';

export interface GrpcOptions {
  authenticate: Authenticate;
  /** Bytes of a message. */
  maxBody: number;
}

/** proto/inference.proto: field names as it has them, whole numbers of 64 bits whole, nothing for what is not there. */
export const PROTO = fileURLToPath(new URL('../../proto/inference.proto', import.meta.url));
export const LOADING = {
  keepCase: true,
  defaults: false,
  oneofs: false,
  arrays: false,
} as const;

/** Requests of one stream that are on their way; so many, and no more are read. */
const MAX_OF_STREAM = 32;

const MAX_STREAMS = 1000;

interface ByName {
  name?: string;
  version?: string;
}

/** The Open Inference Protocol over gRPC. */
export function createGrpcServer(service: InferenceService, { authenticate, maxBody }: GrpcOptions): Server {
  const owner = (metadata: Metadata) => authenticate(keyOf(metadata.getMap()));
  const infer = async (who: string, request: ProtoRequest, metadata?: Metadata) => {
    const model = service.find(request.model_name ?? '', request.model_version);
    const decoded = decodeProto(model, request);
    decoded.traceparent = metadata?.get('traceparent')[0]?.toString();
    return encodeProto(await service.infer(who, model.name, decoded), decoded.outputs);
  };
  const find = ({ name = '', version }: ByName) => service.find(name, version);

  const handlers: UntypedServiceImplementation = {
    ServerLive: unary(() => ({ live: true })),
    ServerReady: unary(() => ({ ready: service.ready })),
    ModelReady: unary((request: ByName) => ({
      ready: find(request).name !== '' && service.ready,
    })),
    ServerMetadata: unary(() => describeServer()),
    ModelMetadata: unary((request: ByName) => metadataOf(find(request))),
    RepositoryIndex: unary(() => ({ models: repositoryOf(service.models) })),
    ModelInfer: unary((request: ProtoRequest, metadata) => infer(owner(metadata), request, metadata)),
    ModelStreamInfer: (call: ServerDuplexStream<ProtoRequest, unknown>) => {
      streamInfer(call, owner(call.metadata), infer);
    },
  };
  const server = new Server({
    interceptors: [admitting(owner)],
    'grpc.max_receive_message_length': maxBody,
    'grpc.max_concurrent_streams': MAX_STREAMS,
    'grpc.keepalive_time_ms': 60_000,
  });
  server.addService(inferenceService(), handlers);
  return server;
}

// What it would say of a port that is taken is in the error.
if (process.env['GRPC_VERBOSITY'] === undefined) setLogVerbosity(logVerbosity.NONE);

/** Binds, and gives the port. @throws (as a rejection) Error for a port that is taken. */
export function listen(server: Server, address: string, tls: Tls | undefined): Promise<number> {
  const pair = tls && [{ private_key: Buffer.from(tls.key), cert_chain: Buffer.from(tls.cert) }];
  const authority = tls?.ca === undefined ? null : Buffer.from(tls.ca);
  const credentials = pair
    ? ServerCredentials.createSsl(authority, pair, authority !== null)
    : ServerCredentials.createInsecure();
  return new Promise((resolve, reject) => {
    server.bindAsync(address, credentials, (error, port) => {
      if (error) reject(error);
      else resolve(port);
    });
  });
}

function inferenceService(): ServiceDefinition {
  const loaded = loadPackageDefinition(loadSync(PROTO, LOADING)) as unknown as {
    inference: { GRPCInferenceService: { service: ServiceDefinition } };
  };
  return loaded.inference.GRPCInferenceService.service;
}

/** What anybody may ask, as by HTTP. */
const OPEN = /\/(ServerLive|ServerReady|ModelReady|ServerMetadata)$/;

/** Refuses strangers by what comes before their message: of them none is read. */
function admitting(check: (metadata: Metadata) => void): ServerInterceptor {
  return ({ path }, call) =>
    new ServerInterceptingCall(call, {
      start(next) {
        const listener = new ServerListenerBuilder().withOnReceiveMetadata((metadata, goOn) => {
          try {
            if (!OPEN.test(path)) check(metadata);
            goOn(metadata);
          } catch (error) {
            call.sendStatus(statusOf(error));
          }
        });
        next(listener.build());
      },
    });
}

function unary<Request>(answer: (request: Request, metadata: Metadata) => unknown): handleUnaryCall<Request, unknown> {
  return ({ request, metadata }, callback) => {
    const work = new Promise((resolve) => {
      resolve(answer(request, metadata));
    });
    work.then(
      (value) => {
        callback(null, value);
      },
      (error: unknown) => {
        callback(statusOf(error));
      },
    );
  };
}

const STATUS: Record<Reason, status> = {
  bad_request: status.INVALID_ARGUMENT,
  unauthorized: status.UNAUTHENTICATED,
  forbidden: status.PERMISSION_DENIED,
  not_found: status.NOT_FOUND,
  timeout: status.DEADLINE_EXCEEDED,
  conflict: status.ABORTED,
  too_large: status.RESOURCE_EXHAUSTED,
  misdirected: status.PERMISSION_DENIED,
  too_many: status.RESOURCE_EXHAUSTED,
  unavailable: status.UNAVAILABLE,
  internal: status.INTERNAL,
};

function statusOf(error: unknown) {
  const { reason, message, step } = asServeError(error);
  const metadata = new Metadata();
  if (step !== undefined) metadata.set('sequence-step', String(step));
  return { code: STATUS[reason], details: message, metadata };
}

/** Answers in the order of the requests; an error of one does not end the stream. */
function streamInfer(
  call: ServerDuplexStream<ProtoRequest, unknown>,
  who: string,
  infer: (who: string, request: ProtoRequest) => Promise<unknown>,
): void {
  let running = 0;
  let last = Promise.resolve();
  call.on('data', (request: ProtoRequest) => {
    if (++running >= MAX_OF_STREAM) call.pause();
    const answer = infer(who, request).then(
      (infer_response) => ({ infer_response }),
      (error: unknown) => ({
        error_message: asServeError(error).message,
        infer_response: { id: request.id ?? '' },
      }),
    );
    last = last.then(async () => {
      const written = call.write(await answer);
      if (!written && !call.cancelled)
        await new Promise((resolve) => call.once('drain', resolve).once('close', resolve));
      if (--running < MAX_OF_STREAM) call.resume();
    });
  });
  call.on('end', () => {
    void last.then(() => call.end());
  });
}
