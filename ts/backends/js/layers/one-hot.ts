import { GruError } from '../../../base/errors.ts';
import type { OneHotSpec } from '../../../spec/spec.ts';
import { stateless } from './layer.ts';
import type { Build } from './layer.ts';

/** Rows of zeros with a one where the id says. */
export const oneHot: Build<OneHotSpec> = ({ size }) =>
  stateless(0, ({ ids, outputs: [y] }) => {
    if (!ids || !y) return;
    y.fill(0);
    for (let row = 0; row < ids.length; row++) {
      const id = ids[row]!;
      if (id < 0 || id >= size) throw new GruError('id_out_of_range', `id ${id} is not below ${size}`);
      y[row * size + id] = 1;
    }
  });
