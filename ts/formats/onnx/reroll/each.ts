import { isStandard, type OnnxGraph, type OnnxNode } from '../messages.ts';
import { makersOf, withReplaced } from '../nodes.ts';
import { isAlike } from './chain.ts';
import { int, ints, NodeMaker, readAs } from './made.ts';
import { attribute, numberReader, type StepsTaken } from './steps.ts';

/** Of one value for each row. */
const ELEMENTWISE = [
  ...['Add', 'Sub', 'Mul', 'Div', 'Pow', 'Min', 'Max', 'Sum', 'Identity', 'Cast', 'Dropout', 'Clip', 'PRelu'],
  ...['Relu', 'Tanh', 'Sigmoid', 'HardSigmoid', 'Softplus', 'Softsign', 'Elu', 'Selu', 'Celu', 'LeakyRelu', 'Gelu'],
  ...['ThresholdedRelu', 'HardSwish', 'Swish', 'Mish', 'Neg', 'Abs', 'Exp', 'Log', 'Sqrt', 'Reciprocal', 'Erf'],
];
/** Along the features of each row. */
const ALONG = ['Softmax', 'LogSoftmax', 'LayerNormalization'];
const REDUCTIONS = ['ReduceSum', 'ReduceMean', 'ReduceMax', 'ReduceMin', 'ReduceL1', 'ReduceL2', 'ReduceSumSquare'];

/** Nodes upon each other: more are no layers of one step. */
const MOST_DEPTH = 200;

/**
 * The same nodes for each step of a value (batch, features), put together again by Unsqueeze and Concat: as a keras TimeDistributed is
 * exported. They become the nodes of one step, over the rows of all of them.
 */
export class EachStep {
  readonly #nodes: OnnxNode[];
  readonly #taken: StepsTaken;
  readonly #makers: Map<string, OnnxNode>;
  readonly #constants: Set<string>;
  readonly #number: (name: string | undefined) => number | undefined;
  #made!: NodeMaker;
  /** Nodes that may still be compared. */
  #left: number;
  /** By value of the first step: that of all, and what the values of the others are. */
  readonly #joint = new Map<string, { names: readonly string[]; name: string }>();

  constructor(graph: OnnxGraph, taken: StepsTaken) {
    this.#nodes = graph.nodes;
    this.#taken = taken;
    this.#left = 1000 + 64 * graph.nodes.length;
    this.#number = numberReader(graph);
    this.#constants = new Set(graph.initializers.map(({ name }) => name));
    this.#makers = makersOf(graph.nodes);
    for (const node of graph.nodes) if (node.op === 'Constant') this.#constants.add(node.outputs[0] ?? '');
  }

  /** The nodes, with what is put together made at once. */
  replaced(): OnnxNode[] {
    const { axis } = this.#taken;
    if (axis !== 0 && axis !== 1) return this.#nodes;
    return withReplaced(this.#nodes, (node) => (node.op === 'Concat' ? this.#all(node) : undefined));
  }

  /** The nodes in the place of a Concat of all steps. */
  #all(concat: OnnxNode): OnnxNode[] | undefined {
    const { axis, data, steps } = this.#taken;
    const along = from3(attribute(concat, 'axis')?.i);
    const rows = concat.inputs.map((name) => this.#unsqueezed(name, along));
    if (along > 1 || rows.length !== steps.length || rows.includes(undefined)) return undefined;
    this.#made = new NodeMaker(concat);
    this.#joint.clear();
    // three axes and so many steps, or it is refused
    const three = this.#made.add('Transpose', [data], [ints('perm', [0, 1, 2])]);
    const sizes = axis === 0 ? [steps.length, 1, 1] : [1, steps.length, 1];
    const all = this.#made.add('Expand', [three, this.#made.constant(sizes)]);
    const flat = this.#made.add('Flatten', [all], [int('axis', 2)]);
    this.#joint.set(steps[0]!, { names: steps, name: flat });
    const result = this.#of(rows as string[]);
    if (result === undefined) return undefined;
    const size = this.#made.add('Gather', [this.#made.add('Shape', [result]), this.#made.constant([1])]);
    const count = this.#made.constant(axis === 0 ? [steps.length, -1] : [-1, steps.length]);
    const shape = this.#made.add('Concat', [count, size], [int('axis', 0)]);
    const sequence = this.#made.add('Reshape', [result, shape]);
    const perm = along === axis ? [0, 1, 2] : [1, 0, 2];
    const last = readAs(concat, 'Transpose', [sequence], [ints('perm', perm)]);
    return [...this.#made.nodes, last];
  }

  /** What an Unsqueeze along this axis reads. */
  #unsqueezed(name: string, along: number): string | undefined {
    const node = this.#makers.get(name);
    if (node?.op !== 'Unsqueeze') return undefined;
    const axes = attribute(node, 'axes')?.ints ?? [this.#number(node.inputs[1])];
    return axes.length === 1 && from3(axes[0]) === along ? node.inputs[0] : undefined;
  }

  /** The value of all steps that has these; undefined where they are not made alike of the steps. */
  #of(names: readonly string[], depth = 0): string | undefined {
    const [first = ''] = names;
    if ((this.#left -= names.length) < 0 || depth > MOST_DEPTH) return undefined;
    const known = this.#joint.get(first);
    if (known) return names.every((name, t) => name === known.names[t]) ? known.name : undefined;
    if (names.every((name) => name === first)) return first === '' || this.#constants.has(first) ? first : undefined;
    const nodes = names.map((name) => this.#makers.get(name));
    const [node] = nodes;
    if (!node || !nodes.every((other, t) => other && isAlike(node, first, other, names[t]!))) return undefined;
    const inputs = node.inputs.map((_, i) =>
      this.#of(
        nodes.map((other) => other!.inputs[i]!),
        depth + 1,
      ),
    );
    if (inputs.includes(undefined)) return undefined;
    const isRows = inputs.map((name) => name !== '' && !this.#constants.has(name!));
    if (!isRowwise(node, isRows, this.#number)) return undefined;
    const outputs = node.outputs.map((name, i) => (name === '' ? '' : `${this.#made.name}/${i}`));
    this.#made.nodes.push({ ...node, inputs: inputs as string[], outputs });
    outputs.forEach((name, i) => {
      this.#joint.set(node.outputs[i]!, { names: nodes.map((other) => other!.outputs[i]!), name });
    });
    return outputs[node.outputs.indexOf(first)];
  }
}

/** Whether each row of what a node gives is made of the same row of what it reads, and which of its inputs are rows. */
function isRowwise(
  node: OnnxNode,
  isRows: readonly boolean[],
  number: (name: string | undefined) => number | undefined,
): boolean {
  const { op } = node;
  const [first, ...others] = isRows;
  const isFirstAlone = first === true && !others.includes(true);
  const axis = attribute(node, 'axis')?.i;
  if (!isStandard(node.domain)) return false;
  if (ELEMENTWISE.includes(op)) return true;
  if (op === 'MatMul') return isFirstAlone;
  if (op === 'Gemm') return isFirstAlone && (attribute(node, 'transA')?.i ?? 0) === 0;
  if (ALONG.includes(op)) return isFirstAlone && Math.abs(axis ?? -1) === 1;
  if (REDUCTIONS.includes(op)) {
    const axes = attribute(node, 'axes')?.ints ?? [number(node.inputs[1]) ?? 0];
    return isFirstAlone && axes.length === 1 && Math.abs(axes[0]!) === 1 && attribute(node, 'keepdims')?.i !== 0;
  }
  if (op === 'Split') return isFirstAlone && axis !== undefined && Math.abs(axis) === 1;
  return op === 'Concat' && !isRows.includes(false) && axis !== undefined && Math.abs(axis) === 1;
}

/** An axis of three, counted from the first. */
function from3(axis: number | undefined): number {
  return axis === undefined ? Infinity : axis < 0 ? axis + 3 : axis;
}
