import { randomBytes } from 'node:crypto';
import { Redis } from 'ioredis';
import { ServeError } from '../errors.ts';
import type { LastAnswer, SequenceStore, StoredSequence, Version, Write } from './store.ts';

export interface RedisStoreOptions {
  /** redis:// or rediss://, Redis or Valkey. */
  url: string;
  /** Before each key: what belongs to one model of one fleet. */
  prefix: string;
  /** Milliseconds that a sequence is kept after its last write, and one that has ended, for requests that come again. */
  keep: number;
  keepEnded: number;
  /** Milliseconds that a command may take. */
  timeout: number;
}

const VERSION_BYTES = 12;
/** In place of a version: written in any case. */
const ANY = '\0'.repeat(VERSION_BYTES);

/** Buffers of scripts that are kept for the next: as many as are on their way at a time. */
const MAX_SPARE = 16;

/** Sequences that one script writes: 0.2 ms of Redis, which answers nobody else meanwhile. */
const MAX_OF_SCRIPT = 128;

/**
 * Each of KEYS is set to its value, for ARGV[1] milliseconds, where it begins with the version that the value says before itself, or that is ANY. One at a
 * time, as Redis runs scripts: of two instances that write the same sequence one is told that it came second. ARGV[2] is all values, each behind its
 * length: a command each, of four parts, took three times as long.
 */
const SET_IF = `
local written = {}
local at = 1
for i, key in ipairs(KEYS) do
  local length, start = struct.unpack('<I4', ARGV[2], at)
  at = start + length
  local replaces = string.sub(ARGV[2], start, start + ${VERSION_BYTES - 1})
  if replaces == string.rep('\\0', ${VERSION_BYTES}) or redis.call('GETRANGE', key, 0, ${VERSION_BYTES - 1}) == replaces then
    redis.call('SET', key, string.sub(ARGV[2], start + ${VERSION_BYTES}, at - 1), 'PX', ARGV[1])
    written[i] = 1
  else
    written[i] = 0
  end
end
return written`;

type SetIf = (keys: number, ...words: (string | number | Buffer)[]) => Promise<number[]>;

/** Sequences in Redis, a string each: its version, the length of a JSON header, the header, the state, the last answer. */
export class RedisStore implements SequenceStore {
  private readonly redis: Redis & { setIf: SetIf };
  private readonly options: RedisStoreOptions;
  private readonly spare: Buffer[] = [];

  private constructor(redis: Redis, options: RedisStoreOptions) {
    redis.defineCommand('setIf', { lua: SET_IF });
    this.redis = redis as Redis & { setIf: SetIf };
    this.options = options;
  }

  /** @throws (as a rejection) Error where there is no Redis at the URL. */
  static async connect(options: RedisStoreOptions): Promise<RedisStore> {
    const redis = new Redis(options.url, {
      lazyConnect: true,
      enableAutoPipelining: true,
      commandTimeout: options.timeout,
      maxRetriesPerRequest: 1,
      // A request is to fail at once where Redis is away: its client tries again, here or elsewhere.
      enableOfflineQueue: false,
      retryStrategy: (times) => Math.min(50 * times, 1000),
    });
    redis.on('error', () => undefined);
    try {
      await redis.connect();
      await redis.ping();
    } catch (error) {
      redis.disconnect();
      throw error;
    }
    return new RedisStore(redis, options);
  }

  async load(ids: readonly string[]): ReturnType<SequenceStore['load']> {
    const values = await this.ask(() => this.redis.mgetBuffer(ids.map((id) => this.key(id))));
    return values.map((value) => (value ? decode(value) : undefined));
  }

  async save(writes: readonly Write[]): Promise<(Version | undefined)[]> {
    const random = randomBytes(VERSION_BYTES * writes.length).toString('latin1');
    const { keep, keepEnded } = this.options;
    const versions: (Version | undefined)[] = [];
    const put = async (places: readonly number[], milliseconds: number) => {
      const some = places.map((i) => random.slice(i * VERSION_BYTES, (i + 1) * VERSION_BYTES));
      const values = encode(
        places.map((i) => writes[i]!),
        some,
        this.spare.pop(),
      );
      const keys = places.map((i) => this.key(writes[i]!.id));
      const written = await this.redis.setIf(places.length, ...keys, milliseconds, values.bytes);
      // What has been answered has been sent: 50 KB less to allocate for a script.
      if (this.spare.length < MAX_SPARE) this.spare.push(values.buffer);
      places.forEach((i, k) => (versions[i] = written[k] === 1 ? some[k] : undefined));
    };
    const places = [...writes.keys()];
    const hasEnded = (i: number) => writes[i]!.sequence.state.length === 0;
    await this.ask(() =>
      Promise.all([
        ...chunks(places.filter((i) => !hasEnded(i))).map((some) => put(some, keep)),
        ...chunks(places.filter(hasEnded)).map((some) => put(some, keepEnded)),
      ]),
    );
    return versions;
  }

  async close(): Promise<void> {
    await this.redis.quit().catch(() => {
      this.redis.disconnect();
    });
  }

  private key(id: string): string {
    return this.options.prefix + id;
  }

  private async ask<T>(question: () => Promise<T>): Promise<T> {
    try {
      return await question();
    } catch (error) {
      throw new ServeError('unavailable', 'the store of sequences does not answer: try again', { cause: error });
    }
  }
}

interface Header {
  step: number;
  state: number;
  last?: Omit<LastAnswer, 'outputs'> | undefined;
}

function chunks<T>(all: readonly T[]): T[][] {
  const count = Math.ceil(all.length / MAX_OF_SCRIPT);
  return Array.from({ length: count }, (_, i) => all.slice(i * MAX_OF_SCRIPT, (i + 1) * MAX_OF_SCRIPT));
}

/** Of each the length of what follows, the version that is replaced, and what {@link decode} reads. */
function encode(
  writes: readonly Write[],
  versions: readonly Version[],
  spare: Buffer | undefined,
): { bytes: Buffer; buffer: Buffer } {
  const headers = writes.map(({ sequence: { step, state, last } }) =>
    JSON.stringify({
      step,
      state: state.length,
      last: last && { step: last.step, digest: last.digest },
    } satisfies Header),
  );
  const lengths = writes.map(
    ({ sequence: { state, last } }, i) =>
      2 * VERSION_BYTES + 4 + headers[i]!.length + state.length + (last?.outputs.length ?? 0),
  );
  const total = lengths.reduce((sum, length) => sum + 4 + length, 0);
  const buffer = spare && spare.length >= total ? spare : Buffer.allocUnsafeSlow(total);
  const bytes = buffer.subarray(0, total);
  let at = 0;
  writes.forEach(({ sequence: { state, last }, replaces = ANY }, i) => {
    const header = headers[i]!;
    at = bytes.writeUInt32LE(lengths[i]!, at);
    at += bytes.write(replaces + versions[i]!, at, 'latin1');
    at = bytes.writeUInt32LE(header.length, at);
    at += bytes.write(header, at, 'latin1');
    for (const part of [state, last?.outputs ?? []]) {
      bytes.set(part, at);
      at += part.length;
    }
  });
  return { bytes, buffer };
}

function decode(value: Buffer): { sequence: StoredSequence; version: Version } {
  const start = VERSION_BYTES + 4;
  const end = start + value.readUInt32LE(VERSION_BYTES);
  const { step, state, last } = JSON.parse(value.toString('utf8', start, end)) as Header;
  const outputs = value.subarray(end + state);
  return {
    version: value.toString('latin1', 0, VERSION_BYTES),
    sequence: {
      step,
      state: value.subarray(end, end + state),
      last: last && { ...last, outputs },
    },
  };
}
