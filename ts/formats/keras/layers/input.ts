import type { SpecBuilder } from '../builder.ts';
import { isRecord } from '../../../base/tensor.ts';
import { isModelClass, readModelConfig, type KerasLayer, type KerasModel } from '../config.ts';
import { Fields } from '../fields.ts';
import type { KerasArgument } from '../nodes.ts';
import type { Value } from '../values.ts';
import type { WeightSource } from '../weights.ts';
import { layerTitle } from './call.ts';
import { cutSteps } from './shape.ts';
import { cellWeights, RECURRENT } from './recurrent.ts';
import { shown } from '../shown.ts';

/** Reads an InputLayer. What it holds (ids, features of steps, vectors) is told by its shape and by who reads it. */
export function readInput(layer: KerasLayer, model: KerasModel, builder: SpecBuilder, weights: WeightSource): Value {
  const fields = new Fields(layerTitle(layer), layer.config);
  fields.expect('sparse', [false, null], 'tensors are dense here');
  fields.expect('ragged', [false, null], 'sequences of differing lengths are given as such');
  fields.expect('optional', [false, null], 'inputs are always given');
  fields.expect('type_spec', [null], 'tensors are dense here');
  const dtype = fields.take('dtype');
  const shape = shapeOf(layer, model, weights);
  fields.ignore('batch_shape', 'batch_input_shape', 'shape', 'input_shape');
  fields.finish();
  if (!Array.isArray(shape)) throw fields.invalid('has no shape; give it to the first layer, and save the model again');

  const name = builder.name(layer.name);
  const dimensions = shape.length;
  const size: unknown = shape[dimensions - 1];
  if (isReadAsIds(layer, model)) {
    if (dimensions === 3) return readNestedIds(fields, name, shape, builder);
    if (dimensions > 2)
      throw fields.unsupported(
        `ids of ${dimensions} dimensions; supported: (batch, steps), (batch), (batch, steps, 8) for TimeDistributed`,
      );
    const kind = dimensions === 2 ? 'sequence' : 'vector';
    builder.addInput({ name, dtype: 'int32', size: 1, kind }, shape[1]);
    return { is: 'ids', input: name, kind };
  }
  if (dtype === 'bool' && dimensions === 2) {
    builder.addInput({ name, dtype: 'float32', size: 1, kind: 'sequence', row: [] }, shape[1]);
    builder.note(`${fields.layer}: a mask, (batch, steps), given as float32 numbers, 0 or 1`);
    return { is: 'condition', kind: 'steps', test: 'mask', mask: { key: name, ref: () => name } };
  }
  if (dimensions === 4) return readNested(fields, name, shape, builder);
  if (dimensions < 2 || dimensions > 3) {
    throw fields.unsupported(`has ${dimensions} dimensions; supported: (batch, steps, features), (batch, features)`);
  }
  if (typeof size !== 'number' || !Number.isSafeInteger(size) || size < 1) {
    throw fields.unsupported(`its last dimension is ${shown(size)}; supported: a number`);
  }
  const kind = dimensions === 3 ? 'sequence' : 'vector';
  builder.addInput({ name, dtype: 'float32', size, kind }, shape[1]);
  return { is: 'features', ref: name, kind, size };
}

/** (batch, outer steps, steps, features): a row of each outer step, cut into its steps. */
function readNested(fields: Fields, name: string, shape: readonly unknown[], builder: SpecBuilder): Value {
  const [, outer, steps, size] = shape;
  const isSize = (n: unknown): n is number => typeof n === 'number' && Number.isSafeInteger(n) && n >= 1;
  if (!isSize(steps) || !isSize(size)) {
    throw fields.unsupported(
      `has the shape ${shown(shape)}; supported of 4 dimensions: the last two fixed, as (batch, steps, 8, 2)`,
    );
  }
  builder.addInput({ name, dtype: 'float32', size: steps * size, kind: 'sequence', row: [steps, size] }, outer);
  return cutSteps(builder, `${name}_steps`, name, steps, size);
}

/** (batch, outer steps, steps) of ids: numbers of each outer step, cut into its steps. */
function readNestedIds(fields: Fields, name: string, shape: readonly unknown[], builder: SpecBuilder): Value {
  const [, outer, steps] = shape;
  if (typeof steps !== 'number' || !Number.isSafeInteger(steps) || steps < 1)
    throw fields.unsupported(`has the shape ${shown(shape)}; supported of ids of 3 dimensions: the last one fixed`);
  builder.addInput({ name, dtype: 'float32', size: steps, kind: 'sequence' }, outer);
  builder.note(`${fields.layer}: ids, (batch, steps, ${steps}), given as numbers`);
  return { ...cutSteps(builder, `${name}_steps`, name, steps, 1), ids: true };
}

/** Layers of ids. */
const READ_IDS = ['Embedding', 'CategoryEncoding'];

/** Whether a layer, as a wrapper's config has it, reads ids. */
function holdsIds(config: unknown): boolean {
  if (!isRecord(config) || typeof config['class_name'] !== 'string') return false;
  if (!isModelClass(config['class_name'])) return READ_IDS.includes(config['class_name']);
  const model = readModelConfig(config);
  const input = model.layers.find(({ name }) => name === model.inputs[0]?.layer);
  return input !== undefined && isReadAsIds(input, model);
}

/** Whether an Embedding reads an input, itself or in a model inside. */
function isReadAsIds(layer: KerasLayer, model: KerasModel): boolean {
  return readers(layer, model).some((reader) => {
    // Through a cast: an embedding takes whole numbers of any type.
    if (reader.className === 'Cast') return isReadAsIds(reader, model);
    if (reader.className === 'TimeDistributed') return holdsIds(reader.config['layer']);
    if (!reader.inner) return READ_IDS.includes(reader.className) || isOneHot(reader);
    const { inner } = reader;
    return innerInputs(inner, reader, layer).some((input) => isReadAsIds(input, inner));
  });
}

/** Whether an operation makes a row of each id. */
function isOneHot({ className, isOperation, config }: KerasLayer): boolean {
  return isOperation ? className === 'OneHot' : className === 'TFOpLambda' && config['function'] === 'one_hot';
}

/** The inputs of a model inside at which it is called on a layer's output. */
function innerInputs({ layers, inputs }: KerasModel, { calls }: KerasLayer, { name: read }: KerasLayer): KerasLayer[] {
  return calls.flatMap(({ args }) =>
    args.flat().flatMap((argument, i) => {
      if (!isTensorOf(argument, read)) return [];
      return layers.find(({ name }) => name === inputs[i]?.layer) ?? [];
    }),
  );
}

function isTensorOf(argument: KerasArgument, name: string): boolean {
  return !Array.isArray(argument) && 'tensor' in argument && argument.tensor.layer === name;
}

const readersOf = new WeakMap<KerasModel, Map<string, Set<KerasLayer>>>();

/** The layers that read a layer's output directly, found for all layers of a model at once. */
function readers({ name }: KerasLayer, model: KerasModel): KerasLayer[] {
  let all = readersOf.get(model);
  if (!all) {
    all = new Map<string, Set<KerasLayer>>();
    for (const layer of model.layers) {
      for (const { args, kwargs } of layer.calls) addReader(all, layer, [...args, ...Object.values(kwargs)]);
    }
    readersOf.set(model, all);
  }
  return [...(all.get(name) ?? [])];
}

function addReader(all: Map<string, Set<KerasLayer>>, reader: KerasLayer, argument: KerasArgument): void {
  if (Array.isArray(argument)) {
    for (const item of argument) addReader(all, reader, item);
  } else if ('tensor' in argument) {
    const { layer } = argument.tensor;
    const known = all.get(layer);
    if (known) known.add(reader);
    else all.set(layer, new Set([reader]));
  }
}

/** An input's shape as its config says it, or who reads it. */
function shapeOf(layer: KerasLayer, model: KerasModel, weights: WeightSource): unknown {
  return layer.config['batch_shape'] ?? layer.config['batch_input_shape'] ?? guessShape(layer, model, weights);
}

/** A Sequential model that was saved without a shape: its first layer tells it, a model by its own input, others by their weights. */
function guessShape(layer: KerasLayer, model: KerasModel, weights: WeightSource): unknown {
  const [first] = readers(layer, model);
  if (!first) return undefined;
  if (first.inner) {
    const { inner } = first;
    const [input] = innerInputs(inner, first, layer);
    return input && shapeOf(input, inner, weights.layer(first).inner(inner.layers));
  }
  if (first.className === 'Embedding') return [null, null];
  const group = weights.layer(first);
  const inner = first.className === 'Bidirectional' ? layerIn(first) : { className: first.className, name: '' };
  if (!Object.hasOwn(RECURRENT, inner.className)) return undefined;
  const own = first.className === 'Bidirectional' ? group.part('forward_layer', `forward_${inner.name}`) : group;
  const kernel = cellWeights(inner.className, own).peek(0, 'kernel');
  if (!kernel) return undefined;
  return [null, null, kernel.shape[0]];
}

/** What a wrapper holds. */
function layerIn({ config }: KerasLayer): { className: string; name: string } {
  const inner = config['layer'] as { class_name?: unknown; config?: { name?: unknown } } | undefined;
  return { className: String(inner?.class_name), name: String(inner?.config?.name) };
}
