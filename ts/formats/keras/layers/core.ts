import type { ValueRef } from '../../../spec/spec.ts';
import { transpose } from '../../layouts/canonical.ts';
import { ACTIVATION_LAYERS, activationLayer, readActivation } from '../activation.ts';
import type { Features } from '../values.ts';
import type { Call, Translate } from './call.ts';
import { checkArguments, maskUnlessKeras2, onlyFeatures, onlyValue } from './call.ts';
import { CONVOLUTIONS } from './conv.ts';
import { MERGES } from './merge.ts';
import { NORMALIZATIONS } from './norm.ts';
import { prelu } from './prelu.ts';
import { checkNoMask } from './tfjs.ts';

/** Layers that do something in training only, and the fields that say what. */
export const TRAINING_ONLY: Record<string, readonly string[]> = {
  Dropout: ['rate', 'noise_shape'],
  SpatialDropout1D: ['rate', 'data_format', 'noise_shape'],
  AlphaDropout: ['rate', 'noise_shape'],
  GaussianDropout: ['rate'],
  GaussianNoise: ['stddev'],
  ActivityRegularization: ['l1', 'l2'],
};

const trainingOnly: Translate = (call) => {
  call.fields.ignore(...TRAINING_ONLY[call.layer.className]!);
  call.fields.finish();
  checkArguments(call);
  return [onlyValue(call)];
};

const identity: Translate = (call) => {
  call.fields.finish();
  checkArguments(call);
  const value = onlyValue(call);
  return [value.is === 'features' ? maskUnlessKeras2(call, value) : value];
};

const embedding: Translate = (call) => {
  const { fields, builder, weights, name } = call;
  const vocabularySize = fields.size('input_dim');
  const outputSize = fields.size('output_dim');
  const maskZero = fields.flag('mask_zero', false);
  fields.ignore('input_length');
  fields.expect('sparse', [false], 'gradients only');
  fields.finish();
  checkArguments(call);
  const value = onlyValue(call);
  const isOne = value.is === 'transposed' && value.flat && value.size === 1;
  const isNested = value.is === 'nested' && value.ids === true;
  if (value.is !== 'ids' && !isOne && !isNested)
    throw fields.unsupported(
      'reads something else than ids; supported: an input of ids, one number a step, as x[:, :, 0]',
    );
  const given = value.is === 'ids' && !value.whole ? value : undefined;
  const isOfEachStep =
    value.is === 'ids' && value.whole === true && builder.isForEachStep && builder.dialect.framework !== 'tfjs';
  if (!given && maskZero && !isOfEachStep)
    throw fields.unsupported(
      'mask_zero of ids that are computed, or of steps of each step; supported: of an input of ids',
    );
  const embeddings = builder.once(fields.layer, () => {
    const tensor = weights.take(0, 'embeddings');
    if (!tensor) throw fields.invalid('its embeddings are not in the file');
    return builder.read(tensor, [vocabularySize, outputSize], fields.layer, `${name}/embeddings`);
  });
  const rows = (ids: ValueRef) =>
    builder.add({
      type: 'embedding',
      name,
      inputs: [ids],
      vocabularySize,
      outputSize,
      ...(maskZero ? { maskZero } : {}),
      weights: { embeddings },
    });
  const whole = (ref: ValueRef) => rows(builder.idsOf(ref, `${name}_ids`));
  if (isNested) {
    const { steps, outer, ref } = value;
    return [{ is: 'nested', ref: builder.forEachStep(() => whole(ref)), steps, size: outputSize, outer }];
  }
  if (given) rows(given.input);
  else whole(value.is === 'ids' ? value.input : value.ref);
  const kind = value.is === 'ids' ? value.kind : 'sequence';
  const mask = maskZero && value.is === 'ids' && value.kind === 'sequence' ? builder.maskOfIds(value.input) : undefined;
  return [{ is: 'features', ref: name, kind, size: outputSize, mask }];
};

const masking: Translate = (call) => {
  const { fields, builder } = call;
  const maskValue = fields.number('mask_value', 0);
  fields.finish();
  checkArguments(call);
  const features = onlyFeatures(call);
  return [builder.maskOf({ ...features, ref: builder.exact(features) }, maskValue).features];
};

const dense: Translate = (call) => {
  const { fields, builder, weights, name } = call;
  const outputSize = fields.size('units');
  const useBias = fields.flag('use_bias', true);
  const activation = readActivation(fields, 'activation', builder.dialect);
  fields.finish();
  checkArguments(call);
  const features = onlyFeatures(call);
  const inputSize = features.size;
  const own = builder.once(fields.layer, () => {
    const kernel = weights.take(0, 'kernel');
    const bias = useBias ? weights.take(1, 'bias') : undefined;
    if (!kernel || (useBias && !bias)) throw fields.invalid('its weights are not in the file');
    const floats = builder.read(kernel, [inputSize, outputSize], fields.layer, `${name}/kernel`, true);
    return {
      kernel: transpose(floats, inputSize, outputSize),
      ...(bias ? { bias: builder.read(bias, [outputSize], fields.layer, `${name}/bias`) } : {}),
    };
  });
  builder.add({
    type: 'dense',
    name,
    inputs: [builder.exact(features)],
    inputSize,
    outputSize,
    activation,
    weights: own,
  });
  return [{ is: 'features', ref: name, kind: features.kind, size: outputSize, mask: features.mask }];
};

/** A Softmax layer adds to its input where a mask is false: a mask of steps to features, broadcast from the last axis. */
export function checkSoftmaxMask(call: Call, { mask }: Features): void {
  if (mask) {
    throw call.fields.unsupported(
      'takes a mask, which is applied to features, not to steps; use Activation("softmax")',
    );
  }
  checkNoMask(call);
}

const activation: Translate = (call) => {
  const { fields, builder, name, layer } = call;
  const features = onlyFeatures(call);
  const rank = features.kind === 'sequence' ? 3 : 2;
  const found =
    layer.className === 'Activation'
      ? [readActivation(fields, 'activation', builder.dialect)]
      : activationLayer(layer.className, fields, rank);
  fields.finish();
  checkArguments(call);
  if (layer.className === 'Softmax') checkSoftmaxMask(call, features);
  const { kind, size, mask } = features;
  const ref = found.reduce(
    (from, activation, i) =>
      builder.add({ type: 'activation', name: i === 0 ? name : builder.name(name), inputs: [from], activation }),
    builder.exact(features),
  );
  return [{ is: 'features', ref, kind, size, mask }];
};

/** Layers that are not recurrent, by class. */
export const CORE: Record<string, Translate> = {
  Embedding: embedding,
  Masking: masking,
  Dense: dense,
  PReLU: prelu,
  Activation: activation,
  ...NORMALIZATIONS,
  ...CONVOLUTIONS,
  ...Object.fromEntries(ACTIVATION_LAYERS.map((name) => [name, activation])),
  ...Object.fromEntries(Object.keys(TRAINING_ONLY).map((name) => [name, trainingOnly])),
  Identity: identity,
  ...MERGES,
};
