import { GruError } from '../../../base/errors.ts';
import type { AttentionSpec, DenseSpec, ValueRef } from '../../../spec/spec.ts';
import type { TakenTensor } from '../tensors.ts';
import { isStrings } from '../../lists.ts';
import { AMOUNT, BASE, type Check, COUNT, MODULE, STRING } from './checks.ts';
import type { Form, Pending, PytorchLayerBase } from './form.ts';
import { moduleTensors, type PytorchModule } from './module.ts';

/**
 * `(torch.softmax(scores, 1) * values).sum(1)`: of several scores a step one sum each, side by side. Or, of queries, keys and values,
 * `F.scaled_dot_product_attention(q, k, v)`.
 */
export interface PytorchAttention {
  name?: string | undefined;
  attention: [scores: ValueRef, values: ValueRef] | [query: ValueRef, keys: ValueRef, values: ValueRef];
  /** Steps (of the keys) where this is 0 have no part: `scores.masked_fill(mask == 0, -inf)`. */
  mask?: ValueRef | undefined;
  /** Of three values, and needed there: features of a query. */
  size?: number | undefined;
  /** Of three values: factor of the products. Default 1 / sqrt(size / heads); 1 for `torch.softmax(q @ k.transpose(1, 2), -1) @ v`. */
  scale?: number | undefined;
  /** Of three values: rows are so many parts, each of which attends by itself. Default 1. */
  heads?: number | undefined;
  /** Of three values: `is_causal`. */
  causal?: boolean | undefined;
}

const TWO_OR_THREE: Check = {
  is: (value) => isStrings(value) && (value.length === 2 || value.length === 3),
  text: 'the names of scores and values, or of query, keys and values',
};

const FLAG: Check = { is: (value) => typeof value === 'boolean', text: 'true or false' };

export const attention: Form<'attention', PytorchAttention> = {
  value: TWO_OR_THREE,
  fields: { name: STRING, mask: STRING, size: COUNT, scale: AMOUNT, heads: COUNT, causal: FLAG },
  read(line, { name, resolve, add }) {
    const refs = line.attention.map(resolve);
    const mask = line.mask === undefined ? {} : { mask: resolve(line.mask) };
    const { size, heads = 1, causal = false } = line;
    if (refs.length === 3) {
      if (size === undefined) {
        throw new GruError(
          'invalid_argument',
          `attention '${name}' of query, keys and values needs size: the features of a query`,
        );
      }
      const scale = line.scale ?? 1 / Math.sqrt(size / heads);
      const spec = { name, type: 'attention', inputs: refs, inputSize: size, heads, scale, causal, ...mask } as const;
      return { inputs: refs, load: () => spec };
    }
    const stray = (['size', 'scale', 'heads', 'causal'] as const).find((field) => line[field] !== undefined);
    if (stray !== undefined) {
      throw new GruError(
        'invalid_argument',
        `attention '${name}': ${stray} is for query, keys and values, these are scores and values`,
      );
    }
    const [scores, values] = refs as [ValueRef, ValueRef];
    const weights = `${name}_weights`;
    const made = add({
      name: weights,
      inputs: [scores],
      load: () => ({ name: weights, type: 'timeSoftmax', ...mask }),
    });
    const inputs = [made, values];
    return { inputs, load: () => ({ name, type: 'weightedSum', inputs }) };
  },
};

/** `nn.MultiheadAttention`, whose query is what the line reads. */
export interface PytorchMultiheadAttention extends PytorchLayerBase {
  multiheadAttention: PytorchModule;
  /** `num_heads`, which the state dict does not say. */
  heads: number;
  /** Default: the query; and the key for a value. */
  key?: ValueRef | undefined;
  value?: ValueRef | undefined;
  /** A query has no part in keys of later steps: `attn_mask` of `generate_square_subsequent_mask`, `is_causal`. */
  causal?: boolean | undefined;
  /** A value of one number a key: keys where it is 0 have no part (`key_padding_mask` says the opposite). */
  mask?: ValueRef | undefined;
}

const PARTS = ['q', 'k', 'v'] as const;

export const multiheadAttention: Form<'multiheadAttention', PytorchMultiheadAttention> = {
  value: MODULE,
  fields: { ...BASE, heads: COUNT, key: STRING, value: STRING, causal: FLAG, mask: STRING },
  looks: (tensors) => (tensors.has('in_proj_weight') ? 'MultiheadAttention' : undefined),
  read(line, place) {
    const { name, tensors, source, takes, resolve, add } = place;
    const { multiheadAttention: module, heads, causal, mask } = line;
    const kind = 'multiheadAttention';
    if ((heads as unknown) === undefined) {
      throw new GruError('invalid_argument', `${kind} '${name}' needs heads: the state dict does not say how many`);
    }
    const found = moduleTensors(
      kind,
      module,
      tensors,
      ['out_proj.weight'],
      [
        'in_proj_weight',
        'q_proj_weight',
        'k_proj_weight',
        'v_proj_weight',
        'in_proj_bias',
        'out_proj.bias',
        'bias_k',
        'bias_v',
      ],
    );
    const stray = found.bias_k ?? found.bias_v;
    if (stray !== undefined) {
      throw new GruError('unsupported', `tensor '${stray}' (add_bias_kv) of ${kind} '${name}' is not supported`);
    }
    const out = tensors.take(found['out_proj.weight'], `${name}/kernel`, [-1, -1]);
    const [size] = out.shape as [number, number];
    if (size % heads !== 0)
      throw new GruError('invalid_argument', `${kind} '${name}': ${heads} heads do not divide ${size}`);
    const bias = (tensor: string | undefined, target: string, length: number) =>
      tensor === undefined ? undefined : tensors.take(tensor, `${name}/${target}`, [length]);
    const outBias = bias(found['out_proj.bias'], 'bias', size);
    const inBias = bias(found.in_proj_bias, 'in_proj_bias', 3 * size);
    const joined = found.in_proj_weight;
    const whole = joined === undefined ? undefined : tensors.take(joined, `${name}/in_proj_weight`, [3 * size, size]);
    const own = PARTS.map((part) => {
      const tensor = found[`${part}_proj_weight`];
      if (whole) return undefined;
      if (tensor !== undefined) return tensors.take(tensor, `${name}_${part}/kernel`, [size, -1]);
      throw new GruError('invalid_file', `${kind} '${name}' has no tensor in_proj_weight and no ${part}_proj_weight`);
    });
    takes(own[0]?.shape[1] ?? size);
    const key = line.key === undefined ? source : resolve(line.key);
    const value = line.value === undefined ? key : resolve(line.value);
    const inputs = [source, key, value].map((input, i) => {
      const part = `${name}_${PARTS[i]!}`;
      const rows = async (tensor: TakenTensor | undefined, width: number) =>
        (await tensor?.floats())?.slice(i * size * width, (i + 1) * size * width);
      const load = async (): Promise<DenseSpec> => {
        const inputSize = own[i]?.shape[1] ?? size;
        const kernel = (await own[i]?.floats())?.slice() ?? (await rows(whole, size))!;
        const offset = await rows(inBias, 1);
        const weights = { kernel, ...(offset ? { bias: offset } : {}) };
        return { name: part, type: 'dense', inputSize, outputSize: size, weights };
      };
      return add({ name: part, inputs: [input], load });
    });
    const attended = `${name}_attention`;
    const attend: AttentionSpec = {
      name: attended,
      type: 'attention',
      inputs,
      inputSize: size,
      heads,
      scale: 1 / Math.sqrt(size / heads),
      ...(causal ? { causal } : {}),
      ...(mask === undefined ? {} : { mask: resolve(mask) }),
    };
    const made = add({ name: attended, inputs, load: () => attend });
    const project = async (): Promise<DenseSpec> => ({
      name,
      type: 'dense',
      inputSize: size,
      outputSize: size,
      weights: {
        kernel: (await out.floats()).slice(),
        ...(outBias ? { bias: (await outBias.floats()).slice() } : {}),
      },
    });
    return { inputs: [made], load: project } satisfies Pending;
  },
};
