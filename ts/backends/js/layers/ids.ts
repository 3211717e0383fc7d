import type { IdsSpec } from '../../../spec/spec.ts';
import { stateless } from './layer.ts';
import type { Build } from './layer.ts';

/** Whole numbers as ids; -1 is none, and whoever reads it refuses it. */
export const ids: Build<IdsSpec> = () =>
  stateless(0, ({ inputs: [x], outputIds: [y] }) => {
    if (!x || !y) return;
    for (let row = 0; row < y.length; row++) y[row] = x[row]! > -1 && x[row]! < 2 ** 31 ? x[row]! : -1;
  });
