/** A reference to a storage: `elements` of them from `start` on, in the storage that the file keeps under `key`. */
export class StorageRef {
  readonly key: string;
  readonly dtype: string;
  readonly elements: number;
  readonly start: number;

  constructor(key: string, dtype: string, elements: number, start = 0) {
    this.key = key;
    this.dtype = dtype;
    this.elements = elements;
    this.start = start;
  }
}
