import { nodeError, nodeName } from '../../attributes.ts';
import { requireInput } from '../../constants.ts';
import type { NodeContext, Operator } from '../../context.ts';
import type { ValueRef } from '../../../../spec/spec.ts';
import { equalSizes, shapeText, type Size } from '../../size.ts';
import { axesText, axisSize, type Constant, type Factor, feature, isFeature, width, type Rows } from '../../value.ts';
import { compareWith, stepsBelow } from '../masks.ts';
import { asOneStep, repeatSteps, withRoles } from '../over-time.ts';
import { readActivations } from './activations.ts';
import type { RecurrentOperator } from './cell.ts';
import { readInitial } from './initial.ts';
import { addLayers, type Direction } from './layers.ts';
import { alsoOfParts } from './parts.ts';
import { readWeights } from './weights.ts';

const TIMES = { forward: ['forward'], reverse: ['reverse'], bidirectional: ['forward', 'reverse'] } as const;

/** What all recurrent operators have in common: directions, layouts, clip, activations, lengths, initial states and outputs. */
export function readRecurrent(operator: RecurrentOperator): Operator {
  return alsoOfParts((context) => {
    const { attributes, graph, node, opset } = context;
    const layout = attributes.int('layout') ?? 0;
    if (layout !== 0 && (layout !== 1 || opset < 14))
      throw nodeError(node, `attribute 'layout' ${layout} is not supported in opset ${opset}`);
    const direction = attributes.text('direction') ?? 'forward';
    if (!Object.hasOwn(TIMES, direction)) {
      throw nodeError(
        node,
        `attribute 'direction' is '${direction}'; expected forward, reverse or bidirectional`,
        'invalid_file',
      );
    }
    const times = TIMES[direction as keyof typeof TIMES];
    const form = operator.form(context);
    const clip = attributes.float('clip');
    if (clip !== undefined && !(clip > 0 && Number.isFinite(clip)))
      throw nodeError(node, `attribute 'clip' is ${clip}; expected a number above 0`);
    const functions = readActivations(context, operator.functions, times.length);
    const { inputSize, hiddenSize, weights } = readWeights(context, operator, form, times.length);

    const given = readX(context, layout, inputSize);
    const isRow = !graph.demandSequence(given);
    const x = isRow ? rowAsStep(context, given, layout) : given;
    const mask = readLengths(context, x, layout);
    const initial = readInitial(context, operator, x, { layout, directions: times.length, hiddenSize });
    const directions = times.map<Direction>((time, d) => ({
      functions: functions[d]!,
      weights: weights[d]!,
      time: x.reversed === (time === 'forward') ? 'reverse' : 'forward',
      initial: initial?.map((state) => state[d]!),
    }));

    const common = {
      ...{ inputSize, hiddenSize },
      ...(clip !== undefined && { clip }),
      ...(mask !== undefined && { mask, paddedOutput: 'zero' as const }),
    };
    const { sequence, states } = addLayers(context, x, form, common, directions);
    const convention = form.convention === undefined ? '' : `${form.convention}, `;
    graph.conventions.add(`${node.op} '${nodeName(node)}': direction ${direction}, ${convention}layout ${layout}`);
    const [time, batch] = (layout === 0 ? [x.axes[0], x.axes[1]] : [x.axes[1], x.axes[0]]) as [
      Rows['axes'][number],
      Rows['axes'][number],
    ];
    const [d, h] = [[feature(times.length)], [feature(hiddenSize)]];
    const started = operator.states.flatMap(({ index }) => {
      const state = context.inputs[index];
      return state?.type === 'rows' ? state.inputs : [];
    });
    const y: Rows = {
      ...x,
      inputs: [...new Set([...x.inputs, ...started])],
      axes: layout === 0 ? [time, d, batch, h] : [batch, time, d, h],
      columns: sequence,
      exclusive: false,
    };
    const finals = states.map<Rows>((columns) => ({
      ...y,
      kind: 'vector',
      reversed: false,
      axes: layout === 0 ? [d, batch, h] : [batch, d, h],
      columns,
    }));
    if (!isRow) return [y, ...finals];
    // of one step the outputs are the states behind it
    const axes = y.axes.map((axis) => (axis === time ? [] : axis));
    return [{ ...finals[0]!, axes }, ...finals];
  });
}

/** A row a sequence, as a decoder reads what it gave before, is one step of a sequence of its own. */
function rowAsStep(context: NodeContext, x: Rows, layout: number): Rows {
  if (context.inputs[4] !== undefined)
    throw nodeError(context.node, "input 'sequence_lens' beside an input X of one row a sequence is not supported");
  return asOneStep(context, x, layout === 0 ? 0 : 1);
}

function readX(context: NodeContext, layout: number, inputSize: number): Rows {
  const { node } = context;
  const input = requireInput(context, 0);
  const given = (input.type === 'constant' ? constantSteps(context, input, layout) : undefined) ?? input;
  const roles = layout === 0 ? (['time', 'batch', 'feature'] as const) : (['batch', 'time', 'feature'] as const);
  const expected = `expected [${layout === 0 ? 'time, batch' : 'batch, time'}, ${inputSize}]`;
  if (given.type !== 'rows') throw nodeError(node, `its input X is a constant; ${expected}`);
  if (given.dtype !== 'float32')
    throw nodeError(node, `its input X holds whole numbers; ${expected} of floats`, 'invalid_file');
  const x = given.axes.length === 3 ? withRoles(context, given, roles) : undefined;
  if (!x) throw nodeError(node, `its input X is ${axesText(given.axes)}; ${expected}`);
  if (!isFeature(x.axes[2]!) || width(x) !== inputSize)
    throw nodeError(node, `its input X is ${axesText(x.axes)}; ${expected}`);
  return x;
}

/** One row at each step of each sequence; undefined for other constants. */
function constantSteps(context: NodeContext, constant: Constant, layout: number): Rows | undefined {
  const { shape } = constant;
  if (constant.base[layout] !== 1) return undefined;
  const one = shape.map((size, axis) => (axis === layout ? 1 : size));
  const row = context.graph.forAll({ ...constant, shape: one }, `${nodeName(context.node)}_X`);
  return row && repeatSteps(context, row, one, shape);
}

/**
 * sequence_lens: the number of steps for all sequences; a graph input, which a run takes as its lengths; or fewer steps for all, or what the
 * graph computes, of which a mask is made: the value that is returned.
 */
function readLengths(context: NodeContext, x: Rows, layout: number): ValueRef | undefined {
  const { graph, node } = context;
  const name = `${node.op} node '${nodeName(node)}'`;
  graph.lengths.set(name, undefined);
  const lengths = context.inputs[4];
  if (lengths === undefined) return undefined;
  const time = x.axes[layout === 0 ? 0 : 1]!;
  const numbers = (): Rows => {
    if (x.reversed) throw nodeError(node, "input 'sequence_lens' is no graph input, and steps are reversed before");
    return { ...x, axes: [time], columns: graph.builder.steps.numbersOf(x), inputs: [], exclusive: false };
  };
  if (lengths.type === 'constant') {
    const fewer = fewerSteps(context, Array.from(lengths.data), time);
    if (fewer === undefined) return undefined;
    graph.conventions.add(`${name} takes ${fewer} steps of each sequence: those after them are masked`);
    return graph.builder.ref(compareWith(context, numbers(), 'LessOrEqual', fewer).columns, 'sequence');
  }
  if (lengths.type === 'rows' && lengths.kind === 'sequence') graph.demandVector(lengths);
  if (lengths.type !== 'rows' || lengths.axes.length !== 1 || !graph.demand(lengths, ['batch']) || width(lengths) !== 1)
    throw nodeError(node, "input 'sequence_lens' is not one number a sequence");
  const [input] = lengths.dtype === 'int32' && lengths.inputs.length === 1 ? lengths.inputs : [];
  if (input !== undefined && graph.isInput(lengths.columns, input) && !graph.isNumbers(input)) {
    graph.lengths.set(name, input);
    return undefined;
  }
  if (lengths.kind !== 'vector')
    throw nodeError(node, "input 'sequence_lens' is computed of what is no number a sequence");
  const steps = numbers();
  const along = { ...lengths, axes: [[], ...lengths.axes] };
  const mask = stepsBelow(context, { ...steps, axes: [...steps.axes, []] }, along, true);
  graph.conventions.add(`${name} takes sequence_lens that the graph computes: steps past them are masked`);
  return graph.builder.ref(mask.columns, 'sequence');
}

/** How many steps of each sequence are taken; undefined: all. */
function fewerSteps(
  { graph, node }: NodeContext,
  lengths: readonly Size[],
  axis: readonly Factor[],
): number | undefined {
  const time = axisSize(axis);
  if (lengths.every((n) => equalSizes(n, time, graph.baked) === true)) return undefined;
  const [n] = lengths;
  if (typeof n === 'number' && n >= 1 && lengths.every((other) => other === n)) return n;
  const list = shapeText(lengths.slice(0, 20));
  throw nodeError(
    node,
    `input 'sequence_lens' is a constant ${list}; supported: the same number for all sequences, 1 at least`,
  );
}
