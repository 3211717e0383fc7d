import { availableParallelism } from 'node:os';
import { quote } from './oip/messages.ts';
import type { ServiceOptions } from './service.ts';
import { OTEL } from './tracing.ts';
import { helpOf, MOST_MILLISECONDS, MOST_PORT, MOST_THREADS, readTextOf, readWords, UsageError } from './words.ts';

export interface ServeOptions extends ServiceOptions {
  models: string[];
  host: string;
  port: number;
  grpcPort: number | undefined;
  /** Of a Redis; undefined: states live and die with this process. */
  state: string | undefined;
  stateKeep: number;
  maxConnections: number;
  apiKeys: string[];
  allowOrigins: string[];
  allowHosts: string[];
  maxBody: number;
  maxBodies: number;
  requestTimeout: number;
  logLevel: string;
  otel: boolean;
  tlsKey: string | undefined;
  tlsCert: string | undefined;
  tlsCa: string | undefined;
}

const LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'];

const WORDS = {
  numbers: {
    port: [8000, 'HTTP and WebSocket', MOST_PORT, 0],
    'grpc-port': [8001, 'gRPC', MOST_PORT, 0],
    window: [1, 'milliseconds that a request waits for others to run with', MOST_MILLISECONDS, 0],
    'max-batch': [1024, 'sequences of one batch'],
    'max-sequences': [10_000, 'live sequences of a model'],
    'max-sequences-of-key': [10_000, 'live sequences of one API key'],
    'max-state-bytes': [2 ** 30, "bytes of a model's live states"],
    'max-pending': [20_000, 'requests that may wait'],
    'max-connections': [20_000, 'connections, and streams of WebSockets'],
    'max-body': [16 * 2 ** 20, 'bytes of a request, and of the numbers of an answer'],
    'max-bodies': [2 ** 29, 'bytes of all requests by HTTP that are read or answered at a time'],
    'idle-timeout': [300_000, 'milliseconds after which an idle sequence is dropped', MOST_MILLISECONDS],
    'state-every': [16, 'steps between two writes of a sequence, with --durability interval'],
    'state-keep': [3_600_000, 'milliseconds that --state keeps a sequence after its last write'],
    'request-timeout': [30_000, 'milliseconds that a client may take to send a request', MOST_MILLISECONDS],
    timeout: [30_000, 'milliseconds that an answer may take', MOST_MILLISECONDS],
    workers: [Math.max(1, availableParallelism() - 1), 'threads for whole sequences', MOST_THREADS],
    'live-workers': [
      0,
      'threads that hold the states of live sequences; 0: they are stepped where requests are read',
      MOST_THREADS,
      0,
    ],
  },
  texts: {
    host: ['127.0.0.1', 'address to listen on'],
    'api-keys': [undefined, 'a file with one API key a line (or GRU_API_KEYS, separated by blanks)'],
    'allow-origins': [undefined, 'other origins whose pages may ask (CORS), with commas: https://app.example'],
    'allow-hosts': [
      undefined,
      'names by which requests may ask for it, with commas: needed behind a proxy on this machine, without keys',
    ],
    'log-level': ['info', LEVELS.join(', ')],
    state: [
      undefined,
      'redis://... that keeps the states of live sequences, so that another instance can go on',
      'GRU_STATE_URL',
    ],
    durability: ['batch', 'batch: states are written before answers go out; interval: every --state-every steps'],
    'tls-key': [undefined, 'PEM file'],
    'tls-cert': [undefined, 'PEM file'],
    'tls-ca': [undefined, 'PEM file: clients must have a certificate of this authority'],
  },
  flags: {
    'no-grpc': 'HTTP and WebSocket alone',
    otel: OTEL,
  },
} as const;

export const SERVE_HELP = `gru serve [options] MODEL...

Serves models by the Open Inference Protocol. MODEL is a file, or NAME=FILE.

${helpOf(WORDS)}`;

/** @throws UsageError. */
export function readServeOptions(args: string[], env: NodeJS.ProcessEnv = process.env): ServeOptions | 'help' {
  const given = readWords(args, WORDS, env);
  if (!given) return 'help';
  const { positionals, number, text } = given;
  if (positionals.length === 0) throw new UsageError('say which MODEL to serve: gru serve model.safetensors');
  if ((text('tls-key') === undefined) !== (text('tls-cert') === undefined)) {
    throw new UsageError('--tls-key and --tls-cert are given together');
  }
  if (text('tls-ca') !== undefined && text('tls-key') === undefined) throw new UsageError('--tls-ca needs --tls-key');
  if (number('max-bodies') < number('max-body')) {
    throw new UsageError('--max-bodies is less than --max-body: no request of that size would be read');
  }
  return {
    models: positionals,
    state: text('state'),
    stateKeep: number('state-keep'),
    storeEvery: durabilityOf(text('durability'), number('state-every')),
    host: text('host'),
    port: number('port'),
    grpcPort: given.flag('no-grpc') ? undefined : number('grpc-port'),
    maxConnections: number('max-connections'),
    apiKeys: readKeys(text('api-keys'), env['GRU_API_KEYS']),
    allowOrigins: originsOf(text('allow-origins')),
    allowHosts: hostsOf(text('allow-hosts')),
    maxBody: number('max-body'),
    maxAnswer: number('max-body'),
    maxBodies: number('max-bodies'),
    requestTimeout: number('request-timeout'),
    logLevel: levelOf(text('log-level')),
    otel: given.flag('otel'),
    tlsKey: text('tls-key'),
    tlsCert: text('tls-cert'),
    tlsCa: text('tls-ca'),
    window: number('window'),
    maxBatch: number('max-batch'),
    maxSequences: number('max-sequences'),
    maxSequencesOfKey: number('max-sequences-of-key'),
    maxStateBytes: number('max-state-bytes'),
    maxPending: number('max-pending'),
    idleTimeout: number('idle-timeout'),
    timeout: number('timeout'),
    workers: number('workers'),
    liveWorkers: number('live-workers'),
  };
}

/** @throws UsageError. */
function levelOf(word: string): string {
  if (LEVELS.includes(word)) return word;
  throw new UsageError(`--log-level must be one of ${LEVELS.join(', ')}, got ${quote(word)}`);
}

/** As browsers write them. `*` would be all pages that somebody who reaches the server looks at. @throws UsageError. */
function originsOf(words: string | undefined): string[] {
  const isOrigin = (word: string) => URL.canParse(word) && new URL(word).origin === word;
  return listOf('--allow-origins takes origins like https://app.example', words, isOrigin);
}

/** Without ports: a name is the server's at each of them. @throws UsageError. */
function hostsOf(words: string | undefined): string[] {
  return listOf('--allow-hosts takes names like gru.example', words, (word) => /^[\w-]+(\.[\w-]+)*$/.test(word));
}

/** Words with commas between them. @throws UsageError for one that is not what it `takes`. */
function listOf(takes: string, words: string | undefined, isRight: (word: string) => boolean): string[] {
  const list = words?.split(',') ?? [];
  const wrong = list.find((word) => !isRight(word));
  if (wrong === undefined) return list;
  throw new UsageError(`${takes}, got ${quote(wrong)}`);
}

/** Steps between two writes. @throws UsageError. */
function durabilityOf(word: string, every: number): number {
  if (word === 'batch') return 1;
  if (word === 'interval') return Math.max(every, 2);
  throw new UsageError(`--durability must be batch or interval, got ${quote(word)}`);
}

/** No keys from a file that has none would let everybody in. @throws UsageError. */
function readKeys(path: string | undefined, variable: string | undefined): string[] {
  const given = path === undefined ? variable : readTextOf('api-keys', path);
  if (given === undefined) return [];
  const keys = given.split(/\s+/).filter((key) => key !== '');
  if (keys.length === 0) throw new UsageError('there is no API key in what was given');
  return keys;
}
