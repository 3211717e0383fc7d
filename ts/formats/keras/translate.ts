import { GruError } from '../../base/errors.ts';
import { inferAxes } from '../../spec/infer-axes.ts';
import type { OutputSpec } from '../../spec/spec.ts';
import type { ImportedModel } from '../report.ts';
import { describeValue, SpecBuilder } from './builder.ts';
import type { KerasLayer, KerasModel } from './config.ts';
import { invalidConfig, isModelClass } from './config.ts';
import type { Dialect } from './dialect.ts';
import { Fields, mixedPolicy } from './fields.ts';
import { attention } from './layers/attention.ts';
import { bidirectional } from './layers/bidirectional.ts';
import type { Call, Translate } from './layers/call.ts';
import { layerTitle, resolveArgument } from './layers/call.ts';
import { CORE } from './layers/core.ts';
import { readInput } from './layers/input.ts';
import { multiHeadAttention } from './layers/multi-head.ts';
import { MASK_OPERATIONS } from './layers/mask-ops.ts';
import { activationOverSteps, dot, flatten, permute, repeatVector } from './layers/over-steps.ts';
import { RECURRENT } from './layers/recurrent.ts';
import type { KerasTensor } from './nodes.ts';
import type { Value } from './values.ts';
import type { WeightSource } from './weights.ts';

const LAYERS: Record<string, Translate> = {
  ...CORE,
  ...RECURRENT,
  Bidirectional: bidirectional,
  Attention: attention,
  AdditiveAttention: attention,
  MultiHeadAttention: multiHeadAttention,
  Activation: activationOverSteps(CORE['Activation']!),
  Softmax: activationOverSteps(CORE['Softmax']!),
  Flatten: flatten,
  Permute: permute,
  RepeatVector: repeatVector,
  Dot: dot,
};

/** Longest chain of layers that is followed. */
const MAX_CHAIN = 1000;

/**
 * Makes a spec of a Keras model: its config, and its weights from wherever they are.
 *
 * @throws GruError `unsupported` naming the layer and the field, with what is supported; `invalid_file`.
 */
export function translateKeras(
  model: KerasModel,
  weights: WeightSource,
  dialect: Dialect,
  format: string,
): ImportedModel {
  const builder = new SpecBuilder(dialect);
  const layers = new Map<string, KerasLayer>();
  for (const layer of model.layers) {
    if (layers.has(layer.name)) throw invalidConfig(`two layers have the name '${layer.name}'`);
    layers.set(layer.name, layer);
  }
  const made = new Map<string, Value[]>();
  const inProgress = new Set<string>();
  for (const { layer: name } of model.inputs) {
    const layer = layers.get(name);
    if (layer?.className !== 'InputLayer') throw invalidConfig(`input '${name}' is no InputLayer`);
    made.set(callKey(name, 0), [readInput(layer, model, builder, weights)]);
  }

  const look = ({ layer, node, tensor }: KerasTensor): Value => {
    const value = call(layer, node)[tensor];
    if (!value) throw invalidConfig(`layer '${layer}' has no output ${tensor}`);
    return value;
  };
  const call = (name: string, node: number): Value[] => {
    const key = callKey(name, node);
    const known = made.get(key);
    if (known) return known;
    const layer = layers.get(name);
    const found = layer?.calls[node];
    if (!layer || !found) throw invalidConfig(`layer '${name}' has no call ${node}`);
    if (inProgress.has(key)) throw invalidConfig(`layer '${name}' reads its own output`);
    if (inProgress.size >= MAX_CHAIN) throw new GruError('unsupported', `more than ${MAX_CHAIN} layers in a chain`);
    inProgress.add(key);
    const translate = translatorOf(layer);
    const policy = mixedPolicy(layer.config);
    if (policy) builder.note(`dtype policy ${policy}: computed in float32 here, as its weights are`);
    const args = found.args.map((argument) => resolveArgument(argument, look));
    const kwargs = new Map(Object.entries(found.kwargs).map(([k, v]) => [k, resolveArgument(v, look)]));
    const values = translate({
      layer,
      name: builder.name(name),
      args,
      kwargs,
      fields: new Fields(layerTitle(layer), layer.config),
      weights: weights.layer(layer),
      builder,
    } satisfies Call);
    inProgress.delete(key);
    made.set(key, values);
    return values;
  };
  for (const layer of model.layers) layer.calls.forEach((_, node) => call(layer.name, node));

  const spec = inferAxes({
    inputs: builder.inputs,
    layers: builder.layers,
    outputs: readOutputs(model, builder, look),
  });
  const [unused] = weights.unused();
  if (unused !== undefined) {
    throw new GruError('unsupported', `tensor '${unused}' of the file belongs to nothing in the model's config`);
  }
  const { tensors, conventions } = builder;
  return { spec, report: { format, producer: dialect.label, conventions, tensors } };
}

function callKey(name: string, node: number): string {
  return `${node} ${name}`;
}

function translatorOf({ className, name, isOperation, customName, config }: KerasLayer): Translate {
  const table = isOperation ? MASK_OPERATIONS : LAYERS;
  if (customName === undefined && Object.hasOwn(table, className)) return table[className]!;
  const supported = isOperation ? Object.keys(MASK_OPERATIONS) : ['InputLayer', ...Object.keys(LAYERS)];
  const what = isOperation ? `operation '${name}'` : `layer '${name}'`;
  let why = '';
  if (customName !== undefined) why = ', a custom object whose code is not in the file';
  else if (isModelClass(className)) why = ': a model inside the model; build the outer model of its layers';
  else if (className === 'Lambda') why = ': its code is Python';
  else if (className === 'TFOpLambda' && typeof config['function'] === 'string') why = ` (${config['function']})`;
  throw new GruError(
    'unsupported',
    `${what} is of class ${customName ?? className}${why}; supported: ${supported.join(', ')}`,
  );
}

function readOutputs(model: KerasModel, builder: SpecBuilder, look: (tensor: KerasTensor) => Value): OutputSpec[] {
  /** Names in use, and the number to try next. */
  const names = new Map<string, number>();
  return model.outputs.map(({ tensor, name: key }) => {
    const value = look(tensor);
    const from = value.is === 'features' ? builder.exact(value) : value.is === 'transposed' && value.flat && value.ref;
    if (!from) {
      throw new GruError(
        'unsupported',
        `output '${tensor.layer}' holds ${describeValue(value)}; supported: numbers, a row a step or a sequence`,
      );
    }
    const wanted =
      key ??
      (tensor.tensor === 0 ? tensor.layer : `${tensor.layer}_state${tensor.tensor > 1 ? tensor.tensor - 1 : ''}`);
    let name = wanted;
    let next = names.get(wanted) ?? 1;
    while (names.has(name)) name = `${wanted}_${next++}`;
    names.set(wanted, next);
    if (name !== wanted) names.set(name, 1);
    return { name, from };
  });
}
