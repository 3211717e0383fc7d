import { GruError } from '../../base/errors.ts';
import type { ImportedModel, ImportReport } from '../report.ts';
import { Attributes, nodeName } from './attributes.ts';
import type { BoundTensor } from './binding.ts';
import { isRecurrent, SpecBuilder } from './builder.ts';
import { type GraphContext, newContext } from './context.ts';
import { OPERATORS } from './ops/index.ts';
import { RECURRENT } from './ops/recurrent/index.ts';
import { constantStates } from './ops/recurrent/initial.ts';
import { readRecurrent } from './ops/recurrent/operator.ts';
import { SpecOutputs } from './outputs.ts';
import type { Source } from './source.ts';
import { isStandard, type OnnxNode } from './messages.ts';
import type { Size } from './size.ts';
import { feature, type Factor, type Rows, type Value, boundAxes } from './value.ts';

/** The recurrent nodes of a graph. */
export function recurrentNodes({ graph }: Source): OnnxNode[] {
  return graph.nodes.filter(({ op, domain }) => Object.hasOwn(RECURRENT, op) && isStandard(domain));
}

/**
 * Takes one recurrent node out of a graph. Only what its weights are computed from is read; X, sequence_lens where it is no
 * constant, and the initial states become inputs of the model under these names, the outputs are Y, Y_h and an LSTM's Y_c.
 * Initial states that are left out or zeros become the states that a run starts from; those that the file stores are what
 * `runOnnx` gives where they are left out.
 */
export function extractNode(source: Source, name: string): ImportedModel {
  const all = recurrentNodes(source);
  const found = all.filter((node) => node.name === name || (name !== '' && node.outputs.includes(name)));
  const [node] = found;
  if (!node || found.length > 1) {
    const names = all
      .map((other) => `'${nodeName(other)}'`)
      .slice(0, 50)
      .join(', ');
    throw new GruError(
      'invalid_argument',
      `the graph has ${found.length} recurrent nodes named '${name}'; its recurrent nodes: ${names || 'none'}`,
    );
  }
  const operator = RECURRENT[node.op]!;
  const builder = new SpecBuilder(source.budget());
  const bound: BoundTensor[] = [];
  const tensors: ImportReport['tensors'] = [];
  const context = newContext(
    source,
    builder,
    { bound, tensors },
    {
      baked: { batch: undefined, time: undefined },
      flattensSteps: () => false,
      numbersSteps: () => false,
      demand: () => true,
      preferFeature: () => undefined,
      demandSequence: () => true,
      demandVector: () => undefined,
      forAll: () => undefined,
      isNumbers: () => false,
      demandIds: () => undefined,
    },
  );
  const values = new Constants(source, context, node);
  const inputs = node.inputs.map((input) => (input === '' ? undefined : values.value(input)));
  const [, w, r, , lens] = inputs;

  const attribute = (key: string) => node.attributes.find((a) => a.name === key);
  const isBatchFirst = attribute('layout')?.i === 1;
  const directions = attribute('direction')?.s === 'bidirectional' ? 2 : 1;
  const inputSize = w?.type === 'constant' ? w.base[2] : undefined;
  const hiddenSize = r?.type === 'constant' ? r.base[2] : undefined;
  const batch: Factor[] = [{ role: 'batch', size: undefined }];
  const time: Factor[] = [{ role: 'time', size: undefined }];
  const addInput = (
    what: string,
    dtype: Rows['dtype'],
    kind: Rows['kind'],
    axes: Factor[][],
    size: number,
    parts: number,
  ): Rows => {
    const names =
      parts === 1 ? [builder.name(what)] : Array.from({ length: parts }, (_, i) => builder.name(`${what}.${i}`));
    const columns = names.flatMap((part) => builder.addInput({ name: part, dtype, size, kind }));
    const index =
      bound.push({
        name: what,
        use: what === 'sequence_lens' ? 'lengths' : 'values',
        dtype,
        axes: boundAxes(axes),
        values: names,
        kind,
      }) - 1;
    return { type: 'rows', dtype, kind, axes, columns, inputs: [index], reversed: false, exclusive: false };
  };
  const order = (first: Factor[], second: Factor[]) => (isBatchFirst ? [second, first] : [first, second]);
  const x = addInput('X', 'float32', 'sequence', [...order(time, batch), [feature(inputSize ?? 1)]], inputSize ?? 1, 1);
  inputs[0] = x;
  if (lens?.type === 'unknown') inputs[4] = addInput('sequence_lens', 'int32', 'vector', [batch], 1, 1);
  const stateAxes = [...order([feature(directions)], batch), [feature(hiddenSize ?? 1)]];
  if (hiddenSize !== undefined) {
    const sizes = { layout: isBatchFirst ? 1 : 0, directions, hiddenSize };
    const given = operator.states.map((state) => {
      const initial = inputs[state.index];
      const stored =
        initial?.type === 'constant' ? constantStates({ node, graph: context }, state, initial, sizes) : undefined;
      return { state, stored, isComputed: initial?.type === 'unknown' };
    });
    // the initial states of a layer are all inputs of the model, or none
    const areInputs = given.some(({ stored, isComputed }) => stored !== undefined || isComputed);
    for (const { state, stored, isComputed } of areInputs ? given : []) {
      inputs[state.index] = addInput(state.name, 'float32', 'vector', stateAxes, hiddenSize, directions);
      if (isComputed) continue;
      const fallback = new Float32Array(directions * hiddenSize);
      stored?.forEach((values, d) => {
        fallback.set(values, d * hiddenSize);
      });
      bound.at(-1)!.fallback = fallback;
    }
  }
  const attributes = new Attributes(node);
  const results = readRecurrent(operator)({ node, opset: source.opset, attributes, inputs, graph: context });
  attributes.finish();
  const outputs = new SpecOutputs(builder);
  const names = ['Y', ...operator.states.map(({ final }) => final)];
  for (const [i, output] of names.entries()) outputs.add(output, results[i] as Rows);
  const spec = outputs.spec();
  const free = spec.layers.filter((layer) => isRecurrent(layer) && layer.initialState === undefined);
  for (const { name: what, slot } of free.length > 0 ? operator.states : []) {
    bound.push({
      name: what,
      use: 'states',
      dtype: 'float32',
      axes: boundAxes(stateAxes),
      values: free.map((layer) => layer.name),
      ...(operator.states.length > 1 && { slot }),
      kind: 'vector',
    });
  }
  const report: ImportReport = {
    format: 'onnx',
    ...(source.producer ? { producer: source.producer } : {}),
    conventions: [...context.conventions],
    tensors,
    graph: { inputs: bound, outputs: outputs.bound },
  };
  return { spec, report };
}

/** Values of a graph as far as they are constants. */
class Constants {
  readonly #source: Source;
  readonly #context: GraphContext;
  readonly #values = new Map<string, Value>();

  constructor(source: Source, context: GraphContext, last: OnnxNode) {
    this.#source = source;
    this.#context = context;
    const wanted = new Set(last.inputs.slice(1));
    const needed: OnnxNode[] = [];
    const { nodes } = source.graph;
    for (const node of nodes.slice(0, nodes.indexOf(last)).reverse()) {
      if (!node.outputs.some((name) => name !== '' && wanted.has(name))) continue;
      needed.push(node);
      for (const name of node.inputs) wanted.add(name);
    }
    for (const node of needed.reverse()) {
      const results = this.#read(node);
      for (const [i, name] of node.outputs.entries()) {
        if (name !== '') this.#values.set(name, results[i] ?? { type: 'unknown' });
      }
    }
  }

  value(name: string): Value {
    return this.#values.get(name) ?? this.#source.initializer(name) ?? { type: 'unknown' };
  }

  #read(node: OnnxNode): (Value | undefined)[] {
    const operator = isStandard(node.domain) && Object.hasOwn(OPERATORS, node.op) ? OPERATORS[node.op] : undefined;
    if (!operator || Object.hasOwn(RECURRENT, node.op)) return [];
    const inputs = node.inputs.map((name) => (name === '' ? undefined : this.value(name)));
    this.#context.budget.spend(200 + 8 * inputs.length);
    if (inputs.every((value) => value === undefined || value.type === 'constant')) {
      const attributes = new Attributes(node);
      const results = operator({ node, opset: this.#source.opset, attributes, inputs, graph: this.#context });
      attributes.finish();
      return results;
    }
    return this.#isZero(node, inputs) ? node.outputs.map(() => ({ type: 'zeros' })) : [];
  }

  /** Whether a node gives zeros, in a shape that depends on what is not read. */
  #isZero(node: OnnxNode, inputs: (Value | undefined)[]): boolean {
    const isZeros = (value: Value | undefined) =>
      value?.type === 'zeros' ||
      (value?.type === 'constant' && value.dtype !== 'int' && this.#hasZerosOnly(value.data));
    if (node.op === 'ConstantOfShape') {
      const tensor = node.attributes.find(({ name }) => name === 'value')?.t;
      const bytes = [tensor?.raw, ...Object.values(tensor?.packed ?? {}).flat()];
      return tensor?.external === undefined && bytes.every((part) => part?.every((byte) => byte === 0) ?? true);
    }
    return node.op === 'Concat' ? inputs.every(isZeros) : KEEPING.includes(node.op) && isZeros(inputs[0]);
  }

  /** Kept: many nodes may read one large constant. */
  readonly #zeros = new Map<ArrayLike<Size>, boolean>();

  #hasZerosOnly(data: ArrayLike<Size>): boolean {
    let zeros = this.#zeros.get(data);
    if (zeros === undefined) {
      zeros = Array.prototype.every.call(data, (v) => v === 0);
      this.#zeros.set(data, zeros);
    }
    return zeros;
  }
}

/** Operators whose result holds nothing but values of their first input, or of all inputs (Concat). */
const KEEPING = [
  'Expand',
  'Slice',
  'Gather',
  'Reshape',
  'Transpose',
  'Squeeze',
  'Unsqueeze',
  'Identity',
  'Cast',
  'Split',
  'Flatten',
  'Tile',
];
