import { access, mkdir, open, readdir, readFile, rm, stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import { CommandError, EXIT, FileSink, filled } from 'gru-wasm/command';
import type { Files, FileVersion } from './files.ts';

const LOOK_EVERY = 500;

/** The disks of this machine, and those that it has mounted. */
export const disk: Files = {
  lookEvery: LOOK_EVERY,
  resolve,
  async stat(path) {
    const stats = await stat(path);
    // A pipe has no size and is read once; it would be a file of no rows.
    if (stats.isFile()) return { path, bytes: stats.size, version: String(stats.mtimeMs) };
    throw new CommandError(EXIT.file, `${path} is no file: what is scored is read in parts`);
  },
  async read({ path, bytes, version }, start, end) {
    try {
      const file = await open(path);
      try {
        const { size, mtimeMs } = await file.stat();
        if (size !== bytes || String(mtimeMs) !== version) throw changed(path);
        const found = Buffer.alloc(end - start);
        for (let at = 0; at < found.length;) {
          const { bytesRead } = await file.read(found, at, found.length - at, start + at);
          if (bytesRead === 0) throw changed(path);
          at += bytesRead;
        }
        return found;
      } finally {
        await file.close();
      }
    } catch (error) {
      // Of reads the system does not say of which file.
      throw error instanceof CommandError ? error : Object.assign(error as Error, { path });
    }
  },
  async readWhole(path) {
    try {
      return await readFile(path);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
      throw error;
    }
  },
  has: (path) =>
    access(path).then(
      () => true,
      () => false,
    ),
  async write(path, bytes) {
    await filled(await FileSink.open(path), (sink) => sink.write(bytes));
  },
  async fill(path, _about, pieces) {
    await filled(await FileSink.open(path), pieces);
  },
  async makeFolder(folder) {
    await mkdir(folder, { recursive: true });
  },
  async names(folder) {
    return new Set(await readdir(folder));
  },
  async removeFolder(folder) {
    await rm(folder, { recursive: true, force: true, maxRetries: 5 });
  },
};

/** What a part was to be read of is not what was split. */
export const changed = (path: FileVersion['path'], cause?: unknown) =>
  new CommandError(EXIT.file, `${path} has changed since it was split`, { cause });
