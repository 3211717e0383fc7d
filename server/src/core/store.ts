/** The last answer of a sequence, by which a request that comes again is known and answered. */
export interface LastAnswer {
  /** The sequence's step before it. */
  step: number;
  /** Of the request's inputs. */
  digest: string;
  /** Outputs as the server encodes them. */
  outputs: Uint8Array;
}

/** What another instance needs to go on with a sequence. */
export interface StoredSequence {
  /** Steps taken. */
  step: number;
  /** Empty for a sequence that has ended, of which only the last answer is left. */
  state: Uint8Array;
  last: LastAnswer | undefined;
}

/** Tells one write of a sequence from another. */
export type Version = string;

export interface Write {
  id: string;
  sequence: StoredSequence;
  /** Written only where this is what the store has; undefined: in any case, for a sequence that begins. */
  replaces: Version | undefined;
}

/** Where the states of live sequences survive an instance. */
export interface SequenceStore {
  /** One entry an id; undefined for what is not there. @throws where the store does not answer. */
  load(ids: readonly string[]): Promise<({ sequence: StoredSequence; version: Version } | undefined)[]>;
  /** All at once; each gives its new version, or undefined where another instance has written meanwhile. */
  save(writes: readonly Write[]): Promise<(Version | undefined)[]>;
  close(): Promise<void>;
}
