import { createHash, createHmac } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';

/** What a test may do to a request before it is answered: true, and it has been. */
export type Fault = (request: IncomingMessage, response: ServerResponse) => boolean;

export const KEY = { id: 'AKIDTEST', secret: 'a secret' };

export interface S3Server {
  url: string;
  /** By BUCKET/KEY. */
  objects: Map<string, Buffer>;
  /** "GET /bucket/key", with the query behind a question mark. */
  requests: string[];
  fault: Fault | undefined;
  /** A header that it does not know. */
  blindTo: string | undefined;
  /** Multipart uploads that have been neither completed nor aborted. */
  uploads: Map<string, Map<number, Buffer>>;
  close(): Promise<void>;
}

const sha256 = (data: string | Buffer) => createHash('sha256').update(data).digest('hex');
const hmac = (key: string | Buffer, data: string) => createHmac('sha256', key).update(data).digest();
export const etagOf = (bytes: Buffer) => `"${createHash('md5').update(bytes).digest('hex')}"`;
const escaped = (text: string) =>
  encodeURIComponent(text).replace(/[!'()*]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`);

class Refused extends Error {
  readonly status: number;
  readonly code: string;

  constructor(status: number, code: string) {
    super(code);
    [this.status, this.code] = [status, code];
  }
}

/**
 * An S3 that lives in memory, for what s3.ts asks of one: GET with Range and If-Match, HEAD, PUT, multipart uploads, ListObjectsV2 (pages of 3 names), DeleteObjects. Signatures
 * (Signature Version 4) and the digests of bodies are checked. Only bucket `data` is there; `closed` may not be read.
 */
export async function startS3(): Promise<S3Server> {
  const [objects, uploads] = [new Map<string, Buffer>(), new Map<string, Map<number, Buffer>>()];
  const made: S3Server = {
    url: '',
    objects,
    requests: [],
    fault: undefined,
    blindTo: undefined,
    uploads,
    close: () => Promise.resolve(),
  };

  const answer = async (request: IncomingMessage, response: ServerResponse) => {
    const url = new URL(request.url!, 'http://s3');
    made.requests.push(`${request.method!} ${request.url!}`);
    if (made.fault?.(request, response) === true) return;
    const body = await buffer(request);
    checkSignature(request, url, body);
    if (made.blindTo !== undefined) request.headers[made.blindTo] = undefined;
    const [, bucket = '', key = ''] = /^\/([^/]*)\/?(.*)$/s.exec(decodeURIComponent(url.pathname)) ?? [];
    if (bucket === 'closed') throw new Refused(403, 'AccessDenied');
    if (bucket !== 'data') throw new Refused(404, 'NoSuchBucket');
    const name = `${bucket}/${key}`;
    const words = url.searchParams;
    switch (
      `${request.method!}${[...words.keys()].find((word) => /^(uploads|uploadId|list-type|delete)$/.test(word)) ?? ''}`
    ) {
      case 'HEAD':
      case 'GET':
        read(objects, name, request, response);
        return;
      case 'PUT':
        objects.set(name, body);
        response.setHeader('etag', etagOf(body)).end();
        return;
      case 'POSTuploads': {
        const id = `upload${uploads.size}`;
        uploads.set(id, new Map());
        response.end(`<InitiateMultipartUploadResult><UploadId>${id}</UploadId></InitiateMultipartUploadResult>`);
        return;
      }
      case 'PUTuploadId':
        uploads.get(words.get('uploadId')!)!.set(Number(words.get('partNumber')), body);
        response.setHeader('etag', etagOf(body)).end();
        return;
      case 'POSTuploadId': {
        const parts = uploads.get(words.get('uploadId')!)!;
        const numbers = [...String(body).matchAll(/<PartNumber>(\d+)</g)].map(([, number]) => Number(number));
        objects.set(name, Buffer.concat(numbers.map((number) => parts.get(number)!)));
        uploads.delete(words.get('uploadId')!);
        response.end('<CompleteMultipartUploadResult></CompleteMultipartUploadResult>');
        return;
      }
      case 'DELETEuploadId':
        uploads.delete(words.get('uploadId')!);
        response.writeHead(204).end();
        return;
      case 'GETlist-type': {
        const prefix = `${bucket}/${words.get('prefix') ?? ''}`;
        const found = [...objects.keys()].filter((name) => name.startsWith(prefix)).sort();
        const start = Number(words.get('continuation-token') ?? 0);
        const contents = found
          .slice(start, start + 3)
          .map((name) => `<Contents><Key>${name.slice(bucket.length + 1)}</Key></Contents>`);
        const isMore = start + 3 < found.length;
        const token = isMore ? `<NextContinuationToken>${start + 3}</NextContinuationToken>` : '';
        response.end(
          `<ListBucketResult><IsTruncated>${String(isMore)}</IsTruncated>${token}${contents.join('')}</ListBucketResult>`,
        );
        return;
      }
      case 'POSTdelete':
        for (const [, key] of String(body).matchAll(/<Key>([^<]*)<\/Key>/g)) objects.delete(`${bucket}/${key!}`);
        response.end('<DeleteResult></DeleteResult>');
        return;
      default:
        throw new Refused(501, 'NotImplemented');
    }
  };
  const server = createServer((request, response) => {
    answer(request, response).catch((error: unknown) => {
      const { status, code } = error instanceof Refused ? error : new Refused(500, 'InternalError');
      response.writeHead(status, { 'content-type': 'application/xml' });
      response.end(request.method === 'HEAD' ? '' : `<Error><Code>${code}</Code><Message>${code}</Message></Error>`);
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  made.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  made.close = async () => {
    server.closeAllConnections();
    server.close();
    await once(server, 'close');
  };
  return made;
}

/** For a process that is to use it. */
export const environmentOf = ({ url }: Pick<S3Server, 'url'>) => ({
  AWS_ENDPOINT_URL: url,
  AWS_REGION: 'eu-test-1',
  AWS_ACCESS_KEY_ID: KEY.id,
  AWS_SECRET_ACCESS_KEY: KEY.secret,
});

function read(
  objects: S3Server['objects'],
  name: string,
  { method, headers }: IncomingMessage,
  response: ServerResponse,
): void {
  const found = objects.get(name);
  if (!found) throw new Refused(404, 'NoSuchKey');
  const etag = etagOf(found);
  if (headers['if-match'] !== undefined && headers['if-match'] !== etag) throw new Refused(412, 'PreconditionFailed');
  const [, first, last] = /^bytes=(\d+)-(\d+)$/.exec(headers.range ?? '') ?? [];
  const bytes = first === undefined ? found : found.subarray(Number(first), Number(last) + 1);
  if (first !== undefined && bytes.length === 0) throw new Refused(416, 'InvalidRange');
  response.writeHead(first === undefined ? 200 : 206, { etag, 'content-length': bytes.length });
  response.end(method === 'HEAD' ? undefined : bytes);
}

/** @throws Refused for a request that the key has not signed, or whose body is not the one that was. */
function checkSignature({ method, headers }: IncomingMessage, { pathname, searchParams }: URL, body: Buffer): void {
  const form =
    /^AWS4-HMAC-SHA256 Credential=(\w+)\/((\d{8})\/([\w-]+)\/s3\/aws4_request), SignedHeaders=([\w;-]+), Signature=(\w+)$/;
  const [, id, scope, day, region, signed, signature] = form.exec(headers.authorization ?? '') ?? [];
  if (id === undefined) throw new Refused(403, 'AccessDenied');
  if (id !== KEY.id) throw new Refused(403, 'InvalidAccessKeyId');
  const digest = String(headers['x-amz-content-sha256']);
  if (digest !== sha256(body)) throw new Refused(400, 'XAmzContentSHA256Mismatch');
  const query = [...searchParams].map(([name, value]) => `${escaped(name)}=${escaped(value)}`).sort();
  const lines = signed!.split(';').map((name) => `${name}:${String(headers[name]).trim()}\n`);
  const request = [method, pathname, query.join('&'), lines.join(''), signed, digest].join('\n');
  const text = ['AWS4-HMAC-SHA256', headers['x-amz-date'], scope, sha256(request)].join('\n');
  const key = [day!, region!, 's3', 'aws4_request'].reduce<string | Buffer>(
    (key, word) => hmac(key, word),
    `AWS4${KEY.secret}`,
  );
  if (hmac(key, text).toString('hex') !== signature) throw new Refused(403, 'SignatureDoesNotMatch');
}
