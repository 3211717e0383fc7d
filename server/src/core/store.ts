/** The last answer of a sequence, by which a request that comes again is known and answered. */
export interface LastAnswer {
  /** The sequence's step before it. */
  step: number;
  /** Of the request's inputs. */
  digest: string;
  /** Outputs as the server encodes them. */
  outputs: Uint8Array;
}

/** Tells one write of a sequence from another. */
export type Version = number;

/** What another instance needs to go on with a sequence. */
export interface StoredSequence {
  version: Version;
  /** Steps taken. */
  step: number;
  /** Only its last answer is left. */
  ended: boolean;
  /** Values of its states. */
  state: Float32Array;
  last: LastAnswer | undefined;
}

/** A sequence that is to be written: only where the store has the version that it says; undefined: in any case, for one that begins. */
export type Write = { key: string; version: Version | undefined } & Omit<StoredSequence, 'version' | 'state'>;

/** Where the states of live sequences survive an instance. */
export interface SequenceStore {
  /** One entry a key; undefined for what is not there. @throws where the store does not answer. */
  load(keys: readonly string[]): Promise<(StoredSequence | undefined)[]>;
  /**
   * All at once.
   *
   * @param states A row of values each, in the order of `writes`.
   * @returns Their new version, and the places of those that do not have it: another instance has written them meanwhile.
   */
  save(writes: readonly Write[], states: Float32Array): Promise<{ version: Version; refused: readonly number[] }>;
  close(): Promise<void>;
}
