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

/**
 * KEYS[1] is set to ARGV[2], for ARGV[3] milliseconds, where it begins with ARGV[1], or ARGV[1] is empty. One at a time, as Redis runs scripts: of two
 * instances that write the same sequence one is told that it came second.
 */
const SET_IF = `
if ARGV[1] ~= '' and redis.call('GETRANGE', KEYS[1], 0, ${VERSION_BYTES - 1}) ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
return 1`;

type SetIf = (key: string, replaces: Buffer, value: Buffer, milliseconds: number) => Promise<number>;

/** Sequences in Redis, a string each: its version, the length of a JSON header, the header, the state, the last answer. */
export class RedisStore implements SequenceStore {
  private readonly redis: Redis & { setIf: SetIf };
  private readonly options: RedisStoreOptions;

  private constructor(redis: Redis, options: RedisStoreOptions) {
    redis.defineCommand('setIf', { numberOfKeys: 1, lua: SET_IF });
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
    const { keep, keepEnded } = this.options;
    return this.ask(() =>
      Promise.all(
        writes.map(async ({ id, sequence, replaces }) => {
          const version = randomBytes(VERSION_BYTES);
          const before = Buffer.from(replaces ?? '', 'base64');
          const milliseconds = sequence.state.length === 0 ? keepEnded : keep;
          const isSet = await this.redis.setIf(this.key(id), before, encode(version, sequence), milliseconds);
          return isSet === 1 ? version.toString('base64') : undefined;
        }),
      ),
    );
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

function encode(version: Buffer, { step, state, last }: StoredSequence): Buffer {
  const header: Header = {
    step,
    state: state.length,
    last: last && { step: last.step, digest: last.digest },
  };
  const json = Buffer.from(JSON.stringify(header));
  const length = Buffer.alloc(4);
  length.writeUInt32LE(json.length);
  return Buffer.concat([version, length, json, state, last?.outputs ?? new Uint8Array(0)]);
}

function decode(value: Buffer): { sequence: StoredSequence; version: Version } {
  const start = VERSION_BYTES + 4;
  const end = start + value.readUInt32LE(VERSION_BYTES);
  const { step, state, last } = JSON.parse(value.toString('utf8', start, end)) as Header;
  const outputs = value.subarray(end + state);
  return {
    version: value.toString('base64', 0, VERSION_BYTES),
    sequence: {
      step,
      state: value.subarray(end, end + state),
      last: last && { ...last, outputs },
    },
  };
}
