import { GruError } from '../base/errors.ts';
import { describe } from '../base/tensor.ts';
import { kindOf } from '../base/typed-array.ts';

/** Where a model file comes from: a path (in a browser: a URL relative to the page), a URL, a response, or the bytes. */
export type ModelSource = string | URL | Response | Blob | ArrayBuffer | Uint8Array;

/** The same, told apart. Those of another realm (a frame, node:vm) are no instances of our classes. */
export type KnownSource =
  | { kind: 'name'; name: string; url: URL | undefined }
  | { kind: 'response'; response: Response }
  | { kind: 'blob'; blob: Blob; name: string | undefined }
  | { kind: 'bytes'; bytes: Uint8Array<ArrayBuffer> };

const own: { get?: (this: unknown) => unknown } = Object.getOwnPropertyDescriptor(ArrayBuffer.prototype, 'byteLength')!;
const byteLength = own.get!;

function isArrayBuffer(value: unknown): value is ArrayBuffer {
  try {
    byteLength.call(value);
    return true;
  } catch {
    return false;
  }
}

/** By tag and not by class: Node loads its fetch when it hears the name Response, which takes 20 ms. */
function tagOf(value: unknown): string {
  try {
    return Object.prototype.toString.call(value).slice(8, -1);
  } catch {
    return 'Proxy';
  }
}

/** Throws for a prototype alone: its getters do. */
function can(value: unknown, method: string, property: string): boolean {
  const asked = value as Record<string, unknown>;
  return asked[property] !== undefined && typeof asked[method] === 'function';
}

/** What to give in place of what is no source. */
const INSTEAD: Record<string, string> = {
  Promise: 'await it first',
  FileList: 'give one of its files, files[0]',
  SharedArrayBuffer: 'give a Uint8Array of it',
  ReadableStream: 'give new Response(stream)',
  Request: 'give its response, await fetch(request)',
};

/** What no path is: longer than any (Windows has 32,767), JSON. */
function isContent(text: string): boolean {
  return (text.length > 32_767 && !/^(data|https?):/i.test(text)) || /^\s*[[{]\s*["{]/.test(text);
}

/** @throws GruError `invalid_argument` for what is no source, saying what to do. */
export function readKind(source: unknown, what = 'the model source'): KnownSource {
  const fail = (why: string, cause?: unknown) => new GruError('invalid_argument', `${what} ${why}`, { cause });
  if (typeof source === 'string') {
    if (source === '') throw fail('is an empty string');
    if (isContent(source)) {
      const start = JSON.stringify(source.slice(0, 40));
      throw fail(
        `is a text of ${source.length} characters that begins with ${start}, which is no path: give the path, or the file's bytes`,
      );
    }
    const isUrl = /^(https?|file|data|blob):/i.test(source);
    if (!isUrl) return { kind: 'name', name: source, url: undefined };
    try {
      return { kind: 'name', name: source, url: new URL(source) };
    } catch (cause) {
      throw fail(`is no valid URL: '${source.slice(0, 200)}'`, cause);
    }
  }
  if (kindOf(source) === 'Uint8Array' || isArrayBuffer(source)) {
    return { kind: 'bytes', bytes: plainBytes(source as Uint8Array | ArrayBuffer, what) };
  }
  const bytesOf = 'give new Uint8Array(x.buffer, x.byteOffset, x.byteLength)';
  if (ArrayBuffer.isView(source)) throw fail(`is ${describe(source)}, no bytes: ${bytesOf}`);
  const tag = tagOf(source);
  const taken = 'must be a path, URL, Response, Blob, ArrayBuffer or Uint8Array; got';
  try {
    if (tag === 'URL') {
      const url = new URL((source as URL).href);
      return { kind: 'name', name: url.href, url };
    }
    if (tag === 'Response' && can(source, 'arrayBuffer', 'bodyUsed')) {
      return { kind: 'response', response: source as Response };
    }
    if ((tag === 'Blob' || tag === 'File') && can(source, 'stream', 'size')) {
      const { name } = source as Partial<File>;
      return { kind: 'blob', blob: source as Blob, name: typeof name === 'string' ? name : undefined };
    }
  } catch (cause) {
    throw fail(`${taken} an odd ${tag}`, cause);
  }
  const instead = Object.hasOwn(INSTEAD, tag) ? INSTEAD[tag] : undefined;
  if (instead !== undefined) throw fail(`is a ${tag}: ${instead}`);
  throw fail(`${taken} ${describe(source)}`);
}

/**
 * The same memory as a plain Uint8Array: readers call its methods, and `slice` of a Buffer is a view, of another subclass
 * anything. Shared memory is copied, since decoders of text refuse it.
 *
 * @throws GruError `invalid_argument` when the memory is detached.
 */
export function plainBytes(bytes: Uint8Array | ArrayBuffer, what = 'the model source'): Uint8Array<ArrayBuffer> {
  try {
    if (isArrayBuffer(bytes)) return new Uint8Array(bytes);
    const { buffer, byteOffset, byteLength: length } = bytes;
    return isArrayBuffer(buffer) ? new Uint8Array(buffer, byteOffset, length) : new Uint8Array(bytes);
  } catch (cause) {
    throw new GruError('invalid_argument', `the bytes of ${what} are gone: was their buffer transferred?`, {
      cause,
    });
  }
}
