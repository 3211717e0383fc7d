import type { DenseSpec, ValueRef } from '../../../spec/spec.ts';
import { transpose } from '../../layouts/canonical.ts';
import { isSince } from '../dialect.ts';
import type { Features, Mask } from '../values.ts';
import type { Call, Translate } from './call.ts';
import { asFeatures, checkArguments, firstArgument, isNothing, unknownMask } from './call.ts';
import { readFlag, refusedScores } from './attention.ts';
import { shown } from '../shown.ts';

/** Argument `place` of the call, or the one of a name; undefined where it is left out. */
function argument(call: Call, place: number, name: string): Features | undefined {
  const given = call.args[place] ?? call.kwargs.get(name);
  if (isNothing(given)) return undefined;
  if (!given || Array.isArray(given) || !('value' in given)) throw call.fields.unsupported(`its ${name} is no tensor`);
  return steps(call, asFeatures(call, given.value));
}

function steps(call: Call, features: Features): Features {
  if (features.kind !== 'sequence') throw call.fields.unsupported('reads a tensor without steps');
  return features;
}

/** Masks of the tensors as they come with them: TensorFlow's Keras took none before 2.10. */
function refuseUnknownMasks({ builder, fields }: Call, masks: readonly (Mask | undefined)[]): void {
  if (isSince(builder.dialect, 2, 10) || masks.every((mask) => !mask)) return;
  throw fields.unsupported(
    `takes masks, which ${builder.dialect.label} leaves out; save the model with Keras 2.10 or later`,
  );
}

/** Since Keras 3.8 the layer takes the masks off the tensors that it reads: what is called later finds none there. */
function takeMasks({ builder, fields }: Call, inputs: readonly Features[]): void {
  const takes = isSince(builder.dialect, 3, 8);
  if (takes === false) return;
  for (const input of inputs) {
    if (!input.mask) continue;
    input.mask = takes
      ? undefined
      : unknownMask(
          `${fields.layer} takes the masks of what it reads away since Keras 3.8, and which Keras wrote the file it does not say: put "keras_version": "3.15.1" (or your version) into the config`,
        );
  }
}

/** The number of features of `output_shape`: that of the query where it is null. */
function outputSize({ fields }: Call, querySize: number): number {
  const given = fields.take('output_shape');
  const size: unknown = Array.isArray(given) && given.length === 1 ? given[0] : (given ?? querySize);
  if (typeof size === 'number' && Number.isSafeInteger(size) && size > 0) return size;
  throw fields.unsupported(`output_shape ${shown(given)} is not supported; supported: one number`);
}

/** A projection, whose kernel has more than two dimensions in the file. */
interface Projection {
  /** Its attribute in Keras's objects, its name and its place in the spec. */
  part: [attribute: string, name: string];
  input: ValueRef;
  /** Dimensions of the kernel that are read, and given. */
  from: number[];
  to: number[];
}

const product = (sizes: readonly number[]) => sizes.reduce((n, size) => n * size, 1);

function project(call: Call, name: string, { part: [attribute, role], input, from, to }: Projection): ValueRef {
  const { builder, fields, weights } = call;
  const [inputSize, size] = [product(from), product(to)];
  const useBias = fields.flag('use_bias', true);
  const own = builder.once(`${fields.layer} ${role}`, (): DenseSpec['weights'] => {
    const group = weights.part(attribute, role);
    const kernel = group.take(0, 'kernel');
    const bias = useBias ? group.take(1, 'bias') : undefined;
    if (!kernel || (useBias && !bias)) throw fields.invalid(`the weights of its ${role} are not in the file`);
    const floats = builder.read(kernel, [...from, ...to], fields.layer, `${name}/kernel`, true);
    return {
      kernel: transpose(floats, inputSize, size),
      ...(bias ? { bias: builder.read(bias, to, fields.layer, `${name}/bias`) } : {}),
    };
  });
  return builder.add({ type: 'dense', name, inputs: [input], inputSize, outputSize: size, weights: own });
}

/** MultiHeadAttention: query, key and value projected to `heads` times `key_dim` (`value_dim`) features, attended, projected. */
export const multiHeadAttention: Translate = (call) => {
  const { fields, builder, name } = call;
  const heads = fields.size('num_heads');
  const keySize = fields.size('key_dim');
  const valueSize = fields.take('value_dim') == null ? keySize : fields.size('value_dim');
  const axes = fields.take('attention_axes') ?? null;
  if (!['null', '1', '[1]', '[-2]'].includes(JSON.stringify(axes))) {
    throw fields.unsupported(`attention_axes ${shown(axes)} are not supported: attention is over the steps`);
  }
  fields.expect('sliding_window', [null], 'a query has part in all keys');
  fields.expect('use_gate', [false], 'there is no gate here');
  const dropout = fields.number('dropout', 0);
  // Keras 2: how the scores of masked keys are made small; the softmax of the others is the same.
  fields.ignore('seed', 'flash_attention', 'softmax_robust_masking');
  // What the layer was built for, as some versions write it.
  fields.ignore('query_shape', 'key_shape', 'value_shape');
  const first = firstArgument({
    ...call,
    kwargs: new Map([['inputs', call.kwargs.get('query') ?? []], ...call.kwargs]),
  });
  if (Array.isArray(first) || !('value' in first)) throw fields.unsupported('its query is no tensor');
  const query = steps(call, asFeatures(call, first.value));
  const value = argument(call, 1, 'value');
  if (!value) throw fields.invalid('it is called without a value');
  const givenKey = argument(call, 2, 'key');
  const key = givenKey ?? value;
  const size = outputSize(call, query.size);
  fields.flag('use_bias', true);
  fields.finish();
  checkArguments(
    { ...call, args: call.args.slice(0, 1).concat(call.args.slice(3)) },
    ...['query', 'value', 'key', 'use_causal_mask', 'return_attention_scores'],
  );
  const givesScores = readFlag(call, 'return_attention_scores');
  const causal = readFlag(call, 'use_causal_mask');
  const queryMask = query.mask;
  const masks = [value.mask, givenKey?.mask].filter((mask) => mask !== undefined);
  refuseUnknownMasks(call, [queryMask, ...masks]);
  const projected = (input: Features, role: string, part: number) =>
    project(call, builder.name(`${name}_${role}`), {
      part: [`${role}_dense`, role],
      input: builder.exact(input),
      from: [input.size],
      to: [heads, part],
    });
  const attended = builder.add({
    type: 'attention',
    name: builder.name(`${name}_attention`),
    inputs: [projected(query, 'query', keySize), projected(key, 'key', keySize), projected(value, 'value', valueSize)],
    inputSize: heads * keySize,
    heads,
    scale: 1 / Math.sqrt(keySize),
    ...(causal ? { causal } : {}),
    ...(masks.length > 0 ? { mask: builder.combineMasks(masks, 'mul').ref() } : {}),
    ...(queryMask ? { queryMask: queryMask.ref() } : {}),
    // Where all scores of a row are masked, Softmax gives zeros since 3.14; before, and where there is no dropout nor scores are given, all weigh the same.
    withoutKeys: (dropout > 0 || givesScores) && isSince(builder.dialect, 3, 14) ? 'zero' : 'average',
  });
  takeMasks(call, [query, value, key]);
  const ref = project(call, name, {
    part: ['output_dense', 'attention_output'],
    input: attended,
    from: [heads, valueSize],
    to: [size],
  });
  const made = { is: 'features', ref, kind: 'sequence', size, mask: queryMask } as const;
  return givesScores ? [made, refusedScores(call)] : [made];
};
