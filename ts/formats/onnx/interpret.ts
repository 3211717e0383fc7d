import { GruError } from '../../base/errors.ts';
import { layerKind } from '../../layers/index.ts';
import type { AxisRule } from '../../layers/kind.ts';
import { type Graph, resolveGraph } from '../../spec/graph.ts';
import { inferAxes } from '../../spec/infer-axes.ts';
import type { ModelSpec } from '../../spec/spec.ts';
import type { ImportedModel, ImportReport } from '../report.ts';
import { nodeName } from './attributes.ts';
import type { BoundTensor } from './binding.ts';
import { SpecBuilder } from './builder.ts';
import type { GraphContext } from './context.ts';
import { extractNode, recurrentNodes } from './extract.ts';
import { Budget } from './limits.ts';
import { countReaders, neededNodes, subgraphs } from './nodes.ts';
import { OPERATORS } from './ops/index.ts';
import { InputRoles, type GraphInput } from './roles.ts';
import { SpecOutputs } from './outputs.ts';
import { reroll } from './reroll/index.ts';
import { Scope } from './scope.ts';
import { Source } from './source.ts';
import { operatorName, type OnnxNode, type OnnxValueInfo } from './messages.ts';
import { dtypeClass } from './tensor.ts';
import { RolesChanged, axesText, boundAxes, type Factor, type Rows } from './value.ts';

/** Reads a graph into a spec. The file's bytes bound what may be computed. */
export function interpret(source: Source): ImportedModel {
  try {
    const node = source.options.node;
    return node === undefined ? readRolled(source) : extractNode(source, node);
  } catch (cause) {
    if (!(cause instanceof GruError) || cause.code !== 'unsupported') throw cause;
    const names = recurrentNodes(source).map((node) => `'${nodeName(node)}'`);
    if (names.length === 0 || source.graph.nodes.length < 2 || source.options.node !== undefined) throw cause;
    const list = names.slice(0, 20).join(', ') + (names.length > 20 ? ', ...' : '');
    throw new GruError(
      'unsupported',
      `${cause.message}. A recurrent node of this graph can be loaded by itself: { onnx: { node: name } } with one of ${list}`,
      { cause },
    );
  }
}

/** Reads the graph; where that fails, with the cells that are written out step by step as loops. */
function readRolled(source: Source): ImportedModel {
  try {
    return readWhole(source, source.graph.nodes);
  } catch (cause) {
    if (!(cause instanceof GruError) || cause.code !== 'unsupported') throw cause;
    const { nodes } = reroll(source.graph, (tensor) => source.data(tensor));
    if (nodes === source.graph.nodes) throw cause;
    return readWhole(source, nodes);
  }
}

/**
 * Reads the graph with the usual assumption about axes, [time, batch, features]; where that fails before any operator has
 * said otherwise, with the batch first; then as if parts were taken of steps as well as of features.
 */
function readWhole(source: Source, all: readonly OnnxNode[]): ImportedModel {
  const outputs = source.outputNames();
  const nodes = neededNodes(all, outputs);
  checkOperators(nodes, source.functions);
  const readers = countReaders(nodes, outputs);
  const inputs = source.freeInputs().filter(({ name }) => readers.has(name));
  let refusal: GruError | undefined;
  for (const parts of ['feature', 'any'] as const) {
    let hasParts = false;
    for (const first of ['time', 'batch'] as const) {
      const roles = new InputRoles(inputs, { first, parts });
      try {
        return untilSettled(() => new Attempt(source, roles, nodes, readers).run(outputs));
      } catch (cause) {
        if (!(cause instanceof GruError)) throw cause;
        if (!refusal && (cause.code === 'invalid_argument' || cause.code === 'io')) throw cause;
        refusal ??= cause;
        hasParts ||= roles.hasParts;
      }
    }
    if (!hasParts) break;
  }
  throw refusal!;
}

/** Reads until the roles stay as they are: each failed attempt settles an axis of an input. */
function untilSettled(read: () => ImportedModel): ImportedModel {
  for (let attempt = 0; ; attempt++) {
    try {
      return read();
    } catch (changed) {
      if (!(changed instanceof RolesChanged)) throw changed;
      if (attempt > 24)
        throw new GruError('unsupported', 'what the axes of the inputs of the graph mean cannot be told');
    }
  }
}

/** @throws GruError `unsupported` listing the operators of these nodes that are not read. */
function checkOperators(nodes: readonly OnnxNode[], functions: ReadonlySet<string>): void {
  const unknown = new Map<string, OnnxNode>();
  const check = (node: OnnxNode) => {
    const name = operatorName(node);
    if (!Object.hasOwn(OPERATORS, name) || functions.has(`ai.onnx.${name}`))
      unknown.set(name, unknown.get(name) ?? node);
    for (const graph of subgraphs(node)) for (const inner of graph.nodes) check(inner);
  };
  for (const node of nodes) check(node);
  if (unknown.size === 0) return;
  const found = [...unknown].slice(0, 20).map(([name, node]) => `${name} (node '${nodeName(node)}')`);
  const hint = UNROLLED.find(({ operators }) => operators.some((name) => unknown.has(name)))?.hint ?? '';
  throw new GruError(
    'unsupported',
    `operators that are not supported: ${found.join(', ')}; supported: ${Object.keys(OPERATORS).join(', ')}${hint}`,
  );
}

/** What exporters write instead of a recurrent node, and what can be done. */
const UNROLLED = [
  {
    // torch's dynamo exporter on nn.RNN
    operators: ['SplitToSequence', 'SequenceAt'],
    hint:
      '. A recurrent layer that its exporter unrolled holds for one number of steps only: ' +
      'export with dynamo: False, or load the model in its own format',
  },
];

/** One reading of a graph, under assumed roles of the inputs' axes. */
class Attempt {
  readonly #source: Source;
  readonly #roles: InputRoles;
  readonly #nodes: OnnxNode[];
  readonly #bound: BoundTensor[] = [];
  readonly #context: GraphContext;
  readonly #scope: Scope;
  readonly #builder: SpecBuilder;
  readonly #report: ImportReport['tensors'] = [];

  constructor(source: Source, roles: InputRoles, nodes: OnnxNode[], readers: Map<string, number>) {
    this.#source = source;
    this.#roles = roles;
    this.#nodes = nodes;
    const budget = new Budget(source.size);
    this.#builder = new SpecBuilder(budget);
    const used = (i: number) => readers.has(roles.inputs[i]!.info.name);
    this.#context = {
      builder: this.#builder,
      budget,
      baked: { batch: roles.baked('batch', used), time: roles.baked('time', used) },
      demand: (rows, wanted) => roles.demand(rows, wanted),
      preferFeature: (axis) => {
        roles.preferFeature(axis);
      },
      demandSequence: (rows) => roles.demandSequence(rows),
      isInput: ([segment], input) => segment !== undefined && this.#bound[input]?.values[0] === segment.ref,
      lengths: new Map(),
      fromEnd: undefined,
      counted: undefined,
      conventions: new Set(),
      tensorData: (tensor) => source.data(tensor),
      place: (constant, target) => {
        this.#report.push(...source.placed(constant, target));
      },
    };
    this.#scope = new Scope({ source, graph: this.#context, readers });
  }

  run(outputs: readonly string[]): ImportedModel {
    for (const [index, input] of this.#roles.inputs.entries()) this.#addInput(index, input);
    for (const node of this.#nodes) this.#scope.read(node);
    const lengths = this.#checkLengths();
    const results = new SpecOutputs(this.#builder);
    for (const name of outputs) {
      const value = this.#scope.value(name);
      if (value.type !== 'rows' || (value.dtype === 'int32' && this.#isGiven(value)))
        throw new GruError(
          'unsupported',
          `output '${name}' of the graph does not hold what is computed from its inputs`,
        );
      if (value.sortedBy !== undefined)
        throw new GruError('unsupported', `output '${name}' of the graph is of sorted sequences that are not put back`);
      results.add(name, value, outputs.length);
    }
    const spec = inferAxes(results.spec());
    const named = spec.inputs.some(({ axis }) => axis !== undefined);
    const makes = spec.layers.some((layer) => layerKind(layer.type)?.axis?.(layer) !== undefined);
    const several = named || makes ? resolveGraph(spec) : undefined;
    if (named) this.#checkSeveral(spec, lengths);
    const onAxis = (ports: readonly { name: string; axis: number }[] = []) => {
      const numbers = new Map(ports.map(({ name, axis }) => [name, axis]));
      return (bound: BoundTensor): BoundTensor => {
        const number = numbers.get(bound.values[0] ?? '');
        if (bound.kind !== 'sequence' || number === undefined) return bound;
        const { axis, made } = originOf(several!, number);
        return { ...bound, ...(named && axis !== undefined ? { axis } : {}), ...(made.length > 0 ? { made } : {}) };
      };
    };
    const inputOnAxis = onAxis(several?.inputs);
    const used = new Set(spec.inputs.map(({ name }) => name));
    const floats = new Set(spec.inputs.flatMap(({ name, dtype }) => (dtype === 'float32' ? [name] : [])));
    const isUsed = (name: string) => used.has(name);
    const names = new Set(this.#bound.map(({ name }) => name));
    const unused = this.#source.freeInputs().filter(({ name }) => !names.has(name));
    const inputs = this.#bound.map((bound, i) => ({
      ...inputOnAxis(bound),
      ...(bound.dtype === 'int32' && floats.has(bound.values[0]!) ? { dtype: 'float32' as const, whole: true } : {}),
      use:
        i === lengths ? ('lengths' as const) : bound.values.every(isUsed) ? ('values' as const) : ('unused' as const),
    }));
    this.#checkSizes(inputs);
    const outputTensors = results.bound.map(onAxis(several?.outputs));
    const partly = inputs.find((bound) => bound.use === 'unused' && bound.values.some(isUsed));
    if (partly) throw new GruError('unsupported', `input '${partly.name}' of the graph is used in part`);
    const report: ImportReport = {
      format: 'onnx',
      ...(this.#source.producer ? { producer: this.#source.producer } : {}),
      conventions: [
        ...this.#context.conventions,
        ...describeAxes('input', inputs),
        ...describeAxes('output', outputTensors),
        ...this.#describeSizes(),
        ...unused.map(({ name }) => `input '${name}' of the graph is read by nothing`),
      ],
      tensors: this.#report,
      graph: { inputs: [...inputs, ...unused.map(readByNothing)], outputs: outputTensors },
    };
    return { spec, report };
  }

  /** Whether ids are those of an input, not computed. */
  #isGiven({ columns }: Rows): boolean {
    return this.#bound.some(({ values }) => columns.some(({ ref }) => values.includes(ref)));
  }

  #addInput(index: number, input: GraphInput): void {
    const { info, shape, roles, dtype, isStep } = input;
    const axes = roles.map<Factor[]>((role, axis) => [
      { role, size: typeof shape[axis] === 'number' ? shape[axis] : undefined, origin: { input: index, axis } },
    ]);
    const features = axes
      .flat()
      .filter(({ role }) => role === 'feature')
      .map(({ size }) => size!);
    const kind = roles.includes('time') || isStep ? 'sequence' : 'vector';
    const size = features.reduce((n, s) => n * s, 1);
    // states of several layers or directions are an input each
    const parts = kind === 'vector' && features.length > 1 && dtype === 'float32' ? features[0]! : 1;
    if (parts > 1024) throw new GruError('unsupported', `input '${info.name}' of the graph holds ${parts} states`);
    const base = this.#builder.name(info.name);
    const names = parts === 1 ? [base] : Array.from({ length: parts }, (_, i) => this.#builder.name(`${base}.${i}`));
    const columns = names.flatMap((name) => this.#builder.addInput({ name, dtype, size: size / parts, kind }));
    this.#scope.set(info.name, {
      type: 'rows',
      dtype,
      kind,
      axes,
      columns,
      inputs: [index],
      reversed: false,
      exclusive: false,
    });
    this.#bound.push({ name: info.name, use: 'values', dtype, axes: boundAxes(axes), values: names, kind });
  }

  /** All recurrent layers take the same lengths, and no step is picked from the end of padded sequences. */
  #checkLengths(): number | undefined {
    const { lengths, fromEnd } = this.#context;
    const [first] = [...lengths.values()].filter((input) => input !== undefined);
    if (first === undefined) return undefined;
    this.#context.conventions.add(
      "sequence_lens are the lengths given to a run; past a sequence's length results are zeros",
    );
    for (const [name, input] of lengths) {
      if (input !== first)
        throw new GruError('unsupported', `${name} does not take the same sequence_lens as the others`);
    }
    if (fromEnd !== undefined)
      throw new GruError('unsupported', `${fromEnd} counts steps from the end, which with sequence_lens is padding`);
    return first;
  }

  /** Sizes have one T for all axes while a graph is read: what counts by it does not say whose steps. */
  #checkSeveral({ inputs }: ModelSpec, lengths: number | undefined): void {
    const names = inputs.filter(({ axis }) => axis !== undefined).map(({ name }) => `'${name}'`);
    const several = `in a graph whose inputs ${names.join(', ')} have steps of their own`;
    const { counted } = this.#context;
    if (counted !== undefined) throw new GruError('unsupported', `${counted} counts steps by a Shape, ${several}`);
    if (lengths !== undefined)
      throw new GruError('unsupported', `input '${this.#bound[lengths]!.name}' is sequence_lens ${several}`);
  }

  /** Inputs that are exported for fixed numbers of sequences and steps have the same. */
  #checkSizes(bound: readonly BoundTensor[]): void {
    for (const role of ['batch', 'time'] as const) {
      const fixed = this.#roles.inputs.flatMap(({ info, roles, shape }, i) => {
        const size = shape[roles.indexOf(role)];
        return typeof size === 'number' ? [{ name: info.name, size, axis: bound[i]!.axis }] : [];
      });
      const firsts = new Map<string | undefined, (typeof fixed)[number]>();
      for (const input of fixed) {
        const axis = role === 'batch' ? undefined : input.axis;
        const first = firsts.get(axis) ?? input;
        firsts.set(axis, first);
        if (input.size === first.size) continue;
        throw new GruError(
          'unsupported',
          `inputs '${first.name}' and '${input.name}' of the graph have differing sizes of ${role}`,
        );
      }
    }
  }

  #describeSizes(): string[] {
    const { batch, time } = this.#context.baked;
    const describe = (what: string, size: number | undefined) =>
      size === undefined ? [] : [`exported for ${what} ${size}; here any is taken`];
    return [...describe('a batch of', batch), ...describe('a number of steps of', time)];
  }
}

/** The axis of inputs that an axis was made of, and how. */
function originOf({ axes, derivedAxes }: Graph, number: number): { axis: string | undefined; made: AxisRule[] } {
  const made: AxisRule[] = [];
  for (let axis = derivedAxes[number - axes.length]; axis; axis = derivedAxes[number - axes.length]) {
    made.unshift({ mul: axis.mul, add: axis.add, div: axis.div });
    number = axis.from;
  }
  return { axis: axes[number], made };
}

/** An input that a run may be given, and that changes nothing. */
function readByNothing({ name, dtype }: OnnxValueInfo): BoundTensor {
  return {
    name,
    use: 'unused',
    dtype: dtypeClass(dtype) === 'float' ? 'float32' : 'int32',
    axes: [],
    values: [],
    kind: 'vector',
  };
}

function describeAxes(what: string, tensors: BoundTensor[]): string[] {
  return tensors.map(({ name, axes, values }) => {
    const text = axesText(
      axes.map((axis) =>
        axis.map((f) => (typeof f === 'number' ? { role: 'feature', size: f } : { role: f, size: undefined })),
      ),
    );
    const many = values.length > 1 ? `, as ${values.slice(0, 8).join(', ')}${values.length > 8 ? ', ...' : ''}` : '';
    return `${what} '${name}' is ${text} in the graph${many}`;
  });
}
