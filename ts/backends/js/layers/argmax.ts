import type { ArgmaxSpec } from '../../../spec/spec.ts';
import { stateless } from './layer.ts';
import type { Build } from './layer.ts';

/** Where the greatest number of each row stands. */
export const argmax: Build<ArgmaxSpec> = ({ last = false }, [input]) => {
  const size = input!.size;
  return stateless(0, ({ inputs: [x], outputs: [y], outputIds: [ids] }) => {
    if (!x || !y || !ids) return;
    for (let row = 0; row < ids.length; row++) {
      let [id, most] = [0, -Infinity];
      for (let j = 0; j < size; j++) {
        const value = x[row * size + j]!;
        if (value > most || (last && value === most)) {
          id = j;
          most = value;
        }
      }
      ids[row] = id;
    }
  });
};
