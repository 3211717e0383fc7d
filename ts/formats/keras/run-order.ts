import type { KerasLayer } from './config.ts';
import type { KerasArgument, KerasTensor } from './nodes.ts';

/** One call of a layer: the one of this index in its list. */
export interface LayerCall {
  layer: KerasLayer;
  index: number;
}

/** The tensors among the arguments of a call, as Keras flattens them: keywords by their names. */
function tensorsOf({ layer, index }: LayerCall): KerasTensor[] {
  const { args, kwargs } = layer.calls[index]!;
  const flatten = (argument: KerasArgument): KerasTensor[] =>
    Array.isArray(argument) ? argument.flatMap(flatten) : 'tensor' in argument ? [argument.tensor] : [];
  return flatten([
    ...args,
    ...Object.keys(kwargs)
      .sort()
      .map((name) => kwargs[name]!),
  ]);
}

/**
 * The calls of a functional model in the order in which Keras runs them (`map_graph` of its ops/function.py): by depth, which is how many calls
 * lie at most between one and the outputs, and those of one depth as a search from the outputs comes upon them.
 *
 * @param made The call that makes a tensor; undefined for inputs.
 */
export function runOrder(
  outputs: readonly (LayerCall | undefined)[],
  made: (tensor: KerasTensor) => LayerCall | undefined,
): LayerCall[] {
  const parents = (call: LayerCall) => tensorsOf(call).flatMap((tensor) => made(tensor) ?? []);
  const depths = new Map<LayerCall, number>();
  const layerDepths = new Map<KerasLayer, number>();
  for (const call of inputsFirst(outputs, parents).reverse()) {
    // All calls of a layer are as deep as the deepest of those that were seen.
    const depth = Math.max(depths.get(call) ?? 0, layerDepths.get(call.layer) ?? 0);
    layerDepths.set(call.layer, depth);
    depths.set(call, depth);
    for (const parent of parents(call)) depths.set(parent, Math.max(depth + 1, depths.get(parent) ?? 0));
  }
  return [...depths].sort(([, a], [, b]) => b - a).map(([call]) => call);
}

/** A depth-first search from the outputs: each call behind those whose outputs it reads. */
function inputsFirst(
  outputs: readonly (LayerCall | undefined)[],
  parents: (call: LayerCall) => LayerCall[],
): LayerCall[] {
  const seen = new Set<LayerCall>();
  const ordered: LayerCall[] = [];
  const open: { call?: LayerCall; next: Iterator<LayerCall> }[] = [];
  open.push({ next: outputs.flatMap((call) => call ?? []).values() });
  for (let top = open.at(-1); top; top = open.at(-1)) {
    const next = top.next.next();
    if (next.done) {
      open.pop();
      if (top.call) ordered.push(top.call);
    } else if (!seen.has(next.value)) {
      seen.add(next.value);
      open.push({ call: next.value, next: parents(next.value).values() });
    }
  }
  return ordered;
}
