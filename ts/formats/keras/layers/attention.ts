import type { AttentionSpec } from '../../../spec/spec.ts';
import type { Features, Mask, Value } from '../values.ts';
import type { Call, Resolved, Translate } from './call.ts';
import { asFeatures, checkArguments, firstArgument, isNothing } from './call.ts';
import { maskOfCondition } from './mask-ops.ts';
import { activation, withRef } from './operands.ts';

/** The tensors of `[query, value]` or `[query, value, key]`. */
function readInputs(call: Call): { query: Features; value: Features; key: Features } {
  const { fields } = call;
  const list = firstArgument(call);
  const given = Array.isArray(list)
    ? list.map((item) => {
        if (Array.isArray(item) || !('value' in item)) throw fields.unsupported('takes a list of tensors');
        return asFeatures(call, item.value);
      })
    : [];
  const [query, value, key = value] = given;
  if (!query || !value || !key || given.length > 3) throw fields.invalid('takes [query, value] or [query, value, key]');
  if (given.some(({ kind }) => kind !== 'sequence')) throw fields.unsupported('reads a tensor without steps');
  return { query, value, key };
}

/** The masks of query and value: those of the argument `mask`, or those that come with the tensors. */
function readMasks(call: Call, query: Features, value: Features): (Mask | undefined)[] {
  const carried = [query.mask, value.mask];
  const given = call.kwargs.get('mask');
  if (isNothing(given)) return given && call.builder.dialect.framework === 'keras3' ? [] : carried;
  if (!Array.isArray(given)) throw call.fields.unsupported('its mask is no list of masks');
  return given.slice(0, 2).map((mask) => readMask(call, mask));
}

function readMask(call: Call, given: Resolved): Mask | undefined {
  if (isNothing(given)) return undefined;
  if (Array.isArray(given) || !('value' in given) || given.value.is !== 'condition') {
    throw call.fields.unsupported('its mask is no mask of steps');
  }
  return maskOfCondition(call, given.value);
}

/** An argument of a call that is true or false. */
export function readFlag(call: Call, name: string): boolean {
  const given = call.kwargs.get(name);
  if (isNothing(given)) return false;
  if (given && !Array.isArray(given) && 'constant' in given && typeof given.constant === 'boolean')
    return given.constant;
  throw call.fields.unsupported(`is called with ${name}, which is no constant`);
}

/** Scores, of which there would be a matrix a sequence, as an output that cannot be read. */
export function refusedScores({ fields }: Call): Value {
  const error = fields.unsupported(
    'its attention scores are read; supported: those of Attention by dot products without a mask. Build the model without return_attention_scores',
  );
  return { is: 'refused', error };
}

function scalar({ fields, weights, builder, name }: Call, place: number, role: string): number {
  const tensor = weights.take(place, role);
  if (!tensor) throw fields.invalid(`its ${role} is not in the file`);
  return builder.read(tensor, [], fields.layer, `${name}/${role}`)[0]!;
}

/**
 * Attention: scores are query . key, times `scale` if it is trained; or of `concat` those of tanh(scale (query + key)).
 * AdditiveAttention: factors . tanh(query + key).
 */
export const attention: Translate = (call) => {
  const { fields, builder, name, layer } = call;
  const additive = layer.className === 'AdditiveAttention';
  const useScale = fields.flag('use_scale', additive);
  if (!additive) fields.expect('score_mode', ['dot', 'concat'], 'scores are of query and key');
  const concat = !additive && fields.take('score_mode') === 'concat';
  // Up to Keras 2.9 it was the layer that was causal, not the call.
  const causal = fields.flag('causal', false) || readFlag(call, 'use_causal_mask');
  fields.ignore('dropout', 'seed');
  fields.finish();
  checkArguments(call, 'mask', 'use_causal_mask', 'return_attention_scores');
  const givesScores = readFlag(call, 'return_attention_scores');
  const { query, value, key } = readInputs(call);
  const [queryMask, mask] = readMasks(call, query, value);
  const inputSize = query.size;
  if (key.size !== inputSize) throw fields.invalid(`its queries have ${inputSize} features, its keys ${key.size}`);
  const own = builder.once(fields.layer, (): Pick<AttentionSpec, 'scale' | 'weights'> & { inner: number } => {
    if (additive) {
      const tensor = useScale ? call.weights.take(0, 'scale') : undefined;
      if (useScale && !tensor) throw fields.invalid('its scale is not in the file');
      const factors = tensor && builder.read(tensor, [inputSize], fields.layer, `${name}/factors`);
      return { inner: 1, ...(factors ? { weights: { factors } } : {}) };
    }
    const scale = useScale ? scalar(call, 0, 'scale') : 1;
    return concat
      ? { inner: scale, scale: scalar(call, useScale ? 1 : 0, 'concat_score_weight') }
      : { inner: 1, scale };
  });
  const { inner, ...rest } = own;
  const scaled = (features: Features, what: string) => {
    const ref = builder.exact(features);
    if (inner === 1) return ref;
    const by = { name: 'affine', alpha: inner, beta: 0 } as const;
    return builder.add({ type: 'activation', name: builder.name(`${name}_${what}`), inputs: [ref], activation: by });
  };
  builder.add({
    type: 'attention',
    name,
    inputs: [scaled(query, 'query'), scaled(key, 'key'), builder.exact(value)],
    inputSize,
    ...(additive || concat ? { score: 'additive' } : {}),
    ...rest,
    ...(causal ? { causal } : {}),
    ...(mask ? { mask: mask.ref() } : {}),
    // Masked scores are lowered by 1e9: where all are, they weigh the same.
    withoutKeys: 'average',
  });
  const { size } = value;
  const ref = queryMask ? builder.zeroMasked(name, size, queryMask) : name;
  const made: Features = { is: 'features', ref, kind: 'sequence', size, mask: queryMask };
  if (!givesScores) return [made];
  if (additive || concat || causal || mask) return [made, refusedScores(call)];
  const by = { name: 'affine', alpha: rest.scale ?? 1, beta: 0 } as const;
  const x = withRef(query, activation(call, query, by, builder.name(`${name}_query`)));
  return [made, { is: 'scores', x, y: key, keys: 'y' }];
};
