import { isRecord } from '../../../base/tensor.ts';
import { isListOf, isStrings } from '../../lists.ts';

/** A test of a field, and what the field must be. */
export interface Check {
  is: (value: unknown) => boolean;
  text: string;
}

export const STRING: Check = { is: (value) => typeof value === 'string', text: 'a string' };

export const NAME_OR_NAMES: Check = {
  is: (value) => typeof value === 'string' || isStrings(value),
  text: 'a name or an array of names',
};

/** A module of the state dict. */
export const MODULE: Check = {
  is: (value) => typeof value === 'string' || (isRecord(value) && isStrings(Object.values(value))),
  text: 'the name of a module or names of tensors',
};

/** What is checked with the layer that it becomes. */
export const ANY: Check = { is: () => true, text: 'given' };

export function oneOf(...values: readonly (string | number)[]): Check {
  return { is: (value) => values.includes(value as string), text: values.join(' or ') };
}

/** A small number that is added. */
export const AMOUNT: Check = {
  is: (value) => typeof value === 'number' && Number.isFinite(value) && value >= 0,
  text: 'a number from 0',
};

export const COUNT: Check = {
  is: (value) => isWhole(value) && value > 0,
  text: 'a whole number from 1',
};

export function isWhole(value: unknown): value is number {
  return Number.isSafeInteger(value);
}

/** A number of steps or features, from none. */
export function isAmount(value: unknown): value is number {
  return isWhole(value) && value >= 0;
}

export function isPair(value: unknown, is = isAmount): value is [number, number] {
  return isListOf(value, is) && value.length === 2;
}

/** The fields of most lines. */
export const BASE = { name: STRING, from: STRING };
