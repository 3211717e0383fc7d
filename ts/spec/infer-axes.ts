import { GruError } from '../base/errors.ts';
import { JoinedAxes, MAX_AXES } from './axes.ts';
import { resolveGraph } from './graph.ts';
import type { ModelSpec } from './spec.ts';

/**
 * What an importer made, with an axis for each group of inputs that no layer reads together: an encoder and a decoder may have different steps. An axis
 * is named after its first input; where there is but one it keeps the default. A spec that is none is left to those who check it.
 */
export function inferAxes(spec: ModelSpec): ModelSpec {
  const sequences = spec.inputs.filter(({ kind }) => kind !== 'vector');
  if (sequences.length < 2) return spec;
  const axes = new JoinedAxes();
  try {
    resolveGraph(spec, axes);
  } catch (error) {
    if (error instanceof GruError) return spec;
    throw error;
  }
  const roots = sequences.map((_, i) => axes.root(i));
  const count = new Set(roots).size;
  // More than there can be: one for all, as it was before there were several.
  if (count === 1 || count > MAX_AXES) return spec;
  const named = new Map(sequences.map(({ name }, i) => [name, axes.names[roots[i]!]!]));
  return {
    ...spec,
    inputs: spec.inputs.map((input) => {
      const axis = named.get(input.name);
      return axis === undefined ? input : { ...input, axis };
    }),
  };
}
