import { StorageRef } from './storage.ts';
import type { TorchTensor } from './tensor.ts';

/** A tuple, as opposed to a list. */
export class Tuple {
  readonly items: readonly PickleValue[];

  constructor(items: readonly PickleValue[]) {
    this.items = items;
  }
}

/** A name that the pickle refers to and that is on the list of what may be read: a function or class, or a constant. */
export class Global {
  /** `module.name`. */
  readonly name: string;
  /** What calling it gives; undefined for a constant. */
  readonly call: ((args: readonly PickleValue[]) => PickleValue) | undefined;

  constructor(name: string, call?: (args: readonly PickleValue[]) => PickleValue) {
    this.name = name;
    this.call = call;
  }
}

/** An object of any class (a `torch.device`, a `numpy` scalar, a module): its name and attributes. Nothing of the class is looked up. */
export class Inert {
  readonly name: string;
  /** What `BUILD` set; undefined for no attributes by name. */
  attributes: Map<PickleValue, PickleValue> | undefined;

  constructor(name: string) {
    this.name = name;
  }
}

/** What a pickle can hold here. Lists are arrays; every kind of dict is a Map. */
export type PickleValue =
  | null
  | boolean
  | number
  | bigint
  | string
  | Uint8Array
  | PickleValue[]
  | Map<PickleValue, PickleValue>
  | Set<PickleValue>
  | Tuple
  | Global
  | Inert
  | StorageRef
  | TorchTensor;

/**
 * What a Map or Set has for a key of a dict or an item of a set. V8 hashes numbers, but no strings and objects, in a way that is known: of
 * 50,000 that are chosen to collide a Map takes 3 s. No reader asks for a number.
 */
export function keyOf(key: PickleValue): PickleValue {
  return typeof key === 'number' || typeof key === 'bigint' ? new Inert(pythonType(key)) : key;
}

/** What a value is, in Python's words, for error messages. */
export function pythonType(value: PickleValue | undefined): string {
  if (value === undefined) return 'nothing';
  if (value === null) return 'None';
  if (typeof value === 'boolean') return 'a bool';
  if (typeof value === 'number') return Number.isInteger(value) ? 'an int' : 'a float';
  if (typeof value === 'bigint') return 'an int';
  if (typeof value === 'string') return 'a str';
  if (value instanceof Uint8Array) return 'bytes';
  if (Array.isArray(value)) return 'a list';
  if (value instanceof Map) return 'a dict';
  if (value instanceof Set) return 'a set';
  if (value instanceof Tuple) return 'a tuple';
  if (value instanceof Global || value instanceof Inert) return value.name;
  if (value instanceof StorageRef) return 'a storage';
  return 'a tensor';
}
