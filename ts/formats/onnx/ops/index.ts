import type { Operator } from '../context.ts';
import { COMPUTE_OPERATORS } from './compute.ts';
import { CONSTANT_OPERATORS } from './constant.ts';
import { gru } from './gru.ts';
import { LAYOUT_OPERATORS } from './layout.ts';
import { gather } from './gather.ts';
import { concat, split } from './join.ts';
import { reverseSequence, slice } from './slice.ts';

/** All operators that are read. */
export const OPERATORS: Readonly<Record<string, Operator>> = {
  GRU: gru,
  ...COMPUTE_OPERATORS,
  ...LAYOUT_OPERATORS,
  Slice: slice,
  Gather: gather,
  Split: split,
  Concat: concat,
  ReverseSequence: reverseSequence,
  ...CONSTANT_OPERATORS,
};
