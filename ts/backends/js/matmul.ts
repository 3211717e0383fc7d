import { isFloats, kindOf } from '../../base/typed-array.ts';
import { type MatrixRows, quantizeRow } from './integers.ts';

const fround = Math.fround;

/** Columns of a panel. */
const PANEL = 8;

/** A matrix in panels of 8 outputs: `panels[(panel * depth + k) * 8 + column]`, the last one padded with zeros. */
export interface PackedMatrix {
  readonly panels: Float32Array | Int16Array | Int8Array;
  /** Outputs. */
  readonly columns: number;
  /** Length of each sum of products. */
  readonly depth: number;
  /** Distance between the rows that are multiplied. */
  readonly apart: number;
  /** Of integers. */
  readonly integers?: Integers;
}

interface Integers {
  readonly panels: Int16Array | Int8Array;
  /** Of each column. */
  readonly scales: Float32Array;
  readonly levels: number;
  /** A row of what is multiplied, as integers. */
  readonly row: Int16Array;
}

/** Packs an output-major (columns, depth) matrix, for rows that lie `apart` (less than their length: they overlap). */
export function packMatrix(rows: MatrixRows, columns: number, depth: number, apart = depth): PackedMatrix {
  const size = Math.ceil(columns / PANEL) * PANEL * depth;
  if (isFloats(rows)) {
    return { panels: fillPanels(new Float32Array(size), rows, columns, depth), columns, depth, apart };
  }
  const { data, scales, levels } = rows;
  const panels = fillPanels(
    kindOf(data) === 'Int16Array' ? new Int16Array(size) : new Int8Array(size),
    data,
    columns,
    depth,
  );
  const integers = { panels, scales: scales.slice(), levels, row: new Int16Array(depth) };
  return { panels, columns, depth, apart, integers };
}

function fillPanels<T extends PackedMatrix['panels']>(
  panels: T,
  weights: PackedMatrix['panels'],
  columns: number,
  depth: number,
): T {
  for (let column = 0; column < columns; column++) {
    const at = Math.floor(column / PANEL) * PANEL * depth + (column % PANEL);
    for (let k = 0; k < depth; k++) panels[at + k * PANEL] = weights[column * depth + k]!;
  }
  return panels;
}

/**
 * For each i below `count`: row i of `out` = row i of `init` + matrix * (row `rows[from + i]` of `x`); k ascending, a rounding
 * after each operation. Row 0 of `x`, `init`, `out` is at `xAt`, `initAt`, `outAt`.
 *
 * V8 computes each float32 operation in float64 and converts: 4 conversions a product bound the speed, and 8 chains hide
 * their latency on any machine. Measured on an AMD EPYC (Node 20.20 and 24.9, depth 256, 768 columns, GFLOP/s): textbook loop
 * 0.96; one row by 2, 4, 8, 16 columns 1.87, 2.64, 2.68, 2.71; two rows by 4, 8 columns 2.83, 2.81; four rows by 4 columns
 * 2.84. Weights and x as float64 would be 3.2 in twice the memory.
 */
export function multiply(
  matrix: PackedMatrix,
  x: Float32Array,
  xAt: number,
  rows: Int32Array,
  from: number,
  count: number,
  init: Float32Array,
  initAt: number,
  initStride: number,
  out: Float32Array,
  outAt: number,
  outStride: number,
): void {
  const { columns, depth, apart, integers } = matrix;
  if (integers) {
    for (let i = 0; i < count; i++) {
      const scale = quantizeRow(x, xAt + rows[from + i]! * apart, integers.levels, integers.row);
      integerRow(integers, columns, scale, init, initAt + i * initStride, out, outAt + i * outStride);
    }
    return;
  }
  const panels = matrix.panels as Float32Array;
  const pairs = count & ~1;
  // Panels outside, rows inside: a panel stays in L1 for all rows.
  for (let column = 0; column < columns; column += PANEL) {
    const last = columns - column < PANEL ? columns - column : PANEL;
    const panel = column * depth;
    for (let i = 0; i < pairs; i += 2) {
      const x0 = xAt + rows[from + i]! * apart;
      const x1 = xAt + rows[from + i + 1]! * apart;
      const init0 = initAt + i * initStride + column;
      const out0 = outAt + i * outStride + column;
      twoRows(panels, panel, x, x0, x1, depth, init, init0, init0 + initStride, out, out0, out0 + outStride, last);
    }
    if (pairs < count) {
      const x0 = xAt + rows[from + pairs]! * apart;
      oneRow(
        panels,
        panel,
        x,
        x0,
        depth,
        init,
        initAt + pairs * initStride + column,
        out,
        outAt + pairs * outStride + column,
        last,
      );
    }
  }
}

/** One row by a panel of which `last` columns exist. */
function oneRow(
  w: Float32Array,
  panel: number,
  x: Float32Array,
  x0: number,
  depth: number,
  init: Float32Array,
  i: number,
  out: Float32Array,
  o: number,
  last: number,
): void {
  let a0 = init[i]!;
  let a1 = last > 1 ? init[i + 1]! : 0;
  let a2 = last > 2 ? init[i + 2]! : 0;
  let a3 = last > 3 ? init[i + 3]! : 0;
  let a4 = last > 4 ? init[i + 4]! : 0;
  let a5 = last > 5 ? init[i + 5]! : 0;
  let a6 = last > 6 ? init[i + 6]! : 0;
  let a7 = last > 7 ? init[i + 7]! : 0;
  let p = panel;
  for (let k = 0; k < depth; k++) {
    const v = x[x0 + k]!;
    a0 = fround(a0 + fround(w[p]! * v));
    a1 = fround(a1 + fround(w[p + 1]! * v));
    a2 = fround(a2 + fround(w[p + 2]! * v));
    a3 = fround(a3 + fround(w[p + 3]! * v));
    a4 = fround(a4 + fround(w[p + 4]! * v));
    a5 = fround(a5 + fround(w[p + 5]! * v));
    a6 = fround(a6 + fround(w[p + 6]! * v));
    a7 = fround(a7 + fround(w[p + 7]! * v));
    p += PANEL;
  }
  out[o] = a0;
  if (last > 1) out[o + 1] = a1;
  if (last > 2) out[o + 2] = a2;
  if (last > 3) out[o + 3] = a3;
  if (last > 4) out[o + 4] = a4;
  if (last > 5) out[o + 5] = a5;
  if (last > 6) out[o + 6] = a6;
  if (last > 7) out[o + 7] = a7;
}

/** Two rows by a panel of which `last` columns exist: each weight is loaded and converted once for both. */
function twoRows(
  w: Float32Array,
  panel: number,
  x: Float32Array,
  x0: number,
  x1: number,
  depth: number,
  init: Float32Array,
  i: number,
  j: number,
  out: Float32Array,
  o: number,
  q: number,
  last: number,
): void {
  let a0 = init[i]!;
  let a1 = last > 1 ? init[i + 1]! : 0;
  let a2 = last > 2 ? init[i + 2]! : 0;
  let a3 = last > 3 ? init[i + 3]! : 0;
  let a4 = last > 4 ? init[i + 4]! : 0;
  let a5 = last > 5 ? init[i + 5]! : 0;
  let a6 = last > 6 ? init[i + 6]! : 0;
  let a7 = last > 7 ? init[i + 7]! : 0;
  let b0 = init[j]!;
  let b1 = last > 1 ? init[j + 1]! : 0;
  let b2 = last > 2 ? init[j + 2]! : 0;
  let b3 = last > 3 ? init[j + 3]! : 0;
  let b4 = last > 4 ? init[j + 4]! : 0;
  let b5 = last > 5 ? init[j + 5]! : 0;
  let b6 = last > 6 ? init[j + 6]! : 0;
  let b7 = last > 7 ? init[j + 7]! : 0;
  let p = panel;
  for (let k = 0; k < depth; k++) {
    const u = x[x0 + k]!;
    const v = x[x1 + k]!;
    const w0 = w[p]!;
    a0 = fround(a0 + fround(w0 * u));
    b0 = fround(b0 + fround(w0 * v));
    const w1 = w[p + 1]!;
    a1 = fround(a1 + fround(w1 * u));
    b1 = fround(b1 + fround(w1 * v));
    const w2 = w[p + 2]!;
    a2 = fround(a2 + fround(w2 * u));
    b2 = fround(b2 + fround(w2 * v));
    const w3 = w[p + 3]!;
    a3 = fround(a3 + fround(w3 * u));
    b3 = fround(b3 + fround(w3 * v));
    const w4 = w[p + 4]!;
    a4 = fround(a4 + fround(w4 * u));
    b4 = fround(b4 + fround(w4 * v));
    const w5 = w[p + 5]!;
    a5 = fround(a5 + fround(w5 * u));
    b5 = fround(b5 + fround(w5 * v));
    const w6 = w[p + 6]!;
    a6 = fround(a6 + fround(w6 * u));
    b6 = fround(b6 + fround(w6 * v));
    const w7 = w[p + 7]!;
    a7 = fround(a7 + fround(w7 * u));
    b7 = fround(b7 + fround(w7 * v));
    p += PANEL;
  }
  out[o] = a0;
  out[q] = b0;
  if (last > 1) out[o + 1] = a1;
  if (last > 1) out[q + 1] = b1;
  if (last > 2) out[o + 2] = a2;
  if (last > 2) out[q + 2] = b2;
  if (last > 3) out[o + 3] = a3;
  if (last > 3) out[q + 3] = b3;
  if (last > 4) out[o + 4] = a4;
  if (last > 4) out[q + 4] = b4;
  if (last > 5) out[o + 5] = a5;
  if (last > 5) out[q + 5] = b5;
  if (last > 6) out[o + 6] = a6;
  if (last > 6) out[q + 6] = b6;
  if (last > 7) out[o + 7] = a7;
  if (last > 7) out[q + 7] = b7;
}

/** One row of integers, by its scale: exact sums, then a rounding after each operation. */
function integerRow(
  { panels: w, scales, row }: Integers,
  columns: number,
  scale: number,
  init: Float32Array,
  i: number,
  out: Float32Array,
  o: number,
): void {
  const depth = row.length;
  for (let column = 0; column < columns; column += PANEL) {
    let a0 = 0;
    let a1 = 0;
    let a2 = 0;
    let a3 = 0;
    let a4 = 0;
    let a5 = 0;
    let a6 = 0;
    let a7 = 0;
    let p = column * depth;
    for (let k = 0; k < depth; k++) {
      const v = row[k]!;
      a0 = (a0 + Math.imul(w[p]!, v)) | 0;
      a1 = (a1 + Math.imul(w[p + 1]!, v)) | 0;
      a2 = (a2 + Math.imul(w[p + 2]!, v)) | 0;
      a3 = (a3 + Math.imul(w[p + 3]!, v)) | 0;
      a4 = (a4 + Math.imul(w[p + 4]!, v)) | 0;
      a5 = (a5 + Math.imul(w[p + 5]!, v)) | 0;
      a6 = (a6 + Math.imul(w[p + 6]!, v)) | 0;
      a7 = (a7 + Math.imul(w[p + 7]!, v)) | 0;
      p += PANEL;
    }
    const last = columns - column < PANEL ? columns - column : PANEL;
    for (let j = 0; j < last; j++) {
      const sum =
        j === 0 ? a0 : j === 1 ? a1 : j === 2 ? a2 : j === 3 ? a3 : j === 4 ? a4 : j === 5 ? a5 : j === 6 ? a6 : a7;
      const c = column + j;
      out[o + c] = init[i + c]! + fround(fround(sum) * fround(scales[c]! * scale));
    }
  }
}
