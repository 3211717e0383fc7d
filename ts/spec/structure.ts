import { GruError } from '../base/errors.ts';
import { lengthOf } from '../base/foreign.ts';
import { layerKind } from '../layers/index.ts';
import type { ModelSpec } from './spec.ts';
import { type Copies, once } from '../base/own-copy.ts';
import { floatsOf, type WithNumbers } from '../base/numbers.ts';
import { describe, isArrayLike, isRecord, isRevoked } from '../base/tensor.ts';
import { kindOf } from '../base/typed-array.ts';

const FIELDS = {
  spec: ['inputs', 'layers', 'outputs'],
  input: ['name', 'dtype', 'size', 'kind', 'row', 'axis'],
  output: ['name', 'from', 'row'],
};

/** A spec's parts lie less deep: spec, layers, layer, activation, its fields. */
const DEEPEST = 8;

/** Most layers, inputs, ... of a list. */
const MAX_ITEMS = 2 ** 20;

/**
 * A copy of a spec of the caller's, each property read once, with the caller's own Float32Arrays of weights in it; other numbers are
 * converted.
 *
 * @throws GruError `invalid_spec`, `dtype_mismatch`.
 */
export function copySpec(given: WithNumbers<ModelSpec>): ModelSpec {
  return copy(given, 0, new Map()) as ModelSpec;
}

/**
 * Checks the form of a spec: arrays where there must be arrays, objects where there must be objects, and no fields that nobody
 * would read. The rest is checked with the graph.
 *
 * @throws GruError `invalid_spec`.
 */
export function checkStructure(spec: ModelSpec): void {
  const { inputs, layers, outputs } = object(spec, 'the spec', FIELDS.spec);
  for (const [i, input] of array(inputs, 'inputs').entries()) object(input, `input ${i}`, FIELDS.input);
  for (const [i, output] of outputs === undefined ? [] : array(outputs, 'outputs').entries()) {
    if (typeof output !== 'string') object(output, `output ${i}`, FIELDS.output);
  }
  for (const [i, layer] of array(layers, 'layers').entries()) {
    const given = object(layer, () => `layer ${i}`);
    const { type, name, inputs, initialState, weights } = given;
    const where = (field: string) => () =>
      `${describeName(type, 'untyped')} layer '${describeName(name, `number ${i}`)}': ${field}`;
    if (inputs !== undefined) array(inputs, where('inputs'));
    if (initialState !== undefined) array(initialState, where('initialState'));
    if ('weights' in given || layerKind(type)?.weighted) object(weights, where('weights'));
  }
}

/**
 * What is no array, record or typed array stays what it is, and so does what lies in itself: the checks will say what was expected
 * instead.
 */
function copy(value: unknown, depth: number, copies: Copies): unknown {
  if (isRevoked(value)) throw new GruError('invalid_spec', 'the spec holds a Proxy that has been revoked');
  // Objects alone are told apart by a Map: 0 and -0 are one to it.
  if (typeof value !== 'object' || depth > DEEPEST || kindOf(value) !== undefined) return value;
  return once(copies, value, () => made(value, depth + 1, copies));
}

function made(value: unknown, depth: number, copies: Copies): unknown {
  if (isRecord(value)) {
    const fields = Object.entries(value);
    const name: unknown = fields.find(([key]) => key === 'name')?.[1];
    return Object.fromEntries(
      fields.map(([key, field]) => [
        key,
        key === 'weights' && depth <= DEEPEST && isRecord(field)
          ? copyWeights(field, name)
          : copy(field, depth, copies),
      ]),
    );
  }
  if (!isArrayLike(value)) return value;
  const length = lengthOf(value, 'the spec');
  if (length > MAX_ITEMS) throw new GruError('invalid_spec', `the spec has a list of ${length} items`);
  return Array.from({ length }, (_, i) => copy(value[i], depth, copies));
}

/** The tensors of a layer. */
function copyWeights(weights: Record<string, unknown>, layer: unknown): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(weights).map(([key, data]) => [
      key,
      isArrayLike(data)
        ? floatsOf(`weights['${key}'] of layer '${describeName(layer, '')}'`, data)
        : copy(data, DEEPEST, new Map()),
    ]),
  );
}

function describeName(value: unknown, otherwise: string): string {
  return typeof value === 'string' ? value : otherwise;
}

/** What a thing is called, as text or, where there are many of them, made for an error alone. */
type Name = string | (() => string);

const nameOf = (what: Name) => (typeof what === 'string' ? what : what());

function array(value: unknown, what: Name): unknown[] {
  if (Array.isArray(value) && value.length > 0) return value as unknown[];
  throw new GruError('invalid_spec', `${nameOf(what)} must be an array that is not empty, got ${describe(value)}`);
}

function object(value: unknown, what: Name, fields?: string[]): Record<string, unknown> {
  if (!isRecord(value)) throw new GruError('invalid_spec', `${nameOf(what)} must be an object, got ${describe(value)}`);
  const stray = fields && Object.keys(value).find((key) => !fields.includes(key));
  if (stray === undefined) return value;
  throw new GruError(
    'invalid_spec',
    `${nameOf(what)} has the unknown field '${stray}'; known: ${fields?.join(', ') ?? ''}`,
  );
}
