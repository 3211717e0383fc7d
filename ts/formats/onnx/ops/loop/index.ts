import { nodeError } from '../../attributes.ts';
import { axisIndex, makeConstant } from '../../constants.ts';
import type { NodeContext, Operator } from '../../context.ts';
import { bakedSize, equalSizes, sizeText, TIME, type Size } from '../../size.ts';
import { axisSize, type Factor, type Rows, type Value } from '../../value.ts';
import { withRoles } from '../over-time.ts';
import { LoopBody } from './body.ts';
import { addCells } from './layers.ts';

/**
 * Recurrent layers that an exporter wrote as a loop over their steps. The body is read once, for one step, as a graph is; then its
 * states are compared with the equations of the cells that there are.
 */

/** More steps than any sequence has: the loop ends by its condition. */
const ENDLESS = 2 ** 31 - 1;

/** Loop (opset 11 on): inputs M, cond and what goes from step to step; outputs the last of those, then what each step gives. */
const loop: Operator = (context) => {
  const { attributes, graph, inputs, node } = context;
  const graphOfBody = attributes.graph('body');
  if (!graphOfBody) throw nodeError(node, "attribute 'body' is missing", 'invalid_file');
  const carried = inputs.slice(2);
  const body = new LoopBody(context, graphOfBody);
  const bool = makeConstant(context, 'bool', [], [1], '');
  body.give(0, { type: 'index', offset: 0 });
  body.give(1, bool);
  carried.forEach((value, i) => {
    if (!value) throw nodeError(node, `input ${i + 2} is missing`, 'invalid_file');
    body.carry(i + 2, value, i + 1, i);
  });
  const scans = node.outputs.slice(carried.length).flatMap((name, i) => (name === '' ? [] : [carried.length + i]));
  body.read([0, ...scans.map((i) => i + 1)]);
  const steps = checkSteps(context, body);
  const { frame, columns } = addCells(context, body);
  const results = new Map<number, Value>();
  const states = body.states();
  for (const [i, value] of carried.entries()) {
    const state = states.find(({ output }) => output === i);
    const found = state && columns.get(state.after);
    if (state && found?.final) {
      results.set(i, {
        ...frame,
        kind: 'vector',
        reversed: false,
        exclusive: false,
        axes: state.next.axes,
        columns: found.final,
      });
    } else if (value?.type === 'constant' && value.dtype === 'int' && body.value(i + 1).type === 'index') {
      results.set(i, makeConstant(context, 'int', [], [steps], ''));
    } else if (!state && value) {
      results.set(i, value);
    }
  }
  for (const i of scans) results.set(i, sequence(context, body, i + 1, frame, columns, 0, false));
  graph.budget.spend(64 * node.outputs.length);
  return node.outputs.map((_, i) => results.get(i));
};

/** M steps, or until the condition: all steps of the sequences that the body reads, so many. */
function checkSteps({ graph, inputs, node }: NodeContext, body: LoopBody): Size {
  const condition = body.value(0);
  const [trips, before] = inputs;
  const isConstant = (value: Value | undefined) => value?.type === 'constant' && value.data.length === 1;
  if (before && !(before.type === 'constant' && before.data.length === 1 && before.data[0] === 1))
    throw nodeError(node, 'its condition is not known to be true before the first step');
  const isTrue = condition.type === 'constant' && condition.data.length === 1 && condition.data[0] === 1;
  if (!isTrue && condition.type !== 'continues')
    throw nodeError(node, 'its condition is not that of a loop over all steps');
  const count = trips?.type === 'constant' && isConstant(trips) ? trips.data[0]! : undefined;
  if (trips && count === undefined) throw nodeError(node, 'its number of steps is computed from what is not known');
  const [steps = TIME, ...others] = body.steps.sources.map(({ rows, axis }) => axisSize(rows.axes[axis]!));
  const isSteps = (size: Size) => equalSizes(size, steps, graph.baked) === true;
  if (!others.every(isSteps)) throw nodeError(node, 'reads sequences of differing numbers of steps');
  const below = condition.type === 'continues' ? condition.below : [];
  for (const { limit, offset, node: by } of below) {
    if (isSteps(limit) && offset <= 1) continue;
    const text = `${sizeText(limit)}${offset === 0 ? '' : ` - ${offset}`} of ${sizeText(steps)} steps`;
    throw nodeError(node, `its condition ('${by}') ends it after ${text}; supported: after the last step`);
  }
  const isEndless = count === undefined || (typeof count === 'number' && count >= ENDLESS);
  if ((count !== undefined && isSteps(count)) || (isEndless && below.some(({ offset }) => offset === 1))) return steps;
  throw nodeError(node, 'does not take all steps of the sequence');
}

/** What the body gives at each step, as a sequence. */
function sequence(
  context: NodeContext,
  body: LoopBody,
  output: number,
  frame: Rows,
  columns: ReturnType<typeof addCells>['columns'],
  axis: number,
  reversed: boolean,
): Rows {
  const ref = body.ref(output);
  const value = body.value(output) as Rows;
  const found = columns.get(ref);
  if (!found?.sequence) {
    throw nodeError(
      context.node,
      `its body's output ${output} is computed from its states; supported: the hidden state of each step`,
    );
  }
  const [time] = body.steps.sources.map((source) => source.rows.axes[source.axis]!);
  const at = axisIndex(context, axis, value.axes.length + 1);
  const all = (step: Factor[]) => [...value.axes.slice(0, at), step, ...value.axes.slice(at)];
  // of one step it is the state behind it
  if (body.isOfRow && found.final)
    return { ...frame, kind: 'vector', reversed: false, exclusive: false, axes: all([]), columns: found.final };
  return {
    ...frame,
    reversed: frame.reversed !== reversed,
    exclusive: false,
    axes: all(time!),
    columns: found.sequence,
  };
}

/** Scan (opset 9 on): states and sequences; outputs the last states, then what each step gives. */
const scan: Operator = (context) => {
  const { attributes, graph, inputs, node, opset } = context;
  if (opset < 9) throw nodeError(node, `is supported from opset 9 on; the file is of ${opset}`);
  const graphOfBody = attributes.graph('body');
  const count = attributes.int('num_scan_inputs');
  if (!graphOfBody || count === undefined || count < 1 || count > inputs.length)
    throw nodeError(node, "attributes 'body' and 'num_scan_inputs' do not fit its inputs", 'invalid_file');
  const states = inputs.length - count;
  const outputs = node.outputs.length - states;
  const list = (name: string, length: number) => {
    const given = attributes.ints(name) ?? Array<number>(length).fill(0);
    if (given.length !== length)
      throw nodeError(node, `attribute '${name}' has ${given.length} values, expected ${length}`, 'invalid_file');
    return given;
  };
  const [axesIn, directionsIn] = [list('scan_input_axes', count), list('scan_input_directions', count)];
  const [axesOut, directionsOut] = [
    list('scan_output_axes', Math.max(outputs, 0)),
    list('scan_output_directions', Math.max(outputs, 0)),
  ];
  const body = new LoopBody(context, graphOfBody);
  inputs.forEach((value, i) => {
    if (!value) throw nodeError(node, `input ${i} is missing`, 'invalid_file');
    if (i < states) {
      body.carry(i, value, i, i);
      return;
    }
    if (value.type !== 'rows') throw nodeError(node, `input ${i} is a constant; supported: sequences`);
    const k = i - states;
    const axis = axisIndex(context, axesIn[k]!, value.axes.length);
    const roles = value.axes.map((_, a) => (a === axis ? ('time' as const) : undefined));
    const found = withRoles(context, value, roles);
    if (!found) throw nodeError(node, `goes along axis ${axis} of input ${i}, which is not time`);
    const exported = bakedSize(axisSize(found.axes[axis]!), graph.baked);
    if (node.steps !== undefined && exported !== undefined && exported !== node.steps)
      throw nodeError(node, `is written out for ${node.steps} of ${exported} steps; supported: for all`);
    // Of a file whose steps are open it says nothing of any steps behind these.
    const isOpen = node.steps !== undefined && exported === undefined;
    const along = isOpen ? graph.builder.steps.fixed(found, node.steps!) : found;
    const isBackward = directionsIn[k] === 1;
    if (isBackward) graph.builder.steps.readsAhead = true;
    const rest = along.axes.filter((_, a) => a !== axis);
    body.give(i, body.steps.take({ ...along, reversed: along.reversed !== isBackward }, axis, rest));
  });
  const scans = node.outputs.slice(states).flatMap((name, i) => (name === '' ? [] : [states + i]));
  body.read(scans);
  const { frame, columns } = addCells(context, body);
  const known = body.states();
  return node.outputs.map((name, i) => {
    if (name === '') return undefined;
    if (i < states) {
      const state = known.find(({ output }) => output === i);
      const found = state && columns.get(state.after);
      if (!state || !found) return inputs[i];
      if (!found.final) return undefined;
      return {
        ...frame,
        kind: 'vector',
        reversed: false,
        exclusive: false,
        axes: state.next.axes,
        columns: found.final,
      };
    }
    return sequence(context, body, i, frame, columns, axesOut[i - states]!, directionsOut[i - states] === 1);
  });
};

export const LOOP_OPERATORS: Record<string, Operator> = { Loop: loop, Scan: scan };
