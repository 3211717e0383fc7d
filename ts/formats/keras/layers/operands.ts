import type { MergeSpec, RowActivation, ValueRef } from '../../../spec/spec.ts';
import { oneAxis } from '../fields.ts';
import type { Features, Value } from '../values.ts';
import { broadcast } from './broadcast.ts';
import type { Call, Resolved } from './call.ts';
import { asFeatures, isNothing } from './call.ts';
import type { Constants } from './tables.ts';
import { numbersOf } from './tables.ts';
import { shown } from '../shown.ts';

/** What the arguments of operations are called. */
const OPERAND_NAMES = [
  'x',
  'x1',
  'x2',
  'y',
  'a',
  'b',
  'features',
  'logits',
  'tensor',
  'input',
  'inputs',
  'input_tensor',
  'xs',
  'values',
  'params',
];

/** The tensors and constants that an operation is called on. */
export function operandsOf(call: Call, settings: readonly string[], count: number): Resolved[] {
  const { args, kwargs, fields } = call;
  const found = args.slice(0, count);
  for (const [name, value] of kwargs) {
    if (settings.includes(name) || (name === 'name' && !Array.isArray(value)) || isNothing(value)) continue;
    if (!OPERAND_NAMES.includes(name) || found.length >= count)
      throw fields.unsupported(`is called with ${name}, which is not supported`);
    found.push(value);
  }
  if (found.length < count) throw fields.invalid(`takes ${count} tensors`);
  if (args.slice(count + settings.length).some((argument) => !isNothing(argument)))
    throw fields.unsupported('is called with more arguments than are supported');
  fields.ignore('name');
  fields.finish();
  return found;
}

export type Operand = Features | number | Constants | Resolved[];

export function operands(call: Call, count: number): Operand[] {
  return operandsOf(call, [], count).map((argument) => operand(call, argument));
}

export function operand(call: Call, argument: Resolved | undefined): Operand {
  if (argument === undefined) throw call.fields.invalid('an argument is missing');
  if ('value' in argument) return asFeatures(call, argument.value);
  const numbers = numbersOf(argument);
  if (numbers !== undefined) return numbers;
  if (Array.isArray(argument)) return argument;
  throw call.fields.unsupported('is given a constant that is no number and no array of numbers');
}

/** The one tensor that an operation reads, whatever it holds, without its mask. */
export function asTensor({ fields }: Call, argument: Resolved | undefined): Value {
  if (!argument || Array.isArray(argument) || !('value' in argument)) throw fields.unsupported('takes a tensor');
  const { value } = argument;
  if (value.is !== 'features' || !value.mask) return value;
  const { ref, kind, size, exact } = value;
  return { is: 'features', ref, kind, size, ...(exact ? { exact } : {}) };
}

export function tensor({ fields }: Call, value: Operand | undefined): Features {
  if (value === undefined || typeof value === 'number' || Array.isArray(value))
    throw fields.unsupported('takes a tensor');
  if (value.is === 'constants')
    throw fields.unsupported('is given an array of numbers; supported with +, -, *, /, maximum, minimum and power');
  return value;
}

/** A setting: a keyword, an argument by its place, or a field of the operation's config. */
export function setting(call: Call, name: string, place: number): unknown {
  const given = call.kwargs.get(name) ?? call.args[place];
  const own = call.fields.take(name);
  return isNothing(given) ? own : constantOf(call, name, given!);
}

function constantOf(call: Call, name: string, given: Resolved): unknown {
  if (Array.isArray(given)) return given.map((one) => constantOf(call, name, one));
  if ('constant' in given) return given.constant;
  throw call.fields.unsupported(`${name} is a tensor; supported: a constant`);
}

/** Whole numbers from 1, or -1. */
export function constants(fields: Call['fields'], name: string, values: readonly unknown[]): number[] {
  const isSize = (n: unknown) => Number.isSafeInteger(n) && ((n as number) > 0 || n === -1);
  if (values.length > 0 && values.every(isSize)) return values as number[];
  throw fields.invalid(`${name} must hold whole numbers, got ${shown(values)}`);
}

export function number(call: Call, name: string, place: number, fallback: number): number {
  const value = setting(call, name, place) ?? fallback;
  if (typeof value !== 'number') throw call.fields.unsupported(`${name} must be a number`);
  return value;
}

/** The axis of an operation. Of Keras 3, whose config has it always, null is all axes; to TensorFlow it is the default. */
export function axisOf(call: Call, place: number, fallback: number): number {
  const value = setting(call, 'axis', place);
  const isLeft = value === undefined || (value === null && !call.layer.isOperation);
  return oneAxis(call.fields, 'axis', isLeft ? fallback : value);
}

export function flag(call: Call, name: string, place: number): boolean {
  const value = setting(call, name, place) ?? false;
  if (typeof value !== 'boolean') throw call.fields.unsupported(`${name} must be true or false`);
  return value;
}

/** A tensor made of another of its shape. */
export function withRef({ kind, size }: Features, ref: ValueRef): Features {
  return { is: 'features', ref, kind, size };
}

export const rankOf = ({ kind }: Features) => (kind === 'sequence' ? 3 : 2);

export function pair(call: Call, x: Operand | undefined, y: Operand | undefined): [Features, Features] {
  const [a, b] = [tensor(call, x), tensor(call, y)];
  // Dimensions are matched from the last one on: the batch of a vector would meet the steps.
  if (a.kind !== b.kind) throw call.fields.unsupported('combines steps with whole sequences');
  const { values } = broadcast(call, [a, b]);
  return values as [Features, Features];
}

export function merged(call: Call, parts: readonly Features[], merge: MergeSpec['merge']): [Features] {
  const { builder, name } = call;
  const kind = parts.some((part) => part.kind === 'sequence') ? 'sequence' : 'vector';
  const size = parts.reduce((most, part) => Math.max(most, part.size), 0);
  const inputs = parts.map((part) => builder.exact(part));
  if (inputs.length < 2) return [{ is: 'features', ref: inputs[0]!, kind, size }];
  builder.add({ type: 'merge', name, inputs, merge });
  const all = merge === 'concat' ? parts.reduce((sum, part) => sum + part.size, 0) : size;
  return [{ is: 'features', ref: name, kind, size: all }];
}

export function activation({ builder }: Call, x: Features, fn: RowActivation, name: string): string {
  return builder.add({ type: 'activation', name, inputs: [builder.exact(x)], activation: fn });
}

export function applied(call: Call, x: Features, fn: RowActivation): [Features] {
  return [{ is: 'features', ref: activation(call, x, fn, call.name), kind: x.kind, size: x.size }];
}
