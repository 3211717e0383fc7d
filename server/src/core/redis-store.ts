import { randomInt } from 'node:crypto';
import { Redis } from 'ioredis';
import { ServeError } from '../errors.ts';
import type { SequenceStore, StoredSequence, Version, Write } from './store.ts';
import { bytesOf, valuesFrom } from './tensors.ts';

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
  /** Told when it goes away, and when it is there again. */
  warn: (text: string) => void;
}

const VERSION_BYTES = 6;
const MOST_VERSION = 2 ** (8 * VERSION_BYTES) - 1;
/** In place of a version: written in any case. */
const ANY = 0;

/** Buffers of scripts that are kept for the next: as many as are on their way at a time. */
const MAX_SPARE = 16;

/** Sequences that one script writes: 0.2 ms of Redis, which answers nobody else meanwhile. */
const MAX_OF_SCRIPT = 128;

/**
 * ARGV[3] is entries: the length of a key, the key, the version that is replaced, 0 (kept for ARGV[1] milliseconds) or 1 (ARGV[2]), the length of the value,
 * the value. A key is set where its value begins with that version, or the version is ANY; the places of the others are returned. One at a time, as Redis
 * runs scripts: of two instances that write the same sequence one is told that it came second. Keys of their own, which only a cluster needs, and a command
 * each took three times as long.
 */
const SET_IF = `
local call = redis.call
local refused = {}
local at, place = 1, 0
while at <= #ARGV[3] do
  local key, replaces, ended, value
  key, replaces, ended, value, at = struct.unpack('<I2c0c${VERSION_BYTES}BI4c0', ARGV[3], at)
  if replaces == '${'\\0'.repeat(VERSION_BYTES)}' or call('GETRANGE', key, '0', '${VERSION_BYTES - 1}') == replaces then
    call('SET', key, value, 'PX', ARGV[1 + ended])
  else
    refused[#refused + 1] = place
  end
  place = place + 1
end
return refused`;

type SetIf = (keys: 0, keep: number, keepEnded: number, entries: Buffer) => Promise<number[]>;

/** Sequences in Redis, a string each: {@link encodeValue}. */
export class RedisStore implements SequenceStore {
  private readonly redis: Redis & { setIf: SetIf };
  private readonly options: RedisStoreOptions;
  private readonly prefix: Buffer;
  private readonly spare: Buffer[] = [];
  private isClosing = false;

  private constructor(redis: Redis, options: RedisStoreOptions) {
    redis.defineCommand('setIf', { lua: SET_IF });
    this.redis = redis as Redis & { setIf: SetIf };
    this.options = options;
    this.prefix = Buffer.from(options.prefix);
    let isAway = false;
    redis.on('close', () => {
      if (!isAway && !this.isClosing) options.warn('the store of sequences is away');
      isAway = true;
    });
    redis.on('ready', () => {
      if (isAway) options.warn('the store of sequences is back');
      isAway = false;
    });
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
    } catch (error) {
      redis.disconnect();
      throw error;
    }
    return new RedisStore(redis, options);
  }

  async load(keys: readonly string[]): ReturnType<SequenceStore['load']> {
    const values = await this.ask(() => this.redis.mgetBuffer(keys.map((key) => this.options.prefix + key)));
    return values.map((value) => (value ? decodeValue(value) : undefined));
  }

  async save(writes: readonly Write[], states: Float32Array): ReturnType<SequenceStore['save']> {
    const version = randomInt(ANY + 1, MOST_VERSION);
    const rows = bytesOf(states);
    const size = rows.length / writes.length;
    const put = async (start: number) => {
      const some = writes.slice(start, start + MAX_OF_SCRIPT);
      const refused = await this.put(some, version, rows.subarray(start * size, (start + some.length) * size));
      return refused.map((place) => start + place);
    };
    const starts = Array.from({ length: Math.ceil(writes.length / MAX_OF_SCRIPT) }, (_, i) => i * MAX_OF_SCRIPT);
    const refused = await this.ask(() => Promise.all(starts.map(put)));
    return { version, refused: refused.flat() };
  }

  async close(): Promise<void> {
    this.isClosing = true;
    await this.redis.quit().catch(() => {
      this.redis.disconnect();
    });
  }

  private async put(writes: readonly Write[], version: Version, rows: Uint8Array): Promise<number[]> {
    const { prefix } = this;
    const { keep, keepEnded } = this.options;
    const most = writes.reduce((sum, write) => sum + mostOf(write, prefix), rows.length);
    const spare = this.spare.pop();
    const buffer = spare && spare.length >= most ? spare : Buffer.allocUnsafeSlow(most);
    const size = rows.length / writes.length;
    let end = 0;
    writes.forEach((write, i) => {
      end = encodeEntry(buffer, end, prefix, write, version, rows.subarray(i * size, (i + 1) * size));
    });
    const refused = await this.redis.setIf(0, keep, keepEnded, buffer.subarray(0, end));
    // What has been answered has been sent: 50 KB less to allocate for a script.
    if (this.spare.length < MAX_SPARE) this.spare.push(buffer);
    return refused;
  }

  private async ask<T>(question: () => Promise<T>): Promise<T> {
    try {
      return await question();
    } catch (error) {
      throw new ServeError('unavailable', 'the store of sequences does not answer: try again', { cause: error });
    }
  }
}

/** Bytes of a SHA-256 in base64, as the digest of a request is. */
const DIGEST = 44;
/** Version, steps, bytes of the state: before the state in a value. Steps and digest: before the outputs of the last answer. */
const HEADER = VERSION_BYTES + 8 + 4;
const LAST = 8 + DIGEST;
/** In place of the bytes of a state: the sequence has ended. */
const ENDED = 0xffffffff;

/** Bytes of an entry at most, without its state: UTF-8 has up to three for a unit of UTF-16. */
function mostOf({ key, last }: Write, prefix: Buffer): number {
  return 2 + prefix.length + 3 * key.length + VERSION_BYTES + 1 + 4 + HEADER + (last ? LAST + last.outputs.length : 0);
}

/** An entry of {@link SET_IF}, from `at`; gives where it ends. */
function encodeEntry(
  into: Buffer,
  at: number,
  prefix: Buffer,
  write: Write,
  version: Version,
  state: Uint8Array,
): number {
  into.set(prefix, at + 2);
  const length = prefix.length + into.write(write.key, at + 2 + prefix.length, 'utf8');
  at = into.writeUInt16LE(length, at) + length;
  at = into.writeUIntLE(write.version ?? ANY, at, VERSION_BYTES);
  at = into.writeUInt8(Number(write.ended), at);
  const end = encodeValue(into, at + 4, write, version, state);
  into.writeUInt32LE(end - at - 4, at);
  return end;
}

/** Version, steps, the state behind its length, and the last answer, where there is one: its step, digest and outputs. */
function encodeValue(
  into: Buffer,
  at: number,
  { step, ended, last }: Write,
  version: Version,
  state: Uint8Array,
): number {
  at = into.writeUIntLE(version, at, VERSION_BYTES);
  at = into.writeDoubleLE(step, at);
  at = into.writeUInt32LE(ended ? ENDED : state.length, at);
  if (!ended) {
    into.set(state, at);
    at += state.length;
  }
  if (!last) return at;
  at = into.writeDoubleLE(last.step, at);
  at += into.write(last.digest, at, DIGEST, 'latin1');
  into.set(last.outputs, at);
  return at + last.outputs.length;
}

/** Undefined for what is none: its lengths are not those that it says. */
function decodeValue(value: Buffer): StoredSequence | undefined {
  if (value.length < HEADER) return undefined;
  const bytes = value.readUInt32LE(HEADER - 4);
  const ended = bytes === ENDED;
  const end = HEADER + (ended ? 0 : bytes);
  const isWhole = value.length === end || value.length >= end + LAST;
  if (!isWhole || (end - HEADER) % 4 !== 0) return undefined;
  const digestAt = end + 8;
  return {
    version: value.readUIntLE(0, VERSION_BYTES),
    step: value.readDoubleLE(VERSION_BYTES),
    ended,
    state: valuesFrom('FP32', value.subarray(HEADER, end)) as Float32Array,
    last:
      end === value.length
        ? undefined
        : {
            step: value.readDoubleLE(end),
            digest: value.toString('latin1', digestAt, digestAt + DIGEST),
            outputs: value.subarray(digestAt + DIGEST),
          },
  };
}
