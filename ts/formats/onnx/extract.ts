import { GruError } from '../../base/errors.ts';
import type { ImportedModel, ImportReport } from '../report.ts';
import { Attributes, nodeName } from './attributes.ts';
import type { BoundTensor } from './binding.ts';
import { SpecBuilder } from './builder.ts';
import type { GraphContext } from './context.ts';
import { Budget } from './limits.ts';
import { constantStates } from './ops/gru-initial.ts';
import { gru } from './ops/gru.ts';
import { OPERATORS } from './ops/index.ts';
import { SpecOutputs } from './outputs.ts';
import type { Source } from './source.ts';
import { isStandard, type OnnxNode } from './messages.ts';
import type { Size } from './size.ts';
import { feature, type Factor, type Rows, type Value, boundAxes } from './value.ts';

/**
 * Takes one GRU node out of a graph. Only what its weights are computed from is read; X, sequence_lens where it is no constant, and
 * initial_h become inputs of the model under these names, the outputs are Y and Y_h. An initial_h that is left out or zeros
 * becomes the states that a run starts from; one that the file stores is what `runOnnx` gives where it is left out.
 */
export function extractNode(source: Source, name: string): ImportedModel {
  const grus = source.graph.nodes.filter(({ op, domain }) => op === 'GRU' && isStandard(domain));
  const found = grus.filter((node) => node.name === name || (name !== '' && node.outputs.includes(name)));
  const [node] = found;
  if (!node || found.length > 1) {
    const names = grus
      .map((g) => `'${nodeName(g)}'`)
      .slice(0, 50)
      .join(', ');
    throw new GruError(
      'invalid_argument',
      `the graph has ${found.length} GRU nodes named '${name}'; its GRU nodes: ${names || 'none'}`,
    );
  }
  const budget = new Budget(source.size);
  const builder = new SpecBuilder(budget);
  const bound: BoundTensor[] = [];
  const tensors: ImportReport['tensors'] = [];
  const context: GraphContext = {
    builder,
    budget,
    baked: { batch: undefined, time: undefined },
    demand: () => true,
    preferFeature: () => undefined,
    demandSequence: () => true,
    isInput: ([segment], input) => segment !== undefined && bound[input]?.values[0] === segment.ref,
    lengths: new Map(),
    fromEnd: undefined,
    conventions: new Set(),
    tensorData: (tensor) => source.data(tensor),
    place: (constant, target) => {
      tensors.push(...source.placed(constant, target));
    },
  };
  const values = new Constants(source, context, node);
  const isMissing = (i: number) => (node.inputs[i] ?? '') === '';
  const constants = [1, 2, 3, 4, 5].map((i) => (isMissing(i) ? undefined : values.value(node.inputs[i]!)));
  const [w, r, b, lens, initial] = constants;

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
  const lengths = lens?.type === 'unknown' ? addInput('sequence_lens', 'int32', 'vector', [batch], 1, 1) : lens;
  const stored =
    initial?.type === 'constant' && hiddenSize !== undefined
      ? constantStates({ node, graph: context }, initial, isBatchFirst ? 1 : 0, directions, hiddenSize)
      : undefined;
  const stateAxes = [...order([feature(directions)], batch), [feature(hiddenSize ?? 1)]];
  const isInput = initial?.type === 'unknown' || stored !== undefined;
  const state =
    isInput && hiddenSize !== undefined
      ? addInput('initial_h', 'float32', 'vector', stateAxes, hiddenSize, directions)
      : initial;
  if (stored) bound.at(-1)!.fallback = Float32Array.from(stored.flatMap((values) => [...values]));
  const attributes = new Attributes(node);
  const results = gru({ node, opset: source.opset, attributes, inputs: [x, w, r, b, lengths, state], graph: context });
  attributes.finish();
  const outputs = new SpecOutputs(builder);
  outputs.add('Y', results[0] as Rows, 2);
  outputs.add('Y_h', results[1] as Rows, 2);
  const spec = outputs.spec();
  const free = spec.layers.filter((layer) => layer.type === 'gru' && layer.initialState === undefined);
  if (free.length > 0) {
    bound.push({
      name: 'initial_h',
      use: 'states',
      dtype: 'float32',
      axes: boundAxes(stateAxes),
      values: free.map((layer) => layer.name),
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
    if (!operator || node.op === 'GRU') return [];
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
