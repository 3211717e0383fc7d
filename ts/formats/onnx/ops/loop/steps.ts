import { nodeError, nodeName } from '../../attributes.ts';
import { castTo, requireConstant } from '../../constants.ts';
import type { NodeContext } from '../../context.ts';
import type { Reading } from '../../scope.ts';
import { addSizes, equalSizes, type Baked, type Size } from '../../size.ts';
import { axisSize, role, type Index, type Rows, type Segment, type Value } from '../../value.ts';

/** A sequence of which a body reads the step of its turn. */
export interface StepSource {
  rows: Rows;
  axis: number;
  /** Its columns in the body. */
  columns: Segment[];
}

/**
 * Reads the nodes of a loop's body that are not those of a cell: those that count steps, those that take the step of a sequence, and
 * the bounds of gates that are written as Min and Max.
 */
export class StepReader {
  readonly sources: StepSource[] = [];
  /** Values of the body that are nothing yet: why. */
  readonly halves = new Map<string, string>();
  /** The result of Min or Max with a number, by the value of the spec: what it bounds, and to what. */
  readonly #bounds = new Map<string, { rows: Rows; least?: number; most?: number }>();
  readonly #addSource: (rows: Rows) => Segment[];
  readonly #asSequence: (rows: Rows, axis: number) => Rows | undefined;

  /**
   * @param addSource gives columns of the body for a step of this sequence
   * @param asSequence a value with its steps along an axis, if it can be read so
   */
  constructor(addSource: (rows: Rows) => Segment[], asSequence: (rows: Rows, axis: number) => Rows | undefined) {
    this.#addSource = addSource;
    this.#asSequence = asSequence;
  }

  readonly read: Reading = (context) => {
    const { inputs, node } = context;
    if (inputs.some((value) => value?.type === 'index')) return [this.#index(context)];
    if (inputs.some((value) => value?.type === 'continues')) return [condition(context)];
    const outer = inputs.findIndex((value) => value?.type === 'outer');
    if (outer >= 0) {
      const shape = node.op === 'Shape' || node.op === 'Size' ? inputs[outer] : undefined;
      if (shape?.type === 'outer') {
        context.inputs[outer] = shape.rows;
        return undefined;
      }
      throw nodeError(
        node,
        `reads '${node.inputs[outer] ?? ''}', which is computed outside of the loop; supported: the loop's step of a sequence`,
      );
    }
    return ['Clip', 'Min', 'Max'].includes(node.op) ? this.#bounded(context) : undefined;
  };

  #index(context: NodeContext): Value {
    const { inputs, node, graph } = context;
    switch (node.op) {
      case 'Cast':
        castTo(context);
        return inputs[0]!;
      case 'Unsqueeze':
      case 'Squeeze':
        context.attributes.ints('axes');
        return inputs[0]!;
      case 'Identity':
      case 'Reshape':
        context.attributes.int('allowzero');
        return inputs[0]!;
      case 'Add':
      case 'Sub':
        return addIndex(context);
      case 'Less':
      case 'LessOrEqual':
      case 'Greater':
      case 'GreaterOrEqual':
        return comparison(context);
      case 'Gather':
      case 'Slice': {
        const [data] = inputs;
        if (data?.type === 'outer') return this.#step(context, data.rows);
        if (data?.type === 'constant')
          throw nodeError(node, 'takes a constant of each step; supported: steps of a sequence');
      }
    }
    graph.budget.spend(8);
    throw nodeError(node, 'computes with the number of the step; supported: the step of a sequence');
  }

  /** The step of the loop's turn. */
  #step(context: NodeContext, given: Rows): Rows {
    const { attributes, graph, inputs, node } = context;
    const rank = given.axes.length;
    let axis: number;
    let index: Index;
    if (node.op === 'Gather') {
      axis = attributes.int('axis') ?? 0;
      index = inputs[1] as Index;
    } else {
      const [start, end, axes, steps] = [inputs[1], inputs[2], inputs[3], inputs[4]];
      const isOne = start?.type === 'index' && end?.type === 'index' && end.offset === start.offset + 1;
      const isStep = !steps || (steps.type === 'constant' && steps.data[0] === 1);
      if (!isOne || !isSameEnd(start, end) || !isStep)
        throw nodeError(node, "takes other steps than the loop's; supported: one, of its turn");
      axis = axes ? Number(requireConstant(context, 3, 'axes').data[0]) : 0;
      index = start;
    }
    if (axis < 0) axis += rank;
    const rows = this.#asSequence(given, axis) ?? given;
    if (role(rows.axes[axis] ?? []) !== 'time' || !isTurn(index, axisSize(rows.axes[axis]!), graph.baked))
      throw nodeError(node, "takes something else than a sequence's step of the loop's turn");
    const isFromEnd = index.end !== undefined;
    if (isFromEnd) graph.builder.steps.readsAhead = true;
    const reversed = rows.reversed !== isFromEnd;
    const axes = rows.axes.flatMap((a, i) => (i !== axis ? [a] : node.op === 'Slice' ? [[]] : []));
    return this.take({ ...rows, reversed }, axis, axes);
  }

  /** A step of a sequence, of which the steps lie along an axis. */
  take(rows: Rows, axis: number, axes: Rows['axes']): Rows {
    const known = this.sources.find(
      (source) => source.rows.columns === rows.columns && source.rows.reversed === rows.reversed,
    );
    const source = known ?? { rows, axis, columns: this.#addSource(rows) };
    if (!known) this.sources.push(source);
    return { ...rows, kind: 'vector', axes, columns: source.columns, reversed: false, exclusive: false };
  }

  /** max(least, min(most, x)), as a hard_sigmoid that is stretched: least + (most - least) f(x). */
  #bounded(context: NodeContext): Value[] | undefined {
    const { inputs, node, graph, attributes, opset } = context;
    const at = inputs.findIndex((value) => value?.type === 'rows');
    const rows = inputs[at];
    if (rows?.type !== 'rows') return undefined;
    const number = (value: Value | undefined): number | undefined => {
      if (value === undefined) return undefined;
      const all = value.type === 'constant' ? Array.from(value.data) : [];
      if (all.length === 0 || all.some((v) => typeof v !== 'number' || v !== all[0]))
        throw nodeError(node, 'is supported with one number as its bound');
      return all[0] as number;
    };
    let bounds: { rows: Rows; least?: number; most?: number };
    if (node.op === 'Clip') {
      const [least, most] =
        opset < 11 ? [attributes.float('min'), attributes.float('max')] : [number(inputs[1]), number(inputs[2])];
      bounds = { rows, ...(least !== undefined && { least }), ...(most !== undefined && { most }) };
    } else {
      if (inputs.length !== 2) throw nodeError(node, `is supported with two inputs, it has ${inputs.length}`);
      const bound = number(inputs[1 - at])!;
      const [only] = rows.columns;
      const before = (rows.columns.length === 1 ? this.#bounds.get(only!.ref) : undefined) ?? { rows };
      bounds = { ...before, ...(node.op === 'Max' ? { least: bound } : { most: bound }) };
    }
    const { least, most } = bounds;
    const name = node.name || (node.outputs[0] ?? '');
    const { builder } = graph;
    if (least === undefined || most === undefined) {
      // relu, or the first half of a bound by two nodes
      const result = builder.activation({ ...bounds.rows, exclusive: false }, name, 'relu');
      const [{ ref }] = result.columns as [Segment];
      this.#bounds.set(ref, bounds);
      if (least !== 0) this.halves.set(ref, `a bound on one side ('${name}')`);
      return [result];
    }
    if (!(most > least)) throw nodeError(node, `has the bounds ${least} and ${most}`);
    const range = most - least;
    const result = builder.activation({ ...bounds.rows, exclusive: false }, name, {
      name: 'hard_sigmoid',
      alpha: 1 / range,
      beta: -least / range,
    });
    if (range === 1 && least === 0) return [result];
    return [builder.activation(result, name, { name: 'affine', alpha: range, beta: least })];
  }
}

/** Whether it is the number of the step: i, or from the end S - 1 - i. */
function isTurn({ offset, end }: Index, steps: Size, baked: Baked): boolean {
  if (end === undefined) return offset === 0;
  const past = addSizes(end, offset + 1);
  return past !== undefined && equalSizes(past, steps, baked) === true;
}

function isSameEnd(x: Index, y: Index): boolean {
  return JSON.stringify(x.end) === JSON.stringify(y.end);
}

function addIndex(context: NodeContext): Value {
  const { inputs, node } = context;
  const [x, y] = inputs;
  const isFirst = x?.type === 'index';
  const index = (isFirst ? x : y) as Index;
  const other = isFirst ? y : x;
  const value = other?.type === 'constant' && other.data.length === 1 ? other.data[0]! : undefined;
  const isTaken = node.op === 'Sub' && !isFirst;
  if (typeof value === 'number' && !isTaken)
    return { ...index, offset: index.offset + (node.op === 'Sub' ? -value : value) };
  // T - 1 - i counts from the last step
  if (value !== undefined && isTaken && index.end === undefined)
    return { type: 'index', offset: -index.offset, end: value };
  throw nodeError(node, 'computes with the number of the step in a way that is not supported');
}

/** i + k < T: true for all steps up to the last, and with k = 1 ending with it. */
function comparison(context: NodeContext): Value {
  const { inputs, node } = context;
  const isSwapped = node.op.startsWith('Greater');
  const [x, y] = isSwapped ? [inputs[1], inputs[0]] : [inputs[0], inputs[1]];
  const limit = y?.type === 'constant' && y.data.length === 1 ? y.data[0]! : undefined;
  if (x?.type !== 'index' || x.end !== undefined || limit === undefined)
    throw nodeError(node, 'ends the loop in a way that is not supported; supported: after the last step');
  const offset = x.offset - (node.op.endsWith('OrEqual') ? 1 : 0);
  return { type: 'continues', below: [{ limit, offset, node: nodeName(node) }] };
}

function condition({ inputs, node, attributes }: NodeContext): Value {
  attributes.int('to');
  const [x, y] = inputs;
  const read = (value: Value | undefined) => {
    if (value?.type === 'continues') return value.below;
    return value?.type === 'constant' && value.data.length === 1 && value.data[0] === 1 ? [] : undefined;
  };
  if (['Identity', 'Cast', 'Squeeze', 'Unsqueeze'].includes(node.op)) return x!;
  const [a, b] = [read(x), read(y)];
  if (node.op !== 'And' || a === undefined || b === undefined)
    throw nodeError(node, 'ends the loop in a way that is not supported; supported: after the last step');
  return { type: 'continues', below: [...a, ...b] };
}
