import { GruError } from '../../base/errors.ts';
import { layerKind } from '../../layers/index.ts';
import type { AxisRule } from '../../layers/kind.ts';
import { type Graph, resolveGraph } from '../../spec/graph.ts';
import { inferAxes } from '../../spec/infer-axes.ts';
import type { InputSpec, ModelSpec } from '../../spec/spec.ts';
import type { ImportedModel, ImportReport } from '../report.ts';
import type { BoundTensor } from './binding.ts';
import { SpecBuilder } from './builder.ts';
import { broadcastIndex, elements } from './constants.ts';
import { type GraphContext, newContext } from './context.ts';
import type { OnnxNode, OnnxValueInfo } from './messages.ts';
import { SpecOutputs } from './outputs.ts';
import type { GraphInput, InputRoles } from './roles.ts';
import { Scope } from './scope.ts';
import type { Source } from './source.ts';
import { dtypeClass } from './tensor.ts';
import { BATCH, equalSizes, FREE, ownSteps } from './size.ts';
import { numbersOfScores } from './ops/attention.ts';
import { axesText, boundAxes, feature, type Constant, type Factor, type Rows } from './value.ts';

/** One reading of a graph, under assumed roles of the inputs' axes. */
export class Attempt {
  readonly #source: Source;
  readonly #roles: InputRoles;
  readonly #nodes: OnnxNode[];
  readonly #bound: BoundTensor[] = [];
  readonly #context: GraphContext;
  readonly #scope: Scope;
  readonly #builder: SpecBuilder;
  readonly #report: ImportReport['tensors'] = [];
  /** Nodes that were read. */
  progress = 0;

  constructor(source: Source, roles: InputRoles, nodes: OnnxNode[], readers: Map<string, number>) {
    this.#source = source;
    this.#roles = roles;
    this.#nodes = nodes;
    this.#builder = new SpecBuilder(source.budget());
    const used = (i: number) => readers.has(roles.inputs[i]!.info.name);
    const made = { bound: this.#bound, tensors: this.#report };
    this.#context = newContext(source, this.#builder, made, {
      baked: { batch: roles.baked('batch', used), time: roles.baked('time', used) },
      flattensSteps: () => roles.allows('steps'),
      numbersSteps: () => roles.allows('numbered'),
      demand: (rows, wanted) => roles.demand(rows, wanted, nodes[this.progress]),
      preferFeature: (axis) => {
        roles.preferFeature(axis);
      },
      demandSequence: (rows) => roles.demandSequence(rows),
      demandVector: (rows) => {
        roles.demandVector(rows);
      },
      forAll: (constant, name) => this.#forAll(constant, name),
      isNumbers: (input) => roles.inputs[input]!.isNumbers,
      demandIds: (rows) => {
        roles.demandIds(rows);
      },
    });
    this.#scope = new Scope({ source, graph: this.#context, readers });
  }

  /** Whether steps were counted by a Shape that does not say whose they are. */
  get counts(): boolean {
    return this.#context.counted !== undefined && this.#roles.areApart;
  }

  run(outputs: readonly string[]): ImportedModel {
    const own = this.#roles.ownSteps();
    for (const [index, input] of this.#roles.inputs.entries()) this.#addInput(index, input, own[index]);
    for (const node of this.#nodes) {
      this.#scope.read(node);
      this.progress++;
    }
    const lengths = this.#checkLengths();
    const results = new SpecOutputs(this.#builder);
    for (const name of outputs) {
      const given = this.#scope.value(name);
      const scores = given.type === 'rows' && given.scores ? numbersOfScores(this.#builder, given, name) : undefined;
      const value = scores ?? (given.type === 'constant' ? (this.#forAll(given, name) ?? given) : given);
      if (value.type !== 'rows' || (value.dtype === 'int32' && this.#isGiven(value))) {
        const others = outputs.filter((other) => other !== name).map((other) => `'${other}'`);
        const hint = others.length > 0 ? `; { onnx: { outputs: [${others.join(', ')}] } } leaves it out` : '';
        throw new GruError(
          'unsupported',
          `output '${name}' of the graph does not hold what is computed from its inputs${hint}`,
        );
      }
      if (value.scores)
        throw new GruError('unsupported', `output '${name}' of the graph holds scores of steps by steps`);
      if (value.sortedBy !== undefined)
        throw new GruError('unsupported', `output '${name}' of the graph is of sorted sequences that are not put back`);
      results.add(name, value);
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
    if (lengths !== undefined && this.#bound[lengths]!.values.some(isUsed)) this.#roles.readAsNumbers(lengths);
    const names = new Set(this.#bound.map(({ name }) => name));
    const unused = this.#source.freeInputs().filter(({ name }) => !names.has(name));
    const inputs = this.#bound.map((bound, i) => ({
      ...inputOnAxis(bound),
      ...(bound.dtype === 'int32' && floats.has(bound.values[0]!) ? { dtype: 'float32' as const, whole: true } : {}),
      use:
        i === lengths ? ('lengths' as const) : bound.values.every(isUsed) ? ('values' as const) : ('unused' as const),
    }));
    this.#checkSizes(inputs);
    this.#checkCounted(inputs);
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

  /** A constant row for each sequence, as of an input that has one; undefined for constants of other axes. */
  #forAll(constant: Constant, name: string): Rows | undefined {
    const { shape, base, dtype } = constant;
    const at = shape.findIndex((size) => typeof size !== 'number' && equalSizes(size, BATCH, FREE) === true);
    const sizes = shape.filter((size) => typeof size === 'number');
    if (dtype !== 'float' || at < 0 || base[at] !== 1 || sizes.length !== shape.length - 1) return undefined;
    const given = this.#roles.inputs.map(({ info }) => this.#scope.find(info.name));
    const rows = given.filter((value) => value?.type === 'rows' && value.dtype === 'float32') as Rows[];
    const from = rows.find(({ kind }) => kind === 'vector') ?? rows[0];
    if (!from) return undefined;
    const index = broadcastIndex(
      base.filter((_, axis) => axis !== at),
      sizes,
    );
    const length = elements(sizes);
    this.#context.budget.spend(8 * length);
    const row = Array.from({ length }, (_, i) => constant.data[index(i)]!);
    if (!row.every((value) => typeof value === 'number')) return undefined;
    const ref = this.#builder.constantVector(from, name, Float32Array.from(row));
    return {
      type: 'rows',
      dtype: 'float32',
      kind: 'vector',
      axes: shape.map((size) => [typeof size === 'number' ? feature(size) : { role: 'batch', size: undefined }]),
      columns: [{ ref, start: 0, length }],
      inputs: from.inputs,
      reversed: false,
      exclusive: false,
    };
  }

  /** Whether ids are those of an input, not computed. */
  #isGiven({ columns }: Rows): boolean {
    return this.#bound.some(({ values }) => columns.some(({ ref }) => values.includes(ref)));
  }

  #addInput(index: number, input: GraphInput, own: string | undefined): void {
    const { info, shape, roles, dtype, isStep } = input;
    const steps = own === undefined ? undefined : ownSteps(own);
    const axes = roles.map<Factor[]>((role, axis) => [
      {
        ...{ role, size: typeof shape[axis] === 'number' ? shape[axis] : undefined },
        ...(axis !== input.oneStep && { origin: { input: index, axis } }),
        ...(role === 'time' && steps && { steps }),
      },
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
    // several whole numbers a row are floats, which layers take apart
    const isWide = dtype === 'int32' && size > 1;
    const held = isWide ? 'float32' : dtype;
    const columns = names.flatMap((name) => this.#builder.addInput({ name, dtype: held, size: size / parts, kind }));
    this.#scope.set(info.name, {
      type: 'rows',
      dtype: held,
      ...(isWide ? { whole: true } : {}),
      kind,
      axes,
      columns,
      inputs: [index],
      reversed: false,
      exclusive: false,
    });
    if (steps) this.#builder.steps.have(names[0]!, steps);
    if (dtypeClass(info.dtype) === 'bool') this.#builder.whole.set(names[0]!, 'mask');
    this.#bound.push({ name: info.name, use: 'values', dtype, axes: boundAxes(axes), values: names, kind });
  }

  /**
   * The input that gives the lengths of a run. Where not all recurrent layers take it, or steps past a length count for something, it is a value as any
   * other, of which masks are made: what runs leave out would be missing.
   */
  #checkLengths(): number | undefined {
    const { lengths } = this.#context;
    const [first] = [...lengths.values()].filter((input) => input !== undefined);
    if (first === undefined) return undefined;
    if (this.#builder.steps.readsAhead || [...lengths.values()].some((input) => input !== first))
      this.#roles.readAsNumbers(first);
    this.#context.conventions.add(
      "sequence_lens are the lengths given to a run; past a sequence's length results are zeros",
    );
    return first;
  }

  /** Sizes have one T for all axes while a graph is read: what counts by it does not say whose steps. */
  #checkSeveral({ inputs }: ModelSpec, lengths: number | undefined): void {
    const names = inputs.filter(({ axis }) => axis !== undefined).map(({ name }) => `'${name}'`);
    const several = `in a graph whose inputs ${names.join(', ')} have steps of their own`;
    const { counted } = this.#context;
    if (counted !== undefined && !this.#areOwn(inputs))
      throw new GruError('unsupported', `${counted} counts steps by a Shape, ${several}`);
    if (lengths !== undefined) this.#roles.readAsNumbers(lengths);
  }

  /** Whether what counts steps of inputs of several axes said whose. */
  #areOwn(inputs: readonly InputSpec[]): boolean {
    const own = this.#roles.ownSteps();
    const axisOf = new Map(inputs.map(({ name, axis }) => [name, axis]));
    const axes = new Map<string | undefined, string>();
    for (const [i, { values, kind }] of this.#bound.entries()) {
      const axis = axisOf.get(values[0] ?? '');
      if (kind !== 'sequence' || axis === undefined) continue;
      if ((axes.get(own[i]) ?? axis) !== axis) return false;
      axes.set(own[i], axis);
    }
    return this.#roles.assumed.own === true;
  }

  /** Steps that a Shape counts are those of the inputs that are run: of another, of which nothing but its Shape is read, the file has to call them so. */
  #checkCounted(bound: readonly BoundTensor[]): void {
    const { counted } = this.#context;
    const stepsOf = (i: number) => {
      const { roles, shape } = this.#roles.inputs[i]!;
      return roles.includes('time') ? [shape[roles.indexOf('time')]!] : [];
    };
    const known = new Set(bound.flatMap(({ use }, i) => (use === 'values' ? stepsOf(i) : [])));
    const other = bound.findIndex(
      ({ use }, i) => use === 'unused' && stepsOf(i).some((d) => d === '' || !known.has(d)),
    );
    if (counted === undefined || other < 0) return;
    throw new GruError(
      'unsupported',
      `${counted} counts steps by a Shape, in a graph that reads nothing but the Shape of its input '${bound[other]!.name}', which may have steps of its own`,
    );
  }

  /** Inputs that are exported for fixed numbers of sequences and steps have the same. */
  #checkSizes(bound: readonly BoundTensor[]): void {
    this.#checkOneStep(bound);
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

  /** One step beside any number of them, or another, is no step of theirs: it is repeated for each, where steps are taken each with its own. */
  #checkOneStep(bound: readonly BoundTensor[]): void {
    const steps = this.#roles.inputs.flatMap((input, index) => {
      const axis = input.roles.indexOf('time');
      return axis < 0 ? [] : [{ input, size: input.shape[axis], axis: bound[index]!.axis }];
    });
    for (const one of steps.filter(({ size }) => size === 1)) {
      if (steps.some(({ size, axis }) => size !== 1 && axis === one.axis)) this.#roles.readAsOneStep(one.input);
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
