import { fstatSync } from 'node:fs';
import { readlink, realpath, stat } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { CommandError, EXIT, named } from '../exit.ts';

/** Where a file is, or will be: a link stays, and what it leads to is written, whether that is there or not. @throws Error of links that lead nowhere. */
export async function placeOf(path: string): Promise<string> {
  try {
    return await realpath(path);
  } catch (error) {
    const isNew = (error as NodeJS.ErrnoException).code === 'ENOENT' && basename(path) !== '' && !/[/\\]$/.test(path);
    if (!isNew) throw named(error, path);
  }
  const folder = await realpath(dirname(path)).catch(() => resolve(dirname(path)));
  const target = await readlink(path).catch(() => undefined);
  return target === undefined ? join(folder, basename(path)) : placeOf(resolve(folder, target));
}

const [STDIN, STDOUT] = [0, 1];

/** A file that the command line names, and what it is there: `--output`, `the model`. */
export interface NamedFile {
  what: string;
  /** undefined: the option is not given. */
  path: string | undefined;
}

/**
 * Refuses, before any work, to write over what is read, and two outputs to one file.
 *
 * @throws CommandError naming the option and the file.
 */
export async function refuseLoss(outputs: readonly NamedFile[], inputs: readonly NamedFile[]): Promise<void> {
  const known = new Map<string, { what: string; isInput: boolean }>();
  for (const { what, path } of inputs) {
    const key = await keyOf(path, STDIN);
    if (key !== undefined) known.set(key, { what, isInput: true });
  }
  for (const { what, path } of outputs) {
    const key = await keyOf(path, STDOUT);
    if (key === undefined) continue;
    const other = known.get(key);
    if (other) {
      const text = other.isInput ? `is ${other.what}, which would be gone` : `is what ${other.what} writes too`;
      throw new CommandError(EXIT.usage, `${what} ${path!} ${text}: name another file`);
    }
    known.set(key, { what, isInput: false });
  }
}

/** Tells files apart by what they are, whatever their names; undefined for a device or a pipe, in which nothing is lost. */
async function keyOf(path: string | undefined, standard: number): Promise<string | undefined> {
  if (path === undefined) return undefined;
  const found = path === '-' ? fstatSync(standard) : await stat(path).catch(() => undefined);
  // One that is not yet there, and one of an object store, is told by its name.
  if (!found) return placeOf(path).catch(() => path);
  return found.isFile() ? `${found.dev}:${found.ino}` : undefined;
}
