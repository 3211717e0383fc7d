import { checkChoice, specError } from './check.ts';
import type { LayerKind } from './kind.ts';
import type { LayerBase, ValueRef } from './spec.ts';

/** Elementwise combination of two or more inputs of one kind and size, or their concatenation along the row. */
export interface MergeSpec extends LayerBase {
  type: 'merge';
  inputs: ValueRef[];
  merge: 'concat' | 'sum' | 'mul' | 'ave';
}

/** Ways to make one value of several, numbered as in crate/src/layers/merge.rs. */
export const MERGES = ['concat', 'sum', 'mul', 'ave'] as const;

export const merge: LayerKind<MergeSpec> = {
  type: 'merge',
  code: 3,
  fields: ['merge'],
  check(spec) {
    if ((spec.merge as unknown) === undefined) throw specError(spec, 'merge is missing');
    checkChoice(spec, 'merge', spec.merge, MERGES);
  },
  ports(spec, inputs) {
    const [first] = inputs;
    if (!first || inputs.length < 2) throw specError(spec, `takes two inputs or more, got ${inputs.length}`);
    for (const input of inputs) {
      if (input.dtype !== 'float32') throw specError(spec, 'takes float32 values, an input holds int32 ids');
      if (input.kind !== first.kind) throw specError(spec, 'cannot merge a value of steps with one of whole sequences');
      if (spec.merge !== 'concat' && input.size !== first.size) {
        throw specError(spec, `cannot ${spec.merge} rows of ${first.size} and ${input.size} values`);
      }
    }
    const size = spec.merge === 'concat' ? inputs.reduce((sum, input) => sum + input.size, 0) : first.size;
    return [{ port: 'output', kind: first.kind, dtype: 'float32', size }];
  },
  tensors: () => [],
  params: (spec) => ({ merge: MERGES.indexOf(spec.merge) }),
};
