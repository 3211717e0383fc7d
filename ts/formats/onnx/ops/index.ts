import type { Operator } from '../context.ts';
import { COMPUTE_OPERATORS } from './compute.ts';
import { CONSTANT_OPERATORS } from './constant.ts';
import { gru } from './gru.ts';
import { LAYOUT_OPERATORS } from './layout.ts';
import { PICK_OPERATORS } from './pick.ts';

/** All operators that are read. */
export const OPERATORS: Readonly<Record<string, Operator>> = {
  GRU: gru,
  ...COMPUTE_OPERATORS,
  ...LAYOUT_OPERATORS,
  ...PICK_OPERATORS,
  ...CONSTANT_OPERATORS,
};
