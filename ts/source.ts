import { GruError } from './errors.ts';
import { builtin } from './host.ts';
import { elsewhere, nameSegments, urlBeside } from './paths.ts';
import { describe } from './tensor.ts';

/** Where a model file comes from: a path (in a browser: a URL relative to the page), a URL, a response, or the bytes. */
export type ModelSource = string | URL | Response | Blob | ArrayBuffer | Uint8Array;

/**
 * Reads all bytes. Bytes that are given are not copied: they must not change before the promise of the model settles, and
 * may afterwards.
 *
 * @throws GruError `io` when it cannot be read, `invalid_argument` for something that is no source; the signal's reason when
 *   aborted.
 */
export async function readSource(
  source: ModelSource,
  signal?: AbortSignal,
  redirect: RequestRedirect = 'follow',
): Promise<Uint8Array> {
  signal?.throwIfAborted();
  if (source instanceof Uint8Array || source instanceof ArrayBuffer) return plainBytes(source);
  let name = 'the source';
  try {
    if (typeof source === 'string' || source instanceof URL) {
      name = `'${shorten(String(source))}'`;
      return await readNamed(source, signal, redirect);
    }
    if (source instanceof Blob) return new Uint8Array(await source.arrayBuffer());
    // Last: naming Response makes Node load its fetch, 20 ms.
    if (source instanceof Response) {
      name = source.url ? `'${shorten(source.url)}'` : 'the response';
      return await readResponse(source);
    }
  } catch (cause) {
    signal?.throwIfAborted();
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new GruError('io', `${name} could not be read: ${why}`, { cause });
  }
  throw new GruError(
    'invalid_argument',
    `the model source must be a path, URL, Response, Blob, ArrayBuffer or Uint8Array; got ${describe(source)}`,
  );
}

/**
 * The same memory as a plain Uint8Array: readers call its methods, and `slice` of a Buffer is a view, of another subclass
 * anything. Shared memory is copied, since decoders of text refuse it.
 *
 * @throws GruError `invalid_argument` when the memory is detached.
 */
export function plainBytes(bytes: Uint8Array | ArrayBuffer): Uint8Array<ArrayBuffer> {
  try {
    if (bytes instanceof ArrayBuffer) return new Uint8Array(bytes);
    const { buffer, byteOffset, byteLength } = bytes;
    return buffer instanceof ArrayBuffer ? new Uint8Array(buffer, byteOffset, byteLength) : new Uint8Array(bytes);
  } catch (cause) {
    throw new GruError('invalid_argument', 'the bytes of the model source are gone: was their buffer transferred?', {
      cause,
    });
  }
}

async function readNamed(
  source: string | URL,
  signal: AbortSignal | undefined,
  redirect: RequestRedirect,
): Promise<Uint8Array> {
  const isUrl = source instanceof URL || /^(https?|file|data|blob):/i.test(source);
  // On a server a string without a scheme is a path.
  const fs = builtin('node:fs');
  if (fs && (!isUrl || /^file:/i.test(String(source)))) {
    // Devices and pipes may never end.
    const stat = await fs.promises.stat(isUrl ? new URL(source) : source);
    if (!stat.isFile()) throw new Error('it is no regular file');
    return plainBytes(await fs.promises.readFile(isUrl ? new URL(source) : source, signal && { signal }));
  }
  return await readResponse(await fetch(source, { redirect, ...(signal && { signal }) }));
}

async function readResponse(response: Response): Promise<Uint8Array> {
  if (!response.ok) throw new Error(`HTTP status ${response.status}`);
  return new Uint8Array(await response.arrayBuffer());
}

function shorten(name: string): string {
  return name.length > 200 ? `${name.slice(0, 200)}...` : name;
}

/** Files that belong to a model file (weight shards, external data, a config), by the name that the file gives them. */
export type ModelFiles = Record<string, ModelSource>;

/**
 * How a reader gets at the files beside the model's: those given by name, else those at its path or URL.
 *
 * @throws GruError `io` when a file is there and cannot be read, `invalid_file` for a name that leads elsewhere.
 */
export function filesBeside(
  source: ModelSource,
  given: ModelFiles,
  signal?: AbortSignal,
): (name: string) => Promise<Uint8Array | undefined> {
  return async (name) => {
    if (Object.hasOwn(given, name)) return readSource(given[name]!, signal);
    const segments = nameSegments(name);
    const place = placeOf(source);
    if (place === undefined || place === '' || /^(data|blob):/i.test(String(place))) return undefined;
    const path = builtin('node:path');
    const isUrl = place instanceof URL || /^(https?|file):/i.test(place);
    if (path && (!isUrl || /^file:/i.test(String(place)))) {
      const file = isUrl ? builtin('node:url')!.fileURLToPath(place) : place;
      const beside = path.join(path.dirname(file), ...segments);
      return (await isBeside(beside, path.dirname(file), name)) ? readIfThere(beside, signal) : undefined;
    }
    const base = isUrl ? new URL(place) : new URL(place, globalThis.location.href);
    return readIfThere(urlBeside(name, base), signal, 'error');
  };
}

/** Whether the file is there; it must be in the folder after its symbolic links are followed too. */
async function isBeside(file: string, folder: string, name: string): Promise<boolean> {
  const { realpath } = builtin('node:fs')!.promises;
  const path = builtin('node:path')!;
  try {
    const inside = path.relative(await realpath(folder), await realpath(file));
    if (inside === '..' || inside.startsWith(`..${path.sep}`) || path.isAbsolute(inside)) throw elsewhere(name);
    return true;
  } catch (error) {
    if (error instanceof GruError) throw error;
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return false;
    throw new GruError('io', `'${shorten(name)}' beside the model could not be read`, { cause: error });
  }
}

async function readIfThere(
  place: string | URL,
  signal: AbortSignal | undefined,
  redirect?: RequestRedirect,
): Promise<Uint8Array | undefined> {
  try {
    return await readSource(place, signal, redirect);
  } catch (error) {
    if (!(error instanceof GruError)) throw error;
    const { cause } = error;
    const missing =
      cause instanceof Error && (('code' in cause && cause.code === 'ENOENT') || cause.message.endsWith(' 404'));
    if (missing) return undefined;
    throw error;
  }
}

/** What a source is called in messages. */
export function sourceName(source: ModelSource): string | undefined {
  const name = String(placeOf(source) ?? '');
  return name === '' ? undefined : shorten(name);
}

/** The path or URL of a source that has one. */
function placeOf(source: ModelSource): string | URL | undefined {
  if (typeof source === 'string' || source instanceof URL) return source;
  // Asked last: Node loads its fetch when it hears the name, which takes 20 ms.
  const isData = source instanceof Uint8Array || source instanceof ArrayBuffer || source instanceof Blob;
  return !isData && source instanceof Response ? source.url : undefined;
}
