import type { ValueRef } from '../../../../spec/spec.ts';
import { nodeError, nodeName } from '../../attributes.ts';
import type { NodeContext } from '../../context.ts';
import { joinColumns, type Constant, type Rows, type Segment } from '../../value.ts';
import { CELL, HIDDEN } from '../recurrent/cell.ts';
import { constantStates } from '../recurrent/initial.ts';
import type { LoopBody, LoopState } from './body.ts';
import { recognizeCells, type Recognized } from './recognize.ts';
import { NotTerms } from './terms.ts';
import type { StepSource } from './steps.ts';

/** All hidden states and the last one of a state, by what the body gives for the next step. */
export interface LoopColumns {
  sequence: Segment[] | undefined;
  final: Segment[] | undefined;
}

/** Makes layers of the cells of a body. */
export function addCells(context: NodeContext, body: LoopBody): { frame: Rows; columns: Map<ValueRef, LoopColumns> } {
  const { graph, node } = context;
  const states = body.states();
  const { sources } = body.steps;
  const [first] = sources;
  if (!first) throw nodeError(node, 'reads no step of a sequence: it is no recurrent layer over one');
  const frame = first.rows;
  for (const { rows } of sources) {
    if (rows.reversed !== frame.reversed) throw nodeError(node, 'reads sequences of differing directions');
    if (!graph.demandSequence(rows)) throw nodeError(node, 'reads a value that is no sequence');
  }
  const columns = new Map<ValueRef, LoopColumns>();
  /** What other cells read of a masked one: no result, for it is another at masked steps. */
  const fresh = new Map<ValueRef, LoopColumns>();
  for (const found of recognize(context, body, states, sources)) {
    const { cell, mask, outputs, padded } = found;
    const name = graph.builder.name(nodeName(node));
    const own = found.states.map(({ after }) => states.find((state) => state.after === after)!);
    const x = joinColumns(cell.inputs.map((ref) => inputColumns(ref, sources, fresh.has(ref) ? fresh : columns)));
    const initial = initialStates(context, own, frame);
    const direction = frame.reversed ? 'reverse' : 'forward';
    const made = graph.builder.recurrent(
      cell.layer(
        {
          name,
          inputs: [graph.builder.ref(x, 'sequence')],
          inputSize: cell.inputSize,
          hiddenSize: cell.hiddenSize,
          direction,
          ...(initial && { initialState: initial }),
          ...(padded === 'zero' && { paddedOutput: padded }),
          ...(mask === undefined ? {} : { mask: graph.builder.ref(inputColumns(mask, sources, columns), 'sequence') }),
        },
        direction,
      ),
    );
    // What the layer gives at masked steps is the state where it holds that, and began with zeros.
    const isState = mask === undefined || (padded === 'hold' && !initial);
    own.forEach(({ after }, i) =>
      columns.set(after, { sequence: i === 0 && isState ? made.sequence : undefined, final: made.states[i]! }),
    );
    for (const ref of found.fresh) fresh.set(ref, { sequence: made.sequence, final: undefined });
    for (const { after } of outputs) {
      const state = states.find((other) => other.after === after)!;
      if (padded === 'hold' && !isZero(state.initial))
        throw nodeError(node, 'holds outputs at masked steps from other numbers on than zeros');
      columns.set(after, { sequence: made.sequence, final: undefined });
    }
    graph.conventions.add(`${node.op} '${nodeName(node)}' is the loop of a layer ${cell.type} ('${name}')`);
  }
  graph.lengths.set(`${node.op} node '${nodeName(node)}'`, undefined);
  body.place();
  return { frame, columns };
}

function recognize(
  { graph, node }: NodeContext,
  body: LoopBody,
  states: LoopState[],
  sources: readonly StepSource[],
): Recognized[] {
  const inputs = new Map(sources.map(({ columns }) => [columns[0]!.ref, columns[0]!.length]));
  try {
    const masks = [...inputs.keys()].filter(
      (name) => body.builder.whole.get(name) === 'mask' && inputs.get(name) === 1,
    );
    const { layers } = body.builder;
    return recognizeCells({ layers, refused: body.steps.halves, inputs, masks, states }, graph.budget);
  } catch (cause) {
    if (!(cause instanceof NotTerms)) throw cause;
    throw nodeError(node, `its body is not that of a GRU, LSTM or simple RNN: it has ${cause.message}`);
  }
}

function inputColumns(ref: ValueRef, sources: readonly StepSource[], known: Map<ValueRef, LoopColumns>): Segment[] {
  const source = sources.find(({ columns }) => columns[0]!.ref === ref);
  const columns = source?.rows.columns ?? known.get(ref)?.sequence;
  if (!columns) throw new Error(`no columns of ${ref}`);
  return columns;
}

const isZero = (value: Rows | Constant) => value.type === 'constant' && Array.from(value.data).every((n) => n === 0);

/** One a state; undefined: zeros. */
function initialStates(context: NodeContext, states: readonly LoopState[], frame: Rows): ValueRef[] | undefined {
  const { graph, node } = context;
  const vector = (values: Float32Array, slot: string) =>
    graph.builder.constantVector(frame, `${nodeName(node)}_${slot}`, values);
  const slots = [HIDDEN, CELL];
  const given = states.map(({ initial, size }, i) => {
    const slot = slots[i]!;
    if (initial.type === 'rows') return rowsState(context, initial);
    const values = constantStates({ node, graph }, slot, flat(initial), { layout: 0, directions: 1, hiddenSize: size });
    return values && vector(values[0]!, slot.name);
  });
  if (given.every((ref) => ref === undefined)) return undefined;
  return given.map((ref, i) => ref ?? vector(new Float32Array(states[i]!.size), slots[i]!.name));
}

/** As [1, batch, size]. */
function flat(initial: Constant): Constant {
  const three = <T>(list: readonly T[], one: T): T[] => {
    const rest = list.slice(0, -1).filter((_, i) => initial.shape[i] !== 1);
    return [one, rest[0] ?? one, list.at(-1)!];
  };
  return { ...initial, shape: three(initial.shape, 1), base: three(initial.base, 1) };
}

function rowsState({ graph }: NodeContext, initial: Rows): ValueRef {
  const columns = initial.kind === 'vector' ? initial.columns : graph.builder.steps.step(initial, 0);
  return graph.builder.ref(columns, 'vector');
}
