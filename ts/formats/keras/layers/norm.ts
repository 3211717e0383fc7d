import { product } from '../../../base/tensor.ts';
import { batchNorm } from '../../batch-norm.ts';
import type { NormSpec } from '../../../spec/spec.ts';
import type { Features } from '../values.ts';
import type { Call, Translate } from './call.ts';
import { checkArguments, maskUnlessKeras2, onlyFeatures, withoutMask } from './call.ts';
import { withMaskOfCall } from './mask-ops.ts';
import { combine, readAxes, readNumbers, type Table, toTable } from './tables.ts';

/** Dimensions of the tensor as the layer sees it: TimeDistributed shows it one step. */
function rankOf({ perStep }: Call, { kind }: Features): number {
  return kind === 'sequence' && !perStep ? 3 : 2;
}

/** Which weights each of Keras's goes into. */
const TARGETS: Record<string, 'scale' | 'shift'> = {
  gamma: 'scale',
  scale: 'scale',
  moving_variance: 'scale',
  variance: 'scale',
  beta: 'shift',
  moving_mean: 'shift',
  mean: 'shift',
};

/** The layer's weights of these roles, in Keras's order: each a table along `axes`. */
function readTables(call: Call, roles: readonly string[], features: Features, axes: readonly number[]): Table[] {
  const { builder, fields, weights, name } = call;
  const rank = rankOf(call, features);
  return roles.map((role, place) => {
    const tensor = weights.take(place, role);
    if (!tensor) throw fields.invalid('its weights are not in the file');
    const shape = axes.map((axis, i) => (axis === rank - 1 ? features.size : (tensor.shape[i] ?? 1)));
    const values = builder.read(tensor, shape, fields.layer, `${name}/${TARGETS[role]!}`, true);
    return toTable(call, role, { shape, values }, axes, rank, features.size);
  });
}

/** scale x + shift, as a layer of the call's name. */
function addScale(
  call: Call,
  features: Features,
  made: () => { scale?: Table; shift?: Table },
  from?: string,
): Features {
  const { builder, fields, name } = call;
  const { size, kind, mask } = features;
  const { steps, weights } = builder.once(fields.layer, () => {
    const { scale, shift } = made();
    const longest = scale?.steps ?? shift?.steps;
    const zeros = { steps: longest, values: new Float64Array((longest ?? 1) * size) };
    const full = (table: Table | undefined) =>
      table && Float32Array.from(combine(table, zeros, (x, y) => x + y).values);
    const [factor, summand] = [full(scale), full(shift)];
    return {
      steps: longest,
      weights: { ...(factor ? { scale: factor } : {}), ...(summand ? { shift: summand } : {}) },
    };
  });
  const inputs = [from ?? builder.exact(features)];
  builder.add({ type: 'scale', name, inputs, inputSize: size, ...(steps === undefined ? {} : { steps }), weights });
  return { is: 'features', ref: name, kind, size, mask };
}

/** gamma (x - mean) / sqrt(variance + epsilon) + beta, with the moving statistics. */
const batchNormalization: Translate = (call) => {
  const { fields, weights } = call;
  const features = onlyFeatures(call);
  const axes = readAxes(fields, rankOf(call, features), -1);
  if (axes.length > 1) throw fields.unsupported('normalizes along several axes; supported: one');
  if (call.builder.dialect.framework === 'tfjs' && axes[0] !== rankOf(call, features) - 1)
    throw fields.unsupported(
      'normalizes along another axis than the last, for which TensorFlow.js takes the statistics of others on its CPU and wasm backends; load the Keras model that the file was made of',
    );
  const epsilon = fields.number('epsilon', 1e-3);
  const [center, scaled] = [fields.flag('center', true), fields.flag('scale', true)];
  const renorm = fields.flag('renorm', false);
  fields.ignore('momentum', 'synchronized', 'renorm_clipping', 'renorm_momentum', 'fused');
  fields.finish();
  // Statistics of what is not masked are for training.
  checkArguments(call, 'mask');
  const made = () => {
    const roles = [...(scaled ? ['gamma'] : []), ...(center ? ['beta'] : []), 'moving_mean', 'moving_variance'];
    const tables = readTables(call, roles, features, axes);
    if (renorm)
      ['moving_stddev', 'renorm_mean', 'renorm_stddev'].forEach((role, i) => weights.take(roles.length + i, role));
    const of = (role: string) => tables[roles.indexOf(role)]?.values;
    const rows = { gamma: of('gamma'), beta: of('beta'), mean: of('moving_mean')!, variance: of('moving_variance')! };
    const { scale, shift } = batchNorm(rows, epsilon);
    // All lie along the same axis.
    const [{ steps }] = tables as [Table];
    return { scale: { steps, values: scale }, shift: { steps, values: shift } };
  };
  return [addScale(call, withMaskOfCall(call, features), made)];
};

/**
 * A norm layer over these axes: features of a step, all steps of a feature, or both; and its weights, which over time have a row
 * a step.
 */
function normalize(
  call: Call,
  features: Features,
  axes: readonly number[],
  spec: Pick<NormSpec, 'norm' | 'epsilon'>,
  roles: Partial<Record<'scale' | 'shift', string>>,
): Features {
  const { builder, fields, name } = call;
  const { kind, size, mask } = features;
  const rank = rankOf(call, features);
  const overTime = axes.includes(1) && rank === 3;
  const groups = axes.includes(rank - 1) ? undefined : size;
  const [keys, names] = [Object.keys(roles) as ('scale' | 'shift')[], Object.values(roles)];
  const tables = () =>
    Object.fromEntries(readTables(call, names, features, axes).map((table, i) => [keys[i]!, table] as const));
  const byStep = overTime && names.length > 0;
  const weights = byStep
    ? {}
    : builder.once(fields.layer, () =>
        Object.fromEntries(Object.entries(tables()).map(([key, { values }]) => [key, Float32Array.from(values)])),
      );
  const layer: NormSpec = {
    type: 'norm',
    name: byStep ? builder.name(`${name}_normal`) : name,
    inputs: [builder.exact(features)],
    inputSize: size,
    ...spec,
    ...(groups === undefined ? {} : { groups }),
    ...(overTime ? { overTime } : {}),
    weights,
  };
  const ref = builder.add(layer);
  return byStep ? addScale(call, features, tables, ref) : { is: 'features', ref, kind, size, mask };
}

const layerNormalization: Translate = (call) => {
  const { fields } = call;
  const features = onlyFeatures(call);
  const axes = readAxes(fields, rankOf(call, features), -1);
  const epsilon = fields.number('epsilon', 1e-3);
  const [center, scaled] = [fields.flag('center', true), fields.flag('scale', true)];
  const byVariance = fields.flag('rms_scaling', false);
  fields.finish();
  checkArguments(call);
  const roles = {
    ...(scaled || byVariance ? { scale: 'gamma' } : {}),
    ...(center && !byVariance ? { shift: 'beta' } : {}),
  };
  return [normalize(call, features, axes, { norm: byVariance ? 'variance' : 'standard', epsilon }, roles)];
};

const rmsNormalization: Translate = (call) => {
  const { fields } = call;
  const features = onlyFeatures(call);
  const axes = readAxes(fields, rankOf(call, features), -1);
  const epsilon = fields.number('epsilon', 1e-6);
  fields.finish();
  checkArguments(call);
  const made = normalize(call, features, axes, { norm: 'rms', epsilon }, { scale: 'scale' });
  return [call.perStep ? made : withoutMask(call, made)];
};

/** Keras 3: x min(1 / |x|, 1 / 1e-12). Keras 2: x / sqrt(max(|x|^2, 1e-12)). */
const unitNormalization: Translate = (call) => {
  const { fields, builder } = call;
  const features = onlyFeatures(call);
  const axes = readAxes(fields, rankOf(call, features), -1);
  fields.finish();
  checkArguments(call);
  const epsilon = builder.dialect.framework === 'keras3' ? 1e-12 : 1e-6;
  return [normalize(call, features, axes, { norm: 'unit', epsilon }, {})];
};

/** Of a sequence the groups are normalized over all steps too. */
const groupNormalization: Translate = (call) => {
  const { fields, builder, name } = call;
  const features = onlyFeatures(call);
  const { kind, size, mask } = features;
  const rank = rankOf(call, features);
  const [axis, ...more] = readAxes(fields, rank, -1);
  if (axis !== rank - 1 || more.length > 0) throw fields.unsupported('groups steps; supported: groups of features');
  const given = fields.number('groups', 32);
  const groups = given === -1 ? size : given;
  if (groups < 1 || size % groups > 0) throw fields.invalid(`groups ${given} of ${size} features`);
  const epsilon = fields.number('epsilon', 1e-3);
  const [center, scaled] = [fields.flag('center', true), fields.flag('scale', true)];
  fields.finish();
  checkArguments(call);
  const weights = builder.once(fields.layer, () => {
    const tables = readTables(call, [...(scaled ? ['gamma'] : []), ...(center ? ['beta'] : [])], features, [axis]);
    const [gamma, beta] = scaled ? tables : [undefined, ...tables];
    return {
      ...(gamma ? { scale: Float32Array.from(gamma.values) } : {}),
      ...(beta ? { shift: Float32Array.from(beta.values) } : {}),
    };
  });
  const overTime = rank === 3 ? { overTime: true } : {};
  const inputs = [builder.exact(features)];
  builder.add({ type: 'norm', name, inputs, inputSize: size, norm: 'standard', epsilon, groups, ...overTime, weights });
  return [{ is: 'features', ref: name, kind, size, mask }];
};

/** Keras's epsilon(), unless a program sets another one; files do not hold it. */
const EPSILON = 1e-7;

/** (x - mean) / max(sqrt(variance), 1e-7), or the inverse; the statistics are in the config or, of `adapt`, among the weights. */
const normalization: Translate = (call) => {
  const { fields, weights } = call;
  const features = onlyFeatures(call);
  const rank = rankOf(call, features);
  const none = fields.take('axis');
  const axes = none === null || (Array.isArray(none) && none.length === 0) ? [] : readAxes(fields, rank, -1);
  const invert = fields.flag('invert', false);
  const given = [readNumbers(fields, 'mean'), readNumbers(fields, 'variance')];
  fields.finish();
  checkArguments(call);
  const made = () => {
    const ofFile = () => readTables(call, ['mean', 'variance'], features, axes);
    const ofConfig = given.map((numbers, i) => {
      if (!numbers) return undefined;
      const name = i === 0 ? 'mean' : 'variance';
      if (numbers.shape.length <= axes.length) return toTable(call, name, numbers, axes, rank, features.size);
      // With more dimensions they lie along the last axes of the tensor, and are broadcast to those that are no `axis`.
      const along = Array.from({ length: rank }, (_, axis) => axis);
      const misfit = numbers.shape.toReversed().findIndex((n, back) => n !== 1 && !axes.includes(rank - 1 - back));
      if (misfit < 0) return toTable(call, name, numbers, along, rank, features.size);
      throw fields.invalid(
        `${name} has shape [${numbers.shape.join(', ')}], which does not fit axis [${axes.join(', ')}]`,
      );
    });
    const [mean, variance] = (ofConfig.every((table) => table === undefined) ? ofFile() : ofConfig) as [Table?, Table?];
    if (!mean || !variance) throw fields.invalid('has a mean and no variance, or a variance and no mean');
    weights.take(2, 'count');
    const deviation = { ...variance, values: variance.values.map((v) => Math.max(Math.sqrt(v), EPSILON)) };
    if (invert) return { scale: deviation, shift: mean };
    return {
      scale: { ...deviation, values: deviation.values.map((d) => 1 / d) },
      shift: combine(mean, deviation, (m, d) => -m / d),
    };
  };
  return [maskUnlessKeras2(call, addScale(call, features, made))];
};

/** x scale + offset, each a number or an array that is broadcast. */
const rescaling: Translate = (call) => {
  const { fields } = call;
  const features = onlyFeatures(call);
  const rank = rankOf(call, features);
  const [scale, offset] = [readNumbers(fields, 'scale'), readNumbers(fields, 'offset')];
  if (!scale) throw fields.invalid('scale is missing');
  fields.finish();
  checkArguments(call);
  const all = Array.from({ length: rank }, (_, axis) => axis);
  const table = (name: string, numbers: { shape: readonly number[]; values: ArrayLike<number> }) => {
    const shape = numbers.shape.slice(0, -rank);
    if (product(shape) !== 1) throw fields.unsupported(`${name} has more dimensions than the tensor`);
    return toTable(call, name, numbers, all, rank, features.size);
  };
  const made = addScale(call, features, () => ({
    scale: table('scale', scale),
    ...(offset && Array.from(offset.values).some((v) => v !== 0) ? { shift: table('offset', offset) } : {}),
  }));
  return [maskUnlessKeras2(call, made)];
};

/** Layers that normalize, by class. */
export const NORMALIZATIONS: Record<string, Translate> = {
  BatchNormalization: batchNormalization,
  // What tf.keras 1.13 to 2.0 called them.
  BatchNormalizationV1: batchNormalization,
  BatchNormalizationV2: batchNormalization,
  SyncBatchNormalization: batchNormalization,
  LayerNormalization: layerNormalization,
  RMSNormalization: rmsNormalization,
  UnitNormalization: unitNormalization,
  GroupNormalization: groupNormalization,
  Normalization: normalization,
  Rescaling: rescaling,
};
