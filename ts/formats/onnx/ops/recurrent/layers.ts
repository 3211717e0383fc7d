import type { Activation, LayerBase, RecurrentBase, ValueRef } from '../../../../spec/spec.ts';
import { nodeName } from '../../attributes.ts';
import { sameActivation, type RecurrentSpec } from '../../builder.ts';
import type { NodeContext } from '../../context.ts';
import { joinColumns, takeColumns, type Rows, type Segment } from '../../value.ts';
import type { CellForm, DirectionWeights } from './cell.ts';

/** One direction of a node. */
export interface Direction {
  functions: readonly Activation[];
  weights: DirectionWeights;
  /** In which order it takes the steps of the sequences as they are given. */
  time: 'forward' | 'reverse';
  /** One a state of the operator. */
  initial: ValueRef[] | undefined;
}

/** Columns of all hidden states, and of the final states of each kind, in the order of the node's directions. */
export interface NodeColumns {
  sequence: Segment[];
  states: Segment[][];
}

/** One layer, or one a direction where their activations differ. */
export function addLayers(
  context: NodeContext,
  x: Rows,
  form: CellForm,
  common: Pick<RecurrentBase, 'inputSize' | 'hiddenSize' | 'clip' | 'mask' | 'paddedOutput'>,
  directions: Direction[],
): NodeColumns {
  const { builder } = context.graph;
  const inputs = [builder.ref(x.columns, 'sequence')];
  const layer = (list: Direction[], suffix: string): RecurrentSpec => {
    const ordered = (['forward', 'reverse'] as const).flatMap((time) => list.filter((d) => d.time === time));
    const [first] = ordered as [Direction];
    const base: RecurrentBase & LayerBase = {
      name: builder.name(nodeName(context.node) + suffix),
      inputs,
      ...common,
      direction: list.length === 2 ? 'bidirectional' : first.time,
      // slot by slot, the directions of each
      ...(first.initial && { initialState: first.initial.flatMap((_, s) => ordered.map((d) => d.initial![s]!)) }),
    };
    const weights = ordered.flatMap((d) =>
      Object.entries(d.weights).map(([key, data]) => [`${d.time}.${key}`, data] as const),
    );
    return form.layer(base, first.functions, Object.fromEntries(weights));
  };
  const [one, other] = directions as [Direction, Direction | undefined];
  if (other && !one.functions.every((f, i) => sameActivation(f, other.functions[i]!))) {
    const parts = directions.map((direction) => builder.recurrent(layer([direction], `_${direction.time}`)));
    return {
      sequence: joinColumns(parts.map((p) => p.sequence)),
      states: parts[0]!.states.map((_, s) => joinColumns(parts.map((p) => p.states[s]!))),
    };
  }
  const { sequence, states } = builder.recurrent(layer(directions, ''));
  if (!other || one.time === 'forward') return { sequence, states };
  const h = common.hiddenSize;
  const swap = (columns: Segment[]) => joinColumns([takeColumns(columns, h, h), takeColumns(columns, 0, h)]);
  return { sequence: swap(sequence), states: states.map(swap) };
}
