import { GruError, type GruErrorCode } from '../base/errors.ts';

/** Exit codes of `gru`, by kind of error; docs/command.md lists them. */
export const EXIT = {
  done: 0,
  defect: 1,
  usage: 2,
  file: 3,
  model: 4,
  data: 5,
  host: 6,
  differs: 7,
  notInstalled: 8,
  hungUp: 129,
  interrupted: 130,
  terminated: 143,
} as const;

export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

/** An error of the command itself, for one line on stderr. */
export class CommandError extends Error {
  override readonly name = 'CommandError';
  readonly exit: ExitCode;

  constructor(exit: ExitCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.exit = exit;
  }
}

const BY_CODE: Record<GruErrorCode, ExitCode> = {
  invalid_argument: EXIT.usage,
  io: EXIT.file,
  invalid_file: EXIT.model,
  invalid_spec: EXIT.model,
  unsupported: EXIT.model,
  not_streamable: EXIT.model,
  shape_mismatch: EXIT.data,
  dtype_mismatch: EXIT.data,
  id_out_of_range: EXIT.data,
  out_of_memory: EXIT.host,
  backend_unavailable: EXIT.host,
  queue_full: EXIT.host,
  timeout: EXIT.host,
  worker_lost: EXIT.host,
  disposed: EXIT.defect,
  internal: EXIT.defect,
};

/** What the operating system says of files, in words. */
const SYSTEM: Record<string, string> = {
  ENOENT: 'no such file or folder',
  EACCES: 'permission denied',
  EPERM: 'not permitted',
  EISDIR: 'is a folder',
  ENOTDIR: 'a part of the path is no folder',
  ENOSPC: 'the disk is full',
  EROFS: 'the disk is read-only',
  EDQUOT: 'the disk quota is used up',
  EFBIG: 'larger than a file may be here',
  EMFILE: 'too many files are open',
  ELOOP: 'links that lead to each other',
  ENAMETOOLONG: 'the name is too long',
  EIO: 'the disk does not answer',
};

/** An error of the operating system with the file that it is about: those of reads and writes do not say it. */
export function named(error: unknown, path: string): unknown {
  if (error instanceof Error) (error as NodeJS.ErrnoException).path = path;
  return error;
}

/** What reads a file of data. What the library's readers say of it names the file, and is no fault of the model. */
export async function ofData<T>(path: string, read: () => T | Promise<T>): Promise<T> {
  try {
    return await read();
  } catch (error) {
    if (!(error instanceof GruError) || failure(error).exit !== EXIT.model) throw error;
    const { message } = error;
    throw new CommandError(EXIT.data, message.includes(path) ? message : `${path}: ${message}`, { cause: error });
  }
}

/** The exit code and the line that an error ends the command with. */
export function failure(error: unknown): { exit: ExitCode; line: string } {
  if (error instanceof CommandError) return { exit: error.exit, line: error.message };
  if (error instanceof GruError) return { exit: BY_CODE[error.code], line: error.message };
  if (!(error instanceof Error)) return { exit: EXIT.defect, line: String(error) };
  const { code, path } = error as NodeJS.ErrnoException;
  const words = code === undefined ? undefined : (SYSTEM[code] ?? (path === undefined ? undefined : error.message));
  if (words !== undefined)
    return { exit: EXIT.file, line: `${path === '' ? "''" : (path ?? 'output')}: ${words} (${code!})` };
  return { exit: EXIT.defect, line: `${error.name}: ${error.message}` };
}
