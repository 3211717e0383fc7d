import { GruError } from '../base/errors.ts';

/** Letters of any script, digits, `._-` and a few more; blanks inside; no dot at the end, so no dot segments. */
const SEGMENT = /^[\p{L}\p{N}._+=,@()[\]~-](?:[\p{L}\p{N}\p{M} ._+=,@()[\]~-]*[\p{L}\p{N}\p{M}_+=,@()[\]~-])?$/u;
/** Windows takes these as devices in any folder, with any extension, and blanks before it. */
const DEVICE = /^(con|prn|aux|nul|(com|lpt)[\d\u00b9\u00b2\u00b3]) *(\.|$)/i;

/**
 * The parts of a name that a model file gives to a file beside it, by an allow-list: what `new URL` or a file system reads
 * in a way of its own (`%2e`, tabs, backslashes, drives) is refused before either sees it.
 *
 * @throws GruError `invalid_file` for any other name.
 */
export function nameSegments(name: string): string[] {
  const segments = name.replace(/^\.\//, '').split('/');
  if (name.length > 1024 || !segments.every((s) => SEGMENT.test(s) && !s.endsWith('.') && !DEVICE.test(s)))
    throw elsewhere(name);
  return segments;
}

/** The URL of a file in the folder of `base` or below it. */
export function urlBeside(name: string, base: URL): URL {
  const url = new URL(nameSegments(name).map(encodeURIComponent).join('/'), base);
  const folder = new URL('.', base);
  const isInside = url.protocol === folder.protocol && url.host === folder.host;
  if (!isInside || !url.pathname.startsWith(folder.pathname)) throw elsewhere(name);
  return url;
}

export function elsewhere(name: string): GruError {
  const shown = JSON.stringify(name.slice(0, 80));
  return new GruError('invalid_file', `the model names the file ${shown}, which is no file beside it`);
}
