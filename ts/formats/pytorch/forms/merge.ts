import type { MergeSpec, ValueRef } from '../../../spec/spec.ts';
import { NAMES, STRING } from './checks.ts';
import type { Form, Pending, Place } from './form.ts';

/** `torch.cat((a, b), -1)`. */
export interface PytorchConcat {
  name?: string | undefined;
  concat: ValueRef[];
}

/** `a + b`. */
export interface PytorchSum {
  name?: string | undefined;
  sum: ValueRef[];
}

/** `a * b`. */
export interface PytorchMul {
  name?: string | undefined;
  mul: ValueRef[];
}

/** `torch.cat((a, b), -1)`, `a + b`, `a * b`. */
export type PytorchMerge = PytorchConcat | PytorchSum | PytorchMul;

export const concat: Form<'concat', PytorchConcat> = {
  value: NAMES,
  fields: { name: STRING },
  read: (line, place) => merged('concat', line.concat, place),
};

export const sum: Form<'sum', PytorchSum> = {
  value: NAMES,
  fields: { name: STRING },
  read: (line, place) => merged('sum', line.sum, place),
};

export const mul: Form<'mul', PytorchMul> = {
  value: NAMES,
  fields: { name: STRING },
  read: (line, place) => merged('mul', line.mul, place),
};

function merged(merge: MergeSpec['merge'], refs: ValueRef[], { name, resolve }: Place): Pending {
  const inputs = refs.map(resolve);
  return { inputs, load: () => ({ name, type: 'merge', merge, inputs }) };
}
