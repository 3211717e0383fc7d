/** Rows of numbers, one a feature. */
interface Rows {
  gamma?: ArrayLike<number> | undefined;
  beta?: ArrayLike<number> | undefined;
  mean: ArrayLike<number>;
  variance: ArrayLike<number>;
}

/** gamma (x - mean) / sqrt(variance + epsilon) + beta as scale x + shift, in float64; gamma left out is 1, beta 0. */
export function batchNorm({ gamma, beta, mean, variance }: Rows, epsilon: number) {
  const scale = Float64Array.from(variance, (v, i) => (gamma?.[i] ?? 1) / Math.sqrt(v + epsilon));
  return { scale, shift: scale.map((factor, i) => (beta?.[i] ?? 0) - mean[i]! * factor) };
}
