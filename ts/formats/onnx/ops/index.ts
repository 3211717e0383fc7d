import type { Operator } from '../context.ts';
import { ACTIVATION_OPERATORS } from './activations.ts';
import { COMPUTE_OPERATORS } from './compute.ts';
import { CONSTANT_OPERATORS } from './constant.ts';
import { ELEMENTWISE_OPERATORS } from './elementwise.ts';
import { branch } from './branch.ts';
import { trilu } from './causal.ts';
import { CONTRIB_OPERATORS } from './contrib.ts';
import { conv, convTranspose } from './conv.ts';
import { cumSum } from './cumsum.ts';
import { einsum } from './einsum.ts';
import { gather } from './gather.ts';
import { concat, split } from './join.ts';
import { LAYOUT_OPERATORS } from './layout.ts';
import { MASK_OPERATORS } from './masks.ts';
import { NORM_OPERATORS } from './norm.ts';
import { LOOP_OPERATORS } from './loop/index.ts';
import { gatherNd, scatterElements, topK } from './order.ts';
import { pad } from './pad.ts';
import { gatherElements } from './pick.ts';
import { POOL_OPERATORS } from './pool.ts';
import { RECURRENT } from './recurrent/index.ts';
import { readRecurrent } from './recurrent/operator.ts';
import { RESIZE_OPERATORS } from './resize.ts';
import { ROW_OPERATORS } from './rows.ts';
import { reverseSequence, slice } from './slice.ts';

/** All operators that are read. */
export const OPERATORS: Readonly<Record<string, Operator>> = {
  ...Object.fromEntries(Object.entries(RECURRENT).map(([op, operator]) => [op, readRecurrent(operator)])),
  ...COMPUTE_OPERATORS,
  ...NORM_OPERATORS,
  ...ELEMENTWISE_OPERATORS,
  ...ACTIVATION_OPERATORS,
  ...ROW_OPERATORS,
  ...POOL_OPERATORS,
  ...LAYOUT_OPERATORS,
  ...RESIZE_OPERATORS,
  Conv: conv,
  ConvTranspose: convTranspose,
  Pad: pad,
  TopK: topK,
  ScatterElements: scatterElements,
  Slice: slice,
  Gather: gather,
  GatherElements: gatherElements,
  GatherND: gatherNd,
  Split: split,
  Concat: concat,
  ReverseSequence: reverseSequence,
  ...LOOP_OPERATORS,
  ...CONSTANT_OPERATORS,
  ...MASK_OPERATORS,
  ...CONTRIB_OPERATORS,
  Einsum: einsum,
  Trilu: trilu,
  CumSum: cumSum,
  If: branch,
};

/** Inputs that an operator takes, where it is not one; since an opset, where that is said. */
const INPUTS: Record<string, number | { since: number; count: number }[]> = {
  GRU: 6,
  RNN: 6,
  LSTM: 8,
  Conv: 3,
  ConvTranspose: 3,
  MatMul: 2,
  Gemm: 3,
  Add: 2,
  Sub: 2,
  Mul: 2,
  Div: 2,
  Pow: 2,
  Min: Infinity,
  Max: Infinity,
  Sum: Infinity,
  Mean: Infinity,
  OneHot: 3,
  TopK: 2,
  Trilu: 2,
  ScatterElements: 3,
  Clip: [{ since: 11, count: 3 }],
  PRelu: 2,
  BatchNormalization: 5,
  LayerNormalization: 3,
  RMSNormalization: 2,
  SimplifiedLayerNormalization: 2,
  InstanceNormalization: 3,
  GroupNormalization: 3,
  Pad: [
    { since: 11, count: 3 },
    { since: 18, count: 4 },
  ],
  Resize: [
    { since: 10, count: 2 },
    { since: 11, count: 4 },
  ],
  Upsample: [{ since: 9, count: 2 }],
  Reshape: 2,
  Expand: 2,
  Tile: 2,
  Gather: 2,
  GatherElements: 2,
  GatherND: 2,
  ReverseSequence: 2,
  Constant: 0,
  Range: 3,
  Where: 3,
  Mod: 2,
  Equal: 2,
  Less: 2,
  Greater: 2,
  And: 2,
  Or: 2,
  Xor: 2,
  Concat: Infinity,
  Loop: Infinity,
  LessOrEqual: 2,
  GreaterOrEqual: 2,
  Scan: Infinity,
  Einsum: Infinity,
  CumSum: 2,
  DequantizeLinear: 3,
  'com.microsoft.BiasGelu': 2,
  'com.microsoft.FastGelu': 2,
  'com.microsoft.FusedGemm': 3,
  'com.microsoft.FusedMatMul': 2,
  'com.microsoft.FusedConv': 4,
  'com.microsoft.SkipLayerNormalization': 5,
  Squeeze: [{ since: 13, count: 2 }],
  Unsqueeze: [{ since: 13, count: 2 }],
  Split: [{ since: 13, count: 2 }],
  Slice: [{ since: 10, count: 5 }],
  Dropout: [{ since: 12, count: 3 }],
  ReduceSum: [{ since: 13, count: 2 }],
  ReduceProd: [{ since: 18, count: 2 }],
  ReduceMax: [{ since: 18, count: 2 }],
  ReduceMin: [{ since: 18, count: 2 }],
  ReduceMean: [{ since: 18, count: 2 }],
  ReduceL1: [{ since: 18, count: 2 }],
  ReduceL2: [{ since: 18, count: 2 }],
  ReduceSumSquare: [{ since: 18, count: 2 }],
  ReduceLogSum: [{ since: 18, count: 2 }],
  ReduceLogSumExp: [{ since: 18, count: 2 }],
};

/** How many inputs an operator takes at most. */
export function maxInputs(op: string, opset: number): number {
  const known = INPUTS[op] ?? 1;
  if (typeof known === 'number') return known;
  return known.findLast(({ since }) => opset >= since)?.count ?? 1;
}
