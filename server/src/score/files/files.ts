/** A file as it was when it was looked at. */
export interface FileVersion {
  path: string;
  bytes: number;
  /** Another one: it has changed. */
  version: string;
}

/** A file that is read in parts. */
export interface InputFile extends FileVersion {
  /** These bytes, all of them. @throws (as a rejection) CommandError where the file has changed since it was looked at. */
  read(start: number, end: number): Promise<Buffer>;
}

/** Where the pieces of a file go. */
export interface Sink {
  write(bytes: Uint8Array): Promise<void>;
}

/** Where files are: the disks of this machine, or an object store. Errors are CommandErrors, or the system's own, and name the file. */
export interface Files {
  /** Milliseconds between two looks at a folder that others write to. */
  readonly lookEvery: number;
  /** What all machines call it. @throws UsageError for what can be no file. */
  resolve(path: string): string;
  stat(path: string): Promise<FileVersion>;
  read(file: FileVersion, start: number, end: number): Promise<Buffer>;
  /** All of a file; undefined where there is none. */
  readWhole(path: string): Promise<Buffer | undefined>;
  has(path: string): Promise<boolean>;
  /** A whole file, or none: whoever reads it finds what was there, or these bytes. */
  write(path: string, bytes: Uint8Array): Promise<void>;
  /** A large one, in pieces: it is there when all of them are. @param about How many bytes it may get. */
  fill(path: string, about: number, pieces: (sink: Sink) => Promise<void>): Promise<void>;
  makeFolder(folder: string): Promise<void>;
  /** Of the files of a folder. */
  names(folder: string): Promise<Set<string>>;
  removeFolder(folder: string): Promise<void>;
}
