import type { AttentionSpec } from '../../../spec/spec.ts';
import { tanh } from '../exp.ts';
import { accumulate } from '../rows.ts';
import { softmaxOfScores } from '../softmax.ts';
import { rowOf, withScratch } from './layer.ts';
import type { Build } from './layer.ts';

const fround = Math.fround;

/** For each query a mean of values, weighted by softmax of what it and the keys score. */
export const attention: Build<AttentionSpec> = (spec, [queries, keys, values]) => {
  const { score = 'dot', heads = 1, causal = false, withoutKeys = 'zero' } = spec;
  const scale = fround(spec.scale ?? 1);
  const depth = queries!.size;
  const size = values!.size;
  const perHead = depth / heads;
  const width = size / heads;
  const factors =
    score === 'additive' ? Float32Array.from(spec.weights?.factors ?? new Float32Array(depth).fill(1)) : undefined;
  const vectors = queries!.kind === 'vector';
  return withScratch(
    factors?.byteLength ?? 0,
    (_, layouts) => [layouts[keys!.axis]!.steps],
    ({ layouts, inputs: [query, key, value, mask, queryMask], outputs: [y] }, { scratch: [scores] }) => {
      if (!query || !key || !value || !y || !scores) return;
      y.fill(0);
      const layout = layouts[keys!.axis]!;
      const asking = vectors ? undefined : layouts[queries!.axis]!;
      for (let b = 0; b < layout.batch; b++) {
        const count = layout.lengths[b]!;
        const asked = asking ? asking.lengths[b]! : 1;
        for (let i = 0; i < asked && count > 0; i++) {
          const row = asking ? rowOf(asking, b, i) : b;
          const asks = queryMask?.[row] !== 0;
          for (let head = 0; head < heads; head++) {
            const at = head * perHead;
            for (let j = 0; j < count; j++) {
              const k = rowOf(layout, b, j);
              if (!asks || (causal && j > i) || mask?.[k] === 0) scores[j] = -Infinity;
              else {
                const sum = factors
                  ? additive(factors, query, row * depth + at, key, k * depth + at, at, perHead)
                  : dot(query, row * depth + at, key, k * depth + at, perHead);
                scores[j] = sum * scale;
              }
            }
            if (!softmaxOfScores(scores, count)) scores.fill(withoutKeys === 'average' ? 1 / count : 0, 0, count);
            for (let j = 0; j < count; j++) {
              const from = rowOf(layout, b, j) * size + head * width;
              accumulate(y, row * size + head * width, scores[j]!, value, from, width);
            }
          }
        }
      }
    },
  );
};

function dot(a: Float32Array, aAt: number, b: Float32Array, bAt: number, size: number): number {
  let sum = 0;
  for (let k = 0; k < size; k++) sum = fround(sum + fround(a[aAt + k]! * b[bAt + k]!));
  return sum;
}

function additive(
  factors: Float32Array,
  a: Float32Array,
  aAt: number,
  b: Float32Array,
  bAt: number,
  at: number,
  size: number,
): number {
  let sum = 0;
  for (let k = 0; k < size; k++) {
    sum = fround(sum + fround(factors[at + k]! * tanh(fround(a[aAt + k]! + b[bAt + k]!))));
  }
  return sum;
}
