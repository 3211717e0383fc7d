import { isRecord } from '../../../base/tensor.ts';
import { ACTIVATION_LAYERS } from '../activation.ts';
import { isModelClass, type KerasLayer, readModelConfig } from '../config.ts';
import { Fields } from '../fields.ts';
import type { Features, Ids, Value } from '../values.ts';
import type { Call, Translate } from './call.ts';
import { asFeatures, checkArguments, layerTitle, onlyValue } from './call.ts';
import { TRAINING_ONLY } from './core.ts';
import { withMaskOfCall } from './mask-ops.ts';
import { MERGES } from './merge.ts';
import { NORMALIZATIONS } from './norm.ts';

/** Layers that treat each step alike anyway. */
const STEPWISE = [
  'Dense',
  'Activation',
  ...ACTIVATION_LAYERS,
  ...Object.keys(TRAINING_ONLY),
  ...Object.keys(NORMALIZATIONS),
];

/** The same in a model. */
const STEPWISE_IN_MODELS = [...STEPWISE, ...Object.keys(MERGES), 'InputLayer'];

/** What translates a layer, by its class. */
type Lookup = (className: string) => Translate | undefined;

/** What is at each step, as what makes its values of a tensor; `perStep`: of the whole sequence, of which it sees one step. */
interface Inner {
  stepwise: boolean;
  apply: (value: Features | Ids, perStep?: true) => Value[];
}

/** A layer or a model at each step. One that treats every step alike anyway is told so; to any other each step is a sequence of its own. */
export const timeDistributed =
  (lookup: Lookup): Translate =>
  (call) => {
    const { fields } = call;
    const config = fields.take('layer');
    if (!isRecord(config) || typeof config['class_name'] !== 'string') throw fields.invalid('its layer is missing');
    fields.finish();
    checkArguments(call, 'mask');
    const inner = isModelClass(config['class_name'])
      ? modelAt(call, config)
      : layerAt(call, lookup, config['class_name'], config['config']);
    const value = onlyValue(call);
    if (value.is !== 'nested' && asFeatures(call, value).kind !== 'sequence') {
      throw fields.invalid('reads a tensor without steps');
    }
    return value.is === 'features' && inner.stepwise
      ? inner.apply(withMaskOfCall(call, value), true)
      : forEachStep(call, value, inner);
  };

function layerAt(call: Call, lookup: Lookup, className: string, config: unknown): Inner {
  const { fields, weights } = call;
  if (!isRecord(config)) throw fields.invalid('its layer has no config');
  const translate = lookup(className);
  if (!translate) throw fields.unsupported(`around a layer of class ${className}, which is not supported`);
  const name = typeof config['name'] === 'string' ? config['name'] : className;
  // Keras 3 runs a layer at each step without what would set a mask.
  const isUnmasked = className === 'Embedding' && call.builder.dialect.framework === 'keras3';
  const own = isUnmasked ? { ...config, mask_zero: false } : config;
  const layer: KerasLayer = { ...call.layer, className, config: own };
  const title = `${fields.layer}: ${layerTitle({ ...layer, name })}`;
  return {
    stepwise: STEPWISE.includes(className),
    apply: (value, perStep) =>
      translate({
        ...call,
        layer,
        kwargs: new Map(),
        ...(perStep ? { perStep } : {}),
        args: [{ value }],
        fields: new Fields(title, own),
        weights: weights.part('layer', name),
      }),
  };
}

function modelAt(call: Call, config: Record<string, unknown>): Inner {
  const { fields, weights } = call;
  const model = readModelConfig(config);
  if (model.inputs.length !== 1 || model.outputs.length !== 1) {
    throw fields.unsupported('around a model of several inputs or outputs');
  }
  const part = weights.part('layer', String(isRecord(config['config']) ? config['config']['name'] : ''));
  return {
    stepwise: model.layers.every(({ className }) => STEPWISE_IN_MODELS.includes(className)),
    apply: (value, perStep) => call.evaluate(model, part, [value], perStep),
  };
}

/** Steps as sequences, or vectors: what is given once for each is one row a step again. */
function forEachStep(call: Call, value: Value, { apply }: Inner): Value[] {
  const { builder, fields } = call;
  if (builder.isForEachStep) throw fields.unsupported('is inside of another TimeDistributed');
  const nested = value.is === 'nested';
  const features = nested ? undefined : asFeatures(call, value);
  if (features?.mask) throw fields.unsupported('is given a mask, of whose steps its layer would see one each');
  const outer = nested ? value.outer : builder.exact(features!);
  const step: Features | Ids = nested
    ? value.ids
      ? { is: 'ids', input: value.ref, kind: 'sequence', whole: true }
      : { is: 'features', ref: value.ref, kind: 'sequence', size: value.size }
    : { is: 'features', ref: outer, kind: 'vector', size: features!.size };
  return builder
    .forEachStep(() => apply(step).map((made) => asFeatures(call, made)))
    .map(({ kind, size, mask, ref }): Value => {
      if (mask) throw fields.unsupported('gives masked steps of each step');
      if (kind === 'vector') return { is: 'features', ref: builder.joinSteps(ref, outer), kind: 'sequence', size };
      const steps = builder.stepsOf(ref);
      if (steps === undefined)
        throw fields.unsupported('gives steps of each step, whose number the input shape has to fix');
      return { is: 'nested', ref, steps, size, outer };
    });
}
