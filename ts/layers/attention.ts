import { checkChoice, checkFinite, checkFlag, checkSize, floatBits, specError } from './check.ts';
import type { LayerKind, ValueShape } from './kind.ts';
import type { LayerBase, ValueRef } from './spec.ts';
import { checkMask } from './steps.ts';

/**
 * For each query a mean of values: y[q] = sum over t ascending of w[q][t] * value[t], where w[q] is softmax over t of the scores
 *
 *     dot        scale * sum over k of query[q][k] * key[t][k]
 *     additive   scale * sum over k of factors[k] * tanh(query[q][k] + key[t][k])
 *
 * Queries, keys and values are rows as they are: projections are dense layers.
 */
export interface AttentionSpec extends LayerBase {
  type: 'attention';
  /** Queries: steps, or one a sequence; keys; values, of the same steps as keys, which may be of another axis than those of queries. */
  inputs: ValueRef[];
  /** Values in a row of queries and of keys. */
  inputSize: number;
  /** Default `dot`. */
  score?: 'dot' | 'additive';
  /** Factor of the scores. Default 1. */
  scale?: number;
  /** Rows are so many parts of equal size, each of which attends by itself. Default 1. */
  heads?: number;
  /** A query has no part in keys of later steps. */
  causal?: boolean;
  /** A value of one number a key: keys where it is 0 have no part. */
  mask?: ValueRef;
  /** A value of one number a query: queries where it is 0 have no keys. */
  queryMask?: ValueRef;
  /** What a query without keys gets: zeros (the default), or the mean of all values, of masked steps too. */
  withoutKeys?: 'zero' | 'average';
  /** factors: (inputSize), of additive scores; left out: ones. */
  weights?: { factors?: Float32Array };
}

export const attention: LayerKind<AttentionSpec> = {
  type: 'attention',
  code: 15,
  fields: ['inputSize', 'score', 'scale', 'heads', 'causal', 'mask', 'queryMask', 'withoutKeys'],
  check(spec) {
    checkSize(spec, 'inputSize', spec.inputSize);
    checkChoice(spec, 'score', spec.score, ['dot', 'additive']);
    checkChoice(spec, 'withoutKeys', spec.withoutKeys, ['zero', 'average']);
    checkFlag(spec, 'causal', spec.causal);
    if (spec.heads !== undefined) checkSize(spec, 'heads', spec.heads);
    if (spec.scale !== undefined) checkFinite(spec, 'scale', spec.scale);
  },
  extraInputs: (spec) => [spec.mask, spec.queryMask],
  crossesAxes: [
    [0, 4],
    [1, 2, 3],
  ],
  ports(spec, inputs, [mask, queryMask]) {
    const { query, value } = checkInputs(spec, inputs);
    checkMask(spec, 'mask', mask, 'sequence');
    checkMask(spec, 'queryMask', queryMask, query.kind);
    return [{ port: 'output', kind: query.kind, dtype: 'float32', size: value.size }];
  },
  tensors: ({ inputSize, score }) =>
    score === 'additive' ? [{ key: 'factors', shape: [inputSize], optional: true }] : [],
  params: ({ inputSize, score = 'dot', scale = 1, heads = 1, causal = false, withoutKeys = 'zero' }) => ({
    inputSize,
    heads,
    additive: Number(score === 'additive'),
    scale: floatBits(scale),
    causal: Number(causal),
    average: Number(withoutKeys === 'average'),
  }),
  notStreamable: () => 'it reads all steps of its keys',
};

function checkInputs(spec: AttentionSpec, inputs: ValueShape[]): { query: ValueShape; value: ValueShape } {
  const [query, key, value] = inputs;
  if (!query || !key || !value || inputs.length !== 3) {
    throw specError(spec, `takes three inputs, query, key and value, got ${inputs.length}`);
  }
  if (inputs.some(({ dtype }) => dtype !== 'float32')) throw specError(spec, 'takes float32 values');
  if (key.kind !== 'sequence' || value.kind !== 'sequence')
    throw specError(spec, 'keys and values are values of steps');
  const { inputSize, heads = 1 } = spec;
  if (query.size !== inputSize || key.size !== inputSize) {
    throw specError(
      spec,
      `inputSize is ${inputSize}, but its queries have ${query.size} values a row and its keys ${key.size}`,
    );
  }
  if (query.size % heads !== 0 || value.size % heads !== 0) {
    throw specError(spec, `${heads} heads do not divide rows of ${query.size} and ${value.size} values`);
  }
  if (spec.causal && query.kind !== 'sequence') throw specError(spec, 'causal is for queries of steps');
  return { query, value };
}
