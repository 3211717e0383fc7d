import { GruError } from '../../../base/errors.ts';
import { shapeText } from '../../../base/tensor.ts';
import type { MergeSpec, ValueRef } from '../../../spec/spec.ts';
import { isListOf } from '../../lists.ts';
import { powerFunction } from '../../powers.ts';
import { type Check, STRING } from './checks.ts';
import type { Form, Pending, Place } from './form.ts';

/** A value by its name, a number, or a tensor of the state dict by its name: one number, or one a feature. */
export type Operand = ValueRef | number;

/** `torch.cat((a, b), -1)`. */
export interface PytorchConcat {
  name?: string | undefined;
  concat: Operand[];
}

/** `a * b`, `a * 2`, `a * self.scale`. */
export interface PytorchMul {
  name?: string | undefined;
  mul: Operand[];
}

/** `a - b`, `1 - a`. */
export interface PytorchSub {
  name?: string | undefined;
  sub: Operand[];
}

/** `a / b`. */
export interface PytorchDiv {
  name?: string | undefined;
  div: Operand[];
}

/** `a ** 2`, `a ** b`. */
export interface PytorchPow {
  name?: string | undefined;
  pow: Operand[];
}

/** `torch.cat((a, b), -1)`, `a - b`, `a * b`, `a / b`, `a ** b`. */
export type PytorchMerge = PytorchConcat | PytorchSub | PytorchMul | PytorchDiv | PytorchPow;

const isOperand = (value: unknown): value is Operand => typeof value === 'string' || Number.isFinite(value);

export const OPERANDS: Check = {
  is: (value) => isListOf(value, isOperand),
  text: 'an array of names and numbers',
};

type Kind = 'concat' | 'mul' | 'sub' | 'div' | 'pow';

function merge<K extends Kind, L extends { name?: string | undefined } & Record<K, Operand[]>>(kind: K): Form<K, L> {
  return {
    value: OPERANDS,
    fields: { name: STRING } as Form<K, L>['fields'],
    read: (line, place) => merged(kind, line[kind], place),
  };
}

export const concat = merge<'concat', PytorchConcat>('concat');
export const mul = merge<'mul', PytorchMul>('mul');
export const sub = merge<'sub', PytorchSub>('sub');
export const div = merge<'div', PytorchDiv>('div');

export const pow: Form<'pow', PytorchPow> = {
  // a ** b ** c is a ** (b ** c), unlike what a list of them would be
  value: { is: (value) => OPERANDS.is(value) && (value as Operand[]).length === 2, text: 'two names or numbers' },
  fields: { name: STRING },
  read(line, place) {
    const [base, power] = line.pow;
    const activation = typeof power === 'number' ? powerFunction(power) : undefined;
    if (typeof base !== 'string' || activation === undefined) return merged('pow', line.pow, place);
    return { inputs: [place.resolve(base)], load: () => ({ name: place.name, type: 'activation', activation }) };
  },
};

/** Several values made one, of which one, the first or the last, may be a constant. */
export function merged(kind: MergeSpec['merge'], operands: Operand[], place: Place): Pending {
  const { name, resolve } = place;
  const read = operands.map((operand) => constantOf(operand, kind, place) ?? resolve(operand as ValueRef));
  const inputs = read.filter((operand) => typeof operand === 'string');
  const at = read.findIndex((operand) => typeof operand !== 'string');
  const constant = read[at];
  if (typeof constant !== 'object') return { inputs, load: () => ({ name, type: 'merge', merge: kind, inputs }) };
  if (inputs.length !== read.length - 1 || inputs.length === 0 || (at > 0 && at < inputs.length)) {
    throw new GruError(
      'invalid_argument',
      `${kind} '${name}' takes values and one number or tensor, which is the first or the last: write it in lines of two`,
    );
  }
  const load = async (): Promise<MergeSpec> => {
    const values = (await constant.floats()).slice();
    return {
      ...{ name, type: 'merge', merge: kind, inputs, constantSize: values.length },
      ...(at === 0 ? { constantFirst: true } : {}),
      weights: { constant: values },
    };
  };
  return { inputs, load };
}

interface ConstantRow {
  floats: () => Promise<Float32Array>;
}

/** A number, or a tensor of one row; undefined: a value. */
function constantOf(operand: Operand, kind: string, { name, tensors, isValue, note }: Place): ConstantRow | undefined {
  if (typeof operand === 'number') return { floats: () => Promise.resolve(Float32Array.of(operand)) };
  const tensor = tensors.local(operand);
  const shape = isValue(operand) ? undefined : tensors.shape(tensor);
  if (!shape) return undefined;
  if (shape.filter((n) => n !== 1).length > 1) {
    throw new GruError(
      'unsupported',
      `${kind} '${name}': tensor '${operand}' has shape ${shapeText(shape)}; it takes one number, or one for each feature` +
        (kind === 'sum' ? `; of a row for each step write { positions: '${operand}' }` : ''),
    );
  }
  // (1, n, 1): of channels first it is one a feature, else it would be one a step.
  if (shape.length > 1 && shape.at(-1) === 1) {
    note(`${kind} '${name}': tensor '${operand}' ${shapeText(shape)} taken as one number for each feature`);
  }
  return tensors.take(tensor, `${name}/constant`, shape);
}
