const fround = Math.fround;

/** `sums[sumsAt + i] += factor * row[rowAt + i]`, each product rounded, for i below `size`. */
export function accumulate(
  sums: Float32Array,
  sumsAt: number,
  factor: number,
  row: Float32Array,
  rowAt: number,
  size: number,
): void {
  for (let i = 0; i < size; i++) sums[sumsAt + i] = sums[sumsAt + i]! + fround(factor * row[rowAt + i]!);
}
