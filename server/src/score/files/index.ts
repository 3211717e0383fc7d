import { UsageError } from '../../words.ts';
import { disk } from './disk.ts';
import type { Files, InputFile } from './files.ts';
import { S3 } from './s3.ts';

const s3 = new S3();

/** Where a path leads. @throws UsageError for schemes that are not read. */
export function filesOf(path: string): Files {
  const [, scheme] = /^([a-z][a-z0-9+.-]+):\/\//i.exec(path) ?? [];
  if (scheme === undefined) return disk;
  if (scheme === 's3') return s3;
  throw new UsageError(
    `${path}: ${scheme}:// is not read or written here, s3:// is: copy the file (rclone copy), or mount it (rclone mount)`,
  );
}

/** A file of which parts are read, as it is now. */
export async function inputOf(path: string): Promise<InputFile> {
  return reopened(await filesOf(path).stat(path));
}

/** The same that somebody has looked at before. */
export function reopened({ path, bytes, version }: Omit<InputFile, 'read'>): InputFile {
  const file = { path, bytes, version };
  return { ...file, read: (start, end) => filesOf(path).read(file, start, end) };
}
