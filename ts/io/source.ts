import { type ReadContext, readFile, readStream } from './body.ts';
import { ReadBudget } from './budget.ts';
import { GruError } from '../base/errors.ts';
import { builtin } from '../base/host.ts';
import { impostor } from './impostor.ts';
import { describe } from '../base/tensor.ts';
import { elsewhere, nameSegments, urlBeside } from './paths.ts';
import { reach } from './reach.ts';
import { type ModelSource, plainBytes, readKind } from './source-kind.ts';

export { type ModelSource, plainBytes };

/** Bytes, and the path or URL at which they were, after redirects; undefined where they have none. */
export interface Opened {
  bytes: Uint8Array;
  place: string | URL | undefined;
}

/** Redirects that are followed for a file beside a model. */
const MAX_REDIRECTS = 5;

/**
 * Reads all bytes. Bytes that are given are not copied: they must not change before the promise of the model settles, and
 * may afterwards.
 *
 * @throws GruError `io` when it cannot be read or is more than the budget, `invalid_argument` for something that is no
 *   source; the signal's reason when aborted.
 */
export async function readSource(source: ModelSource, context?: ReadContext): Promise<Uint8Array> {
  return (await openSource(source, context)).bytes;
}

/** {@link readSource}, and where it was. @param beside For a file that a model file names: see {@link request}. */
export async function openSource(
  source: ModelSource,
  context: ReadContext = { budget: new ReadBudget() },
  beside = false,
): Promise<Opened> {
  const { budget, signal, progress } = context;
  signal?.throwIfAborted();
  const known = readKind(source);
  let what = 'the model source';
  try {
    switch (known.kind) {
      case 'bytes':
        budget.spend(known.bytes.length, what);
        progress?.begin(known.bytes.length);
        progress?.add(known.bytes.length);
        return { bytes: known.bytes, place: undefined };
      case 'blob': {
        const { blob, name } = known;
        if (name) what = `'${shorten(name)}'`;
        budget.check(blob.size, what);
        progress?.begin(blob.size);
        const bytes = await readStream(blob.stream(), what, context, blob.size);
        return { bytes, place: undefined };
      }
      case 'response': {
        const { response } = known;
        what = response.url ? `'${shorten(response.url)}'` : 'the response';
        return { bytes: await readResponse(response, what, context), place: placeOf(response) };
      }
      case 'name': {
        const { name, url } = known;
        what = `'${shorten(name)}'`;
        // On a server a string without a scheme is a path.
        if (builtin('node:fs') && (!url || url.protocol === 'file:')) {
          // One letter is a drive.
          if (!url && /^[a-z][a-z\d+.-]+:\/\//i.test(name))
            throw new Error('of addresses https:, http:, file: and data: are read');
          return { bytes: await readFile(url ?? name, what, context), place: url ?? name };
        }
        const response = await request(url ?? name, signal, beside);
        return { bytes: await readResponse(response, what, context), place: response.url || (url ?? name) };
      }
    }
  } catch (cause) {
    signal?.throwIfAborted();
    if (cause instanceof GruError || progress?.threw(cause)) throw cause;
    throw new GruError('io', `${what} could not be read: ${shorten(reason(cause), 1000)}`, { cause });
  }
}

/** An error with its causes: `fetch failed` says nothing, its cause names the host. Of several attempts the last. */
function reason(error: unknown): string {
  const said: string[] = [];
  for (let at = error; Object(at) === at && said.length < 4;) {
    const text = (at instanceof Error ? at.message : describe(at)).trim();
    if (text !== '' && !said.some((before) => before.includes(text))) said.push(text);
    const { cause, errors } = at as { cause?: unknown; errors?: unknown };
    at = cause ?? (Array.isArray(errors) ? errors.at(-1) : undefined);
  }
  return said.length === 0 ? describe(error) : said.join(': ');
}

/**
 * A model's URL may redirect anywhere: the caller gave it. That of a file beside it stays on its origin, since the model file
 * may not make this program send requests to others: Node shows each redirect before it is followed, browsers only that there
 * is one, so that there all are refused.
 */
async function request(url: string | URL, signal: AbortSignal | undefined, beside: boolean): Promise<Response> {
  const init: RequestInit = signal ? { signal } : {};
  if (!beside) return reach(url, init);
  let at = new URL(url);
  for (let count = 0; ; count++) {
    const response = await reach(at, { ...init, redirect: 'manual' });
    const isRedirect = response.type === 'opaqueredirect' || (response.status > 300 && response.status < 309);
    const location = response.headers.get('location');
    if (!isRedirect || response.status === 304) return response;
    response.body?.cancel().catch(() => undefined);
    const next = location === null ? undefined : new URL(location, at);
    if (!next || siteOf(next) !== siteOf(at)) {
      throw new Error(
        `it redirects${next ? ` to another origin, ${shorten(siteOf(next))}` : ''}; give the file by the option files`,
      );
    }
    if (count === MAX_REDIRECTS) throw new Error(`it redirects more than ${MAX_REDIRECTS} times`);
    at = next;
  }
}

/** The origin, as `origin` does not give it for `blob:`: there it is that of the page. */
function siteOf({ protocol, host }: URL): string {
  return `${protocol}//${host}`;
}

async function readResponse(response: Response, what: string, context: ReadContext): Promise<Uint8Array> {
  if (response.bodyUsed) throw new GruError('invalid_argument', `the body of ${what} was read before: give its bytes`);
  const { headers } = response;
  const body = response.body as Response['body'] | undefined;
  try {
    if (response.type === 'opaque') throw new Error("mode: 'no-cors' hides its bytes: fetch it without");
    if (!response.ok) throw new Error(`HTTP status ${response.status}`);
    // Of an encoded body it is the length of the code.
    const length = Number(headers.get('content-length') ?? 0);
    const size = headers.has('content-encoding') || !Number.isSafeInteger(length) || length < 0 ? 0 : length;
    context.budget.check(size, what);
    context.progress?.begin(size > 0 ? size : undefined);
    // The header is no reason to set gigabytes aside.
    if (body) return await readStream(body, what, context, Math.min(size, 2 ** 24));
    // null: there is nothing. React Native's has no streams: it lacks the field.
    const bytes = body === null ? new Uint8Array(0) : new Uint8Array(await response.arrayBuffer());
    context.budget.spend(bytes.length, what);
    context.progress?.add(bytes.length);
    return bytes;
  } catch (error) {
    // Not waited for: in Next's edge runtime it never ends.
    if (body && !body.locked) body.cancel(error).catch(() => undefined);
    throw error;
  }
}

function shorten(text: string, most = 200): string {
  return text.length > most ? `${text.slice(0, most)}...` : text;
}

/** Files that belong to a model file (weight shards, external data, a config), by the name that the file gives them. */
export type ModelFiles = Record<string, ModelSource>;

/**
 * How a reader gets at the files beside the model's: those given by name, else those at its path or URL. Each is read once,
 * under however many spellings of its name.
 *
 * @param source The model's, or where it was after redirects.
 * @throws GruError `io` when a file is there and cannot be read, `invalid_file` for a name that leads elsewhere.
 */
export function filesBeside(
  source: ModelSource,
  given: ModelFiles,
  context: ReadContext = { budget: new ReadBudget() },
): (name: string) => Promise<Uint8Array | undefined> {
  const files = new Map<string, Promise<Uint8Array | undefined>>();
  return async (name) => {
    const key = Object.hasOwn(given, name) ? name : nameSegments(name).join('/');
    let file = files.get(key);
    if (!file) files.set(key, (file = readBeside(key, source, given, context).then((bytes) => checked(name, bytes))));
    return file;
  };
}

/** @throws GruError `invalid_file` where something came instead of a file. (An empty one may be meant: no data.) */
function checked(name: string, bytes: Uint8Array | undefined): Uint8Array | undefined {
  const instead = bytes && bytes.length > 0 ? impostor(bytes) : undefined;
  if (instead === undefined) return bytes;
  throw new GruError('invalid_file', `'${shorten(name)}', which the model names: ${instead}`);
}

async function readBeside(
  name: string,
  source: ModelSource,
  given: ModelFiles,
  context: ReadContext,
): Promise<Uint8Array | undefined> {
  if (Object.hasOwn(given, name)) return readSource(given[name]!, context);
  const place = placeOf(source);
  if (place === undefined || place === '' || /^(data|blob):/i.test(String(place))) return undefined;
  const path = builtin('node:path');
  const isUrl = place instanceof URL || /^(https?|file):/i.test(place);
  if (path && (!isUrl || /^file:/i.test(String(place)))) {
    const file = isUrl ? builtin('node:url')!.fileURLToPath(place) : place;
    const beside = path.join(path.dirname(file), ...nameSegments(name));
    return (await isBeside(beside, file, name)) ? readIfThere(beside, context) : undefined;
  }
  const base = isUrl ? new URL(place) : new URL(place, globalThis.location.href);
  return readIfThere(urlBeside(name, base), context);
}

/**
 * Whether the file is there. After symbolic links are followed it must be in the model's folder, or in the one where the
 * model's own link leads to: Hugging Face's cache has links to a folder of blobs for the model and its shards.
 */
async function isBeside(file: string, model: string, name: string): Promise<boolean> {
  const { realpath } = builtin('node:fs')!.promises;
  const path = builtin('node:path')!;
  const isInside = (real: string, folder: string) => {
    const inside = path.relative(folder, real);
    return inside !== '..' && !inside.startsWith(`..${path.sep}`) && !path.isAbsolute(inside);
  };
  try {
    const real = await realpath(file);
    const folders = [await realpath(path.dirname(model)), path.dirname(await realpath(model).catch(() => model))];
    if (!folders.some((folder) => isInside(real, folder))) throw elsewhere(name);
    return true;
  } catch (error) {
    if (error instanceof GruError) throw error;
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return false;
    throw new GruError('io', `'${shorten(name)}' beside the model could not be read`, { cause: error });
  }
}

async function readIfThere(place: string | URL, context: ReadContext): Promise<Uint8Array | undefined> {
  try {
    return (await openSource(place, context, true)).bytes;
  } catch (error) {
    if (!(error instanceof GruError)) throw error;
    const { cause } = error;
    const missing =
      cause instanceof Error && (('code' in cause && cause.code === 'ENOENT') || cause.message.endsWith(' 404'));
    if (missing) return undefined;
    throw error;
  }
}

/** What a source is called in messages: its path or URL, or the name of a File. */
export function sourceName(source: ModelSource): string | undefined {
  const known = readKind(source);
  const name = String((known.kind === 'blob' ? known.name : placeOf(source)) ?? '');
  return name === '' ? undefined : shorten(name);
}

/** The path or URL of a source that has one. */
function placeOf(source: ModelSource): string | URL | undefined {
  const known = readKind(source);
  if (known.kind === 'name') return known.url ?? known.name;
  return known.kind === 'response' ? known.response.url || undefined : undefined;
}
