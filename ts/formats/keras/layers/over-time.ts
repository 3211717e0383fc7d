import type { PadSpec, PoolSpec } from '../../../spec/spec.ts';
import type { Features, Mask } from '../values.ts';
import type { Call, Translate } from './call.ts';
import { asRow } from './axes.ts';
import { checkArguments, onlyFeatures, onlyValue, stepsAsFeatures, withoutMask } from './call.ts';
import { maskOfCall } from './mask-ops.ts';
import { cutSteps, joinNested, toPlainShape } from './shape.ts';
import { shown } from '../shown.ts';

/**
 * Layers over steps. None of them hands a mask on, and but for GlobalAveragePooling1D none reads one: masked steps count as others do
 * (Keras without `supports_masking` drops the mask).
 */

const REDUCTIONS: Record<string, 'max' | 'mean'> = { GlobalMaxPooling1D: 'max', GlobalAveragePooling1D: 'mean' };

const globalPooling: Translate = (call) => {
  const { fields, builder, name, layer } = call;
  const keepSteps = fields.flag('keepdims', false);
  const format = fields.choice('data_format', ['channels_last', 'channels_first']);
  fields.finish();
  checkArguments(call, 'mask');
  const features = sequence(call);
  const reduce = REDUCTIONS[layer.className]!;
  if (format === 'channels_first') {
    if (reduce === 'mean' && maskOfCall(call, features).used) throw channels(call, format);
    const ref = builder.add({ type: 'reduceFeatures', name, inputs: [builder.exact(features)], reduce });
    const made: Features = { is: 'features', ref, kind: 'sequence', size: 1 };
    return [keepSteps ? made : asRow(made)];
  }
  let mask: Mask | undefined;
  if (reduce === 'mean') mask = maskOfCall(call, features).used;
  if (mask && builder.dialect.framework === 'tfjs')
    throw fields.unsupported('takes no mask in TensorFlow.js, where Keras does, and its input has one');
  const { size } = features;
  builder.add({
    type: 'reduce',
    name,
    inputs: [mask ? features.ref : builder.exact(features)],
    reduce,
    ...(mask ? { mask: mask.ref() } : {}),
  });
  if (!keepSteps) return [{ is: 'features', ref: name, kind: 'vector', size }];
  const ref = builder.add({ type: 'unflatten', name: builder.name(`${name}_step`), inputs: [name], steps: 1 });
  return [{ is: 'features', ref, kind: 'sequence', size }];
};

const pooling: Translate = (call) => {
  const { fields, builder, name, layer } = call;
  const window = fields.numbers('pool_size', 1, 1)[0]!;
  const [stride = window] = fields.take('strides') == null ? [] : fields.numbers('strides', 1, 1);
  const padding = fields.choice('padding', ['valid', 'same']);
  channelsLast(call);
  fields.finish();
  checkArguments(call);
  const features = unmasked(call);
  const spec: PoolSpec = {
    type: 'pool',
    name,
    inputs: [features.ref],
    pool: layer.className === 'MaxPooling1D' ? 'max' : 'mean',
    window,
    stride,
    ...(padding === 'same' ? { padding } : {}),
  };
  return [{ ...features, ref: builder.add(spec) }];
};

const upSampling: Translate = (call) => {
  const { fields, builder, name } = call;
  const factor = fields.numbers('size', 1, 1)[0]!;
  fields.finish();
  checkArguments(call);
  const features = unmasked(call);
  return [{ ...features, ref: builder.add({ type: 'upsample', name, inputs: [features.ref], factor }) }];
};

/** ZeroPadding1D, and Cropping1D, which takes away. */
function padding(field: string, sign: 1 | -1): Translate {
  return (call) => {
    const { fields, builder, name } = call;
    const [before, after] = fields.numbers(field, 2, 0);
    channelsLast(call);
    fields.finish();
    checkArguments(call);
    const features = unmasked(call);
    const steps = (n: number) => (n === 0 ? 0 : sign * n);
    const spec: PadSpec = { type: 'pad', name, inputs: [features.ref], before: steps(before!), after: steps(after!) };
    return [{ ...features, ref: builder.add(spec) }];
  };
}

const repeatVector: Translate = (call) => {
  const { fields, builder, name } = call;
  const steps = fields.size('n');
  fields.finish();
  checkArguments(call);
  const { ref, kind, size } = onlyFeatures(call);
  if (kind !== 'vector') throw fields.invalid('reads a tensor of steps');
  builder.add({ type: 'repeat', name, inputs: [ref], steps, ...builder.like(steps) });
  return [{ is: 'features', ref: name, kind: 'sequence', size }];
};

const flatten: Translate = (call) => {
  const { fields } = call;
  const format = fields.choice('data_format', ['channels_last', 'channels_first']);
  fields.finish();
  checkArguments(call);
  const value = onlyValue(call);
  if (value.is === 'features' && value.kind === 'vector') return [value];
  const features = unmasked(call);
  const { ref, size } = features;
  const first = format === 'channels_first';
  const rows = first ? stepsAsFeatures(call, { is: 'transposed', ref, size, flat: false }) : features;
  if (!rows) throw fields.unsupported('makes another shape of steps, whose number the input shape has to fix');
  return [toPlainShape(call, rows, [-1])];
};

const reshape: Translate = (call) => {
  const { fields } = call;
  const given = fields.take('target_shape');
  // TensorFlow.js writes -1 as null.
  const target: unknown = Array.isArray(given) ? given.map((n: unknown) => n ?? -1) : given;
  fields.finish();
  checkArguments(call);
  if (!Array.isArray(target) || !target.every((n) => Number.isSafeInteger(n) && ((n as number) > 0 || n === -1))) {
    throw fields.invalid(`target_shape must hold whole numbers from 1, or -1, got ${shown(target)}`);
  }
  const shape = target as number[];
  const value = onlyValue(call);
  if (value.is === 'nested' && value.ids)
    throw call.fields.unsupported('reads ids; supported: Embedding, TimeDistributed');
  const features = value.is === 'nested' ? joinNested(call, value) : withoutMask(call, onlyFeatures(call));
  if (shape.length !== 3 || call.builder.isForEachStep) return [toPlainShape(call, features, shape)];
  const [outer, steps, size] = shape as [number, number, number];
  if (steps === -1 || size === -1) throw fields.unsupported('leaves the last two of four dimensions open');
  const { ref } = toPlainShape(call, features, [outer, steps * size]);
  return [cutSteps(call.builder, `${call.name}_steps`, ref, steps, size)];
};

const permute: Translate = (call) => {
  const { fields, builder, name } = call;
  const dims = JSON.stringify(fields.take('dims'));
  fields.finish();
  checkArguments(call);
  const features = withoutMask(call, onlyFeatures(call));
  const same = features.kind === 'vector' ? '[1]' : '[1,2]';
  if (dims === same) return [features];
  if (features.kind === 'vector' || dims !== '[2,1]') throw fields.invalid(`dims ${dims} do not fit its input`);
  const steps = builder.stepsOf(features.ref);
  if (steps === undefined) throw fields.unsupported('makes features of steps, whose number the input shape has to fix');
  const { ref, size } = features;
  const flat = builder.add({ type: 'flatten', name: builder.name(`${name}_flat`), inputs: [ref], steps });
  builder.add({ type: 'unflatten', name, inputs: [flat], steps: size, transposed: true, ...builder.like(size) });
  return [{ is: 'features', ref: name, kind: 'sequence', size: steps }];
};

function channelsLast(call: Call): void {
  const format = call.fields.take('data_format');
  if (format !== undefined && format !== null && format !== 'channels_last') throw channels(call, format);
}

function channels({ fields }: Call, format: unknown): Error {
  return fields.unsupported(`data_format ${shown(format)} is not supported: steps come before features here`);
}

function unmasked(call: Call): Features {
  return withoutMask(call, sequence(call));
}

function sequence(call: Call): Features {
  const features = onlyFeatures(call);
  if (features.kind !== 'sequence') throw call.fields.invalid('reads a tensor without steps');
  return features;
}

/** Layers over steps, by class. */
export const OVER_TIME: Record<string, Translate> = {
  GlobalMaxPooling1D: globalPooling,
  GlobalAveragePooling1D: globalPooling,
  MaxPooling1D: pooling,
  AveragePooling1D: pooling,
  UpSampling1D: upSampling,
  ZeroPadding1D: padding('padding', 1),
  Cropping1D: padding('cropping', -1),
  RepeatVector: repeatVector,
  Flatten: flatten,
  Reshape: reshape,
  Permute: permute,
};
