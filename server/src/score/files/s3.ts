import { setTimeout } from 'node:timers/promises';
import type { S3Client } from '@aws-sdk/client-s3';
import { CommandError, EXIT } from 'gru-wasm/command';
import { UsageError } from '../../words.ts';
import { changed } from './disk.ts';
import type { Files, FileVersion } from './files.ts';
import { isBroken, isMissing, refusalOf } from './s3-errors.ts';
import { PartedObject } from './s3-parts.ts';

/** Each look is a paid request, for each thousand names. */
const LOOK_EVERY = 2000;

/** Milliseconds without a connection, and without a byte on it. */
const CONNECT_LIMIT = 10_000;
const SILENCE_LIMIT = 60_000;

/** A body that breaks off is asked for so often; what the store answers at all the client itself asks for again. */
const TRIES = 3;

/** Names that one request takes. */
const MOST_NAMES = 1000;

async function sdk() {
  // Said by each thread anew on Node 20, and no matter of who scores a file.
  process.env['AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED'] ??= 'true';
  try {
    return await import('@aws-sdk/client-s3');
  } catch (cause) {
    const text = 's3:// needs a package that is not installed: npm install @aws-sdk/client-s3';
    throw new CommandError(EXIT.notInstalled, text, { cause });
  }
}

type Sdk = Awaited<ReturnType<typeof sdk>>;

/**
 * Objects of S3 and of stores that speak as it does, s3://BUCKET/KEY. Credentials, region and endpoint are those of the environment and the files of AWS; with
 * an endpoint in the environment the bucket is in the path of addresses, as such stores have it.
 */
export class S3 implements Files {
  readonly lookEvery = LOOK_EVERY;
  private opened: Promise<{ use: Sdk; client: S3Client }> | undefined;

  resolve(path: string): string {
    placeOf(path);
    return path;
  }

  stat(path: string): Promise<FileVersion> {
    return this.ask(path, async (client, { HeadObjectCommand }) => {
      const { ContentLength: bytes, ETag: version } = await client.send(new HeadObjectCommand(placeOf(path)));
      if (bytes !== undefined && version !== undefined) return { path, bytes, version };
      throw new CommandError(EXIT.host, `${path}: the store does not say its length and ETag`);
    });
  }

  async read(file: FileVersion, start: number, end: number): Promise<Buffer> {
    // No range is empty.
    if (end <= start) return Buffer.alloc(0);
    for (let tries = 1; ; tries++) {
      try {
        return await this.readOnce(file, start, end);
      } catch (error) {
        if (tries === TRIES || !(error instanceof CommandError) || !isBroken(error.cause)) throw error;
        await setTimeout(200 * tries);
      }
    }
  }

  private readOnce({ path, version }: FileVersion, start: number, end: number): Promise<Buffer> {
    return this.ask(path, async (client, { GetObjectCommand }) => {
      const range = { Range: `bytes=${start}-${end - 1}`, IfMatch: version };
      const { Body, ContentLength, ETag } = await client.send(new GetObjectCommand({ ...placeOf(path), ...range }));
      // Of a store that does not look at If-Match.
      if (ETag !== version) throw changed(path);
      if (ContentLength !== end - start) {
        const text = `${path}: asked for ${end - start} bytes, the store sends ${ContentLength ?? 'any number of them'}`;
        throw new CommandError(EXIT.host, `${text}: it does not know Range`);
      }
      return bytesOf(await Body!.transformToByteArray(), end - start);
    });
  }

  readWhole(path: string): Promise<Buffer | undefined> {
    return this.ask(path, async (client, { GetObjectCommand }) => {
      try {
        const { Body, ContentLength } = await client.send(new GetObjectCommand(placeOf(path)));
        return bytesOf(await Body!.transformToByteArray(), ContentLength);
      } catch (error) {
        if (isMissing(error)) return undefined;
        throw error;
      }
    });
  }

  has(path: string): Promise<boolean> {
    return this.ask(path, async (client, { HeadObjectCommand }) => {
      try {
        await client.send(new HeadObjectCommand(placeOf(path)));
        return true;
      } catch (error) {
        if (isMissing(error)) return false;
        throw error;
      }
    });
  }

  async write(path: string, bytes: Uint8Array): Promise<void> {
    await this.ask(path, (client, { PutObjectCommand }) =>
      client.send(new PutObjectCommand({ ...placeOf(path), Body: bytes })),
    );
  }

  fill(path: string, about: number, pieces: Parameters<Files['fill']>[2]): Promise<void> {
    return this.ask(path, async (client, use) => {
      const object = new PartedObject(client, use, placeOf(path), about);
      try {
        await pieces(object);
        await object.commit();
      } catch (error) {
        await object.abort();
        throw error;
      }
    });
  }

  makeFolder(folder: string): Promise<void> {
    placeOf(folder);
    return Promise.resolve();
  }

  names(folder: string): Promise<Set<string>> {
    const { Bucket, Key } = placeOf(folder);
    const Prefix = `${Key}/`;
    return this.ask(folder, async (client, { paginateListObjectsV2 }) => {
      const names = new Set<string>();
      for await (const { Contents = [] } of paginateListObjectsV2({ client }, { Bucket, Prefix })) {
        for (const { Key } of Contents) names.add(Key!.slice(Prefix.length));
      }
      return names;
    });
  }

  async removeFolder(folder: string): Promise<void> {
    const names = [...(await this.names(folder))];
    for (let at = 0; at < names.length; at += MOST_NAMES) await this.remove(folder, names.slice(at, at + MOST_NAMES));
  }

  private async remove(folder: string, names: readonly string[]): Promise<void> {
    const { Bucket, Key } = placeOf(folder);
    const Objects = names.map((name) => ({ Key: `${Key}/${name}` }));
    const { Errors: [error] = [] } = await this.ask(folder, (client, { DeleteObjectsCommand }) =>
      client.send(new DeleteObjectsCommand({ Bucket, Delete: { Objects, Quiet: true } })),
    );
    if (error)
      throw new CommandError(EXIT.file, `${folder}: ${error.Key ?? ''} cannot be deleted: ${error.Code ?? ''}`);
  }

  private async ask<T>(path: string, question: (client: S3Client, use: Sdk) => Promise<T>): Promise<T> {
    const { client, use } = await this.open();
    try {
      return await question(client, use);
    } catch (error) {
      throw refusalOf(path, error);
    }
  }

  private open() {
    return (this.opened ??= sdk().then((use) => ({ use, client: clientOf(use, process.env) })));
  }
}

function clientOf({ S3Client }: Sdk, env: NodeJS.ProcessEnv): S3Client {
  // Empty ones are none, as to the command line of AWS.
  const given = (...names: string[]) =>
    names.map((name) => env[name]).find((value) => value !== undefined && value !== '');
  const endpoint = given('AWS_ENDPOINT_URL_S3', 'AWS_ENDPOINT_URL');
  // The second is what the command line reads, and this client does not. A store of one's own has no regions, but signatures have.
  const region = given('AWS_REGION', 'AWS_DEFAULT_REGION') ?? (endpoint === undefined ? undefined : 'us-east-1');
  if (endpoint !== undefined && !URL.canParse(endpoint)) {
    throw new UsageError(`AWS_ENDPOINT_URL must be an address like https://minio.example:9000, got ${endpoint}`);
  }
  return new S3Client({
    ...(region === undefined ? {} : { region }),
    ...(endpoint === undefined ? {} : { endpoint }),
    forcePathStyle: endpoint !== undefined,
    followRegionRedirects: true,
    requestHandler: { connectionTimeout: CONNECT_LIMIT, socketTimeout: SILENCE_LIMIT },
  });
}

/** Bucket and key of an address: all behind the bucket is the key, as it is. @throws UsageError. */
function placeOf(path: string): { Bucket: string; Key: string } {
  const [, Bucket, Key] = /^s3:\/\/([a-z0-9][a-z0-9._-]{1,62})\/(.*[^/])$/is.exec(path) ?? [];
  if (Bucket !== undefined && Key !== undefined) return { Bucket, Key };
  throw new UsageError(`${path}: say s3://BUCKET/KEY of one object`);
}

function bytesOf(bytes: Uint8Array, length: number | undefined): Buffer {
  if (length !== undefined && bytes.length !== length) {
    throw Object.assign(new Error(`the answer ends after ${bytes.length} of ${length} bytes`), { code: 'ECONNRESET' });
  }
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
