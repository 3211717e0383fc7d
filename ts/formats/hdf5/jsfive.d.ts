/** The part of jsfive 0.4.2 that is used here. It has no types of its own; names with an underscore are not in its docs. */
declare module 'jsfive' {
  export type Message = Map<'type' | 'size' | 'offset_to_message', number>;

  export interface DataObjects {
    readonly msgs: readonly Message[];
    unpack_attribute(offset: number): [name: string, value: unknown];
  }

  export class Group {
    readonly keys: string[];
    /** Addresses of the members; a string for a soft link. */
    readonly _links: Record<string, number | string>;
    readonly _dataobjects: DataObjects;
    get(path: string): Group | Dataset;
  }

  export class Dataset {
    readonly shape: number[];
    readonly dtype: string | unknown[];
    readonly _dataobjects: DataObjects;
  }

  export class File extends Group {
    constructor(bytes: ArrayBuffer, name?: string);
  }
}
