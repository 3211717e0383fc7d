import { GruError } from '../../../base/errors.ts';
import type { SpecBuilder } from '../builder.ts';
import { describeValue } from '../builder.ts';
import type { KerasLayer, KerasModel } from '../config.ts';
import { Fields } from '../fields.ts';
import type { KerasArgument } from '../nodes.ts';
import type { Features, Mask, Scores, Stacked, Transposed, Value } from '../values.ts';
import type { WeightGroup } from '../weights.ts';
import { shown } from '../shown.ts';

/** A resolved argument: a value, a constant, or a list of such. */
export type Resolved = { value: Value } | { constant: unknown } | Resolved[];

/** One call of a layer, its arguments resolved. */
export interface Call {
  layer: KerasLayer;
  /** Name for the layer that it becomes: not in use yet. */
  name: string;
  args: Resolved[];
  kwargs: Map<string, Resolved>;
  fields: Fields;
  weights: WeightGroup;
  builder: SpecBuilder;
  /** Calls a model that the layer is or holds. */
  evaluate: (model: KerasModel, weights: WeightGroup, inputs: readonly Value[], perStep?: true) => Value[];
  /** Inside of TimeDistributed: the layer sees one step, (batch, features). */
  perStep?: true;
}

/** Translates a call into layers of the spec: the values of its outputs. */
export type Translate = (call: Call) => Value[];

/** A layer in words, for messages. */
export function layerTitle({ className, name }: KerasLayer): string {
  return `${className} layer '${name}'`;
}

/** Names under which Keras passes the first argument. */
const FIRST = ['inputs', 'sequences', 'x'];

/** The first argument, wherever it is. */
export function firstArgument({ args, kwargs, fields }: Call): Resolved {
  const keyword = FIRST.find((name) => kwargs.has(name));
  const first = args[0] ?? (keyword === undefined ? undefined : kwargs.get(keyword));
  if (first === undefined) throw fields.invalid('it is called without inputs');
  return first;
}

/** The one tensor that the layer reads. */
export function onlyValue(call: Call): Value {
  let first = firstArgument(call);
  while (Array.isArray(first) && first.length === 1) first = first[0]!;
  if (Array.isArray(first) || !('value' in first)) throw call.fields.unsupported('takes one tensor');
  return first.value;
}

/** The one tensor of numbers that the layer reads. */
export function onlyFeatures(call: Call): Features {
  const value = onlyValue(call);
  if (value.is === 'nested')
    throw call.fields.unsupported(`cannot read ${describeValue(value)}; in TimeDistributed it reads the steps of each`);
  return asFeatures(call, value);
}

/** Steps as the last axis, made rows of so many features where the file fixes their number. */
export function stepsAsFeatures(
  { builder, name }: Pick<Call, 'builder' | 'name'>,
  { ref, size, flat }: Transposed,
): Features | undefined {
  const steps = builder.stepsOf(ref);
  if (steps === undefined) return undefined;
  const row = builder.add({ type: 'flatten', name: builder.name(`${name}_flat`), inputs: [ref], steps });
  if (flat) return { is: 'features', ref: row, kind: 'vector', size: steps };
  const turned = { name: builder.name(`${name}_turned`), inputs: [row], steps: size, transposed: true };
  const made = builder.add({ type: 'unflatten', ...turned, ...builder.like(size) });
  return { is: 'features', ref: made, kind: 'sequence', size: steps };
}

/** Several vectors of a sequence as that many steps. */
function vectorsAsSteps({ builder, name }: Pick<Call, 'builder' | 'name'>, { ref, count, size }: Stacked): Features {
  const own = { name: builder.name(`${name}_steps`), inputs: [ref], steps: count, ...builder.like(count) };
  return { is: 'features', ref: builder.add({ type: 'unflatten', ...own }), kind: 'sequence', size };
}

/** Scores as the numbers that they are, where the file fixes the steps of both: for each step of x a row of as many as y has. */
function scoresAsFeatures(call: Pick<Call, 'builder' | 'name'>, { x, y, keys }: Scores): Features | undefined {
  const { builder, name } = call;
  if ([x, y].some(({ kind, ref }) => kind === 'sequence' && builder.stepsOf(ref) === undefined)) return undefined;
  // x[i] y[j] is the sum over the features d of x^T[d][i] y^T[d][j].
  const [left, right] = [x, y].map((one) => featuresAsSteps(call, one)) as [Features, Features];
  const ref = builder.add({
    type: 'weightedSum',
    name: builder.name(`${name}_scores`),
    inputs: [left.ref, right.ref],
  });
  const made =
    x.kind === 'vector'
      ? ({ is: 'features', ref, kind: 'vector', size: right.size } as const)
      : vectorsAsSteps(call, { is: 'stacked', ref, count: left.size, size: right.size });
  if (!keys) return made;
  const own = { name: builder.name(`${name}_weights`), inputs: [made.ref] };
  const weights = builder.add(
    keys === 'y' ? { type: 'activation', ...own, activation: 'softmax' } : { type: 'timeSoftmax', ...own },
  );
  return { ...made, ref: weights };
}

/** A number of each step, or the one that there is, for each feature as a step. */
export function featuresAsSteps(call: Pick<Call, 'builder' | 'name'>, features: Features): Features {
  const { builder, name } = call;
  const { size, kind } = features;
  const ref = builder.exact(features);
  if (kind === 'vector') return vectorsAsSteps(call, { is: 'stacked', ref, count: size, size: 1 });
  return stepsAsFeatures({ builder, name }, { is: 'transposed', ref, size, flat: false })!;
}

/** A value as numbers: several vectors of a sequence; steps as the last axis and scores, where the file fixes the number of steps. */
export function plainOf(call: Pick<Call, 'builder' | 'name'>, value: Value): Features | undefined {
  switch (value.is) {
    case 'features':
      return value;
    case 'transposed':
      return stepsAsFeatures(call, value);
    case 'stacked':
      return vectorsAsSteps(call, value);
    case 'scores':
      return scoresAsFeatures(call, value);
    default:
      return undefined;
  }
}

/** A tensor of numbers. */
export function asFeatures(call: Pick<Call, 'fields' | 'builder' | 'name'>, value: Value): Features {
  const made = plainOf(call, value);
  if (made) return made;
  const why = value.is === 'scores' ? ', whose numbers the input shapes have to fix for this' : '';
  throw call.fields.unsupported(`cannot read ${describeValue(value)}${why}`);
}

/** Refuses arguments beyond the first and those named; `training` may be false. */
export function checkArguments(call: Call, ...known: string[]): void {
  const { args, kwargs, fields } = call;
  for (const [name, value] of kwargs) {
    if (FIRST.includes(name) || known.includes(name)) continue;
    if (isNothing(value) || (name === 'training' && isConstant(value, false))) continue;
    const given = shown(describeArgument(value));
    throw fields.unsupported(`is called with ${name} = ${given}, which is not supported`);
  }
  const extra = args.slice(known.includes('initial_state') ? 2 : 1).find((argument) => !isNothing(argument));
  if (extra) throw fields.unsupported('is called with more arguments than are supported');
}

export function isNothing(argument: Resolved | undefined): boolean {
  return argument === undefined || isConstant(argument, null);
}

function isConstant(argument: Resolved, constant: unknown): boolean {
  return !Array.isArray(argument) && 'constant' in argument && argument.constant === constant;
}

function describeArgument(argument: Resolved): unknown {
  if (Array.isArray(argument)) return argument.map(describeArgument);
  return 'constant' in argument ? argument.constant : describeValue(argument.value);
}

/** The arguments of a call with its tensors looked up. */
export function resolveArgument(argument: KerasArgument, look: (tensor: KerasTensorOf) => Value): Resolved {
  if (Array.isArray(argument)) return argument.map((item) => resolveArgument(item, look));
  return 'tensor' in argument ? { value: look(argument.tensor) } : argument;
}

type KerasTensorOf = Extract<KerasArgument, { tensor: unknown }>['tensor'];

/** A mask that is known only to be there: whoever uses it is refused. */
export function unknownMask(why: string): Mask {
  return {
    key: why,
    unknown: true,
    ref: () => {
      throw new GruError('unsupported', why);
    },
  };
}

/** A tensor as it is at masked steps too, without its mask. */
export function withoutMask({ builder }: Call, features: Features): Features {
  const { kind, size } = features;
  return { is: 'features', ref: builder.exact(features), kind, size };
}

/** What a layer gives that hands no mask on in Keras 2. (TimeDistributed hands its own on.) */
export function maskUnlessKeras2(call: Call, features: Features): Features {
  return call.perStep || call.builder.dialect.framework !== 'keras2' ? features : withoutMask(call, features);
}
