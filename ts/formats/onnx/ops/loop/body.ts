import { nodeError, nodeName } from '../../attributes.ts';
import { SpecBuilder } from '../../builder.ts';
import type { GraphContext, NodeContext } from '../../context.ts';
import type { OnnxGraph } from '../../messages.ts';
import { countReaders, neededNodes } from '../../nodes.ts';
import type { Scope } from '../../scope.ts';
import { equalSizes, shapeText, type Size } from '../../size.ts';
import {
  axesText,
  feature,
  isFeature,
  role,
  width,
  type Constant,
  type Factor,
  type Rows,
  type Value,
} from '../../value.ts';
import { asOneStep, withRoles } from '../over-time.ts';
import type { BodyState } from './recognize.ts';
import { StepReader } from './steps.ts';

/** A state of a loop, and its value before the first step. */
export interface LoopState extends BodyState {
  initial: Rows | Constant;
  /** The body's output for the next step, and the node's for the last one. */
  gives: string;
  output: number;
  /** What the body gives for the next step. */
  next: Rows;
}

/** The body of a loop, read for one step. */
export class LoopBody {
  readonly steps: StepReader;
  /** It goes over a row a sequence, as over one step. */
  isOfRow = false;
  readonly builder: SpecBuilder;
  readonly #context: NodeContext;
  readonly #body: OnnxGraph;
  readonly #graph: GraphContext;
  readonly #scope: Scope;
  readonly #placed: Constant[] = [];
  readonly #states: Omit<LoopState, 'next' | 'after'>[] = [];

  constructor(context: NodeContext, body: OnnxGraph) {
    const { graph, node, scope } = context;
    if (!scope) throw nodeError(node, 'is not read by itself');
    this.#context = context;
    this.#body = body;
    this.builder = new SpecBuilder(graph.budget);
    this.#graph = {
      ...graph,
      builder: this.builder,
      place: (constant) => {
        this.#placed.push(constant);
      },
    };
    const sequences = new Map<Rows, Rows | undefined>();
    const asSequence = (rows: Rows, axis: number) => {
      if (sequences.has(rows)) return sequences.get(rows);
      const roles = rows.axes.map((_, i) => (i === axis ? ('time' as const) : undefined));
      const isOne = role(rows.axes[axis] ?? [feature(0)]) === 'one';
      if (isOne) graph.demandVector(rows);
      const isRow = isOne && rows.kind === 'vector';
      if (isRow) this.isOfRow = true;
      const sequence = isRow ? asOneStep(context, rows, axis) : withRoles(context, rows, roles);
      sequences.set(rows, sequence);
      return sequence;
    };
    this.steps = new StepReader((rows) => {
      const name = this.builder.name('step');
      const [only] = rows.columns;
      const is = only && rows.columns.length === 1 ? graph.builder.whole.get(only.ref) : undefined;
      if (is) this.builder.whole.set(name, is);
      return this.builder.addInput({ name, dtype: 'float32', size: width(rows), kind: 'vector' });
    }, asSequence);
    const outputs = body.outputs.map(({ name }) => name);
    this.#scope = scope.inner({
      graph: this.#graph,
      readers: countReaders(body.nodes, outputs),
      initializers: body.initializers,
      seen: (value) => (value.type === 'rows' ? { type: 'outer', rows: value } : value),
      reading: this.steps.read,
    });
  }

  give(index: number, value: Value): void {
    const input = this.#body.inputs[index];
    if (!input) throw nodeError(this.#context.node, 'gives its body more inputs than it takes', 'invalid_file');
    this.#scope.set(input.name, value);
  }

  /** A value that goes from step to step: into the body by input `index`, out of it by output `next`, at last to output `final` of the node. */
  carry(index: number, initial: Value, next: number, final: number): void {
    const { node } = this.#context;
    const name = this.#outputName(next);
    if (this.#isUnchanged(index, name)) {
      this.give(index, initial.type === 'rows' ? { type: 'outer', rows: initial } : initial);
      return;
    }
    if (initial.type === 'constant' && initial.dtype === 'int' && initial.data.length === 1) {
      const offset = initial.data[0]!;
      if (typeof offset !== 'number') throw nodeError(node, 'counts from a number that depends on the steps');
      this.give(index, { type: 'index', offset });
      this.#counters.push({ output: name, offset });
      return;
    }
    const isFloat =
      initial.type === 'rows' ? initial.dtype === 'float32' : initial.type === 'constant' && initial.dtype === 'float';
    if ((initial.type !== 'rows' && initial.type !== 'constant') || !isFloat)
      throw nodeError(node, `its state ${index} ('${node.inputs[index] ?? ''}') is no tensor of floats`);
    const axes = initial.type === 'rows' ? this.#rowsAxes(initial) : this.#constantAxes(initial, index);
    const size = axes.filter(isFeature).reduce((n, axis) => axis.reduce((m, f) => m * f.size!, n), 1);
    const before = this.builder.name(`state${index}`);
    const columns = this.builder.addInput({ name: before, dtype: 'float32', size, kind: 'vector' });
    const inputs = initial.type === 'rows' ? initial.inputs : [];
    this.give(index, {
      type: 'rows',
      dtype: 'float32',
      kind: 'vector',
      axes,
      columns,
      inputs,
      reversed: false,
      exclusive: false,
    });
    this.#states.push({ before, size, initial, gives: name, output: final });
  }

  readonly #counters: { output: string; offset: number }[] = [];

  #outputName(index: number): string {
    const output = this.#body.outputs[index];
    if (!output) throw nodeError(this.#context.node, 'its body has too few outputs', 'invalid_file');
    return output.name;
  }

  #isUnchanged(input: number, output: string): boolean {
    const name = this.#body.inputs[input]?.name;
    if (output === name) return true;
    const node = this.#body.nodes.find(({ outputs }) => outputs[0] === output);
    return node?.op === 'Identity' && node.inputs[0] === name;
  }

  #rowsAxes(initial: Rows): Factor[][] {
    const { graph, node } = this.#context;
    const last = initial.axes.length - 1;
    const batch = initial.axes.findIndex((axis) => role(axis) !== 'one');
    const roles = initial.axes.map((_, i) =>
      i === last ? ('feature' as const) : i === batch ? ('batch' as const) : undefined,
    );
    if (last < 1 || !graph.demand(initial, roles) || !isFeature(initial.axes[last]!))
      throw nodeError(node, `a state is ${axesText(initial.axes)}; supported: [batch, features]`);
    return initial.axes;
  }

  #constantAxes({ shape }: Constant, index: number): Factor[][] {
    const { graph, node } = this.#context;
    const isBatch = (size: Size) =>
      typeof size === 'number'
        ? size === graph.baked.batch
        : equalSizes(size, { c: 1, b: 1, t: 0, k: 0 }, graph.baked) === true;
    const axes = shape.map<Factor[] | undefined>((size, i) => {
      if (i === shape.length - 1) return typeof size === 'number' && size > 0 ? [feature(size)] : undefined;
      if (isBatch(size)) return [{ role: 'batch', size: typeof size === 'number' ? size : undefined }];
      return size === 1 ? [] : undefined;
    });
    if (shape.length < 2 || axes.some((axis) => !axis))
      throw nodeError(node, `its state ${index} is a constant ${shapeText(shape)}; supported: [batch, features]`);
    return axes as Factor[][];
  }

  /** Reads the nodes that these outputs of the body need. */
  read(outputs: readonly number[]): void {
    const names = outputs.map((i) => this.#outputName(i));
    const all = [...names, ...this.#states.map(({ gives }) => gives), ...this.#counters.map(({ output }) => output)];
    for (const node of neededNodes(this.#body.nodes, all)) this.#scope.read(node);
    const { graph, node } = this.#context;
    if (this.builder.steps.readsAhead) graph.builder.steps.readsAhead = true;
    graph.counted ??= this.#graph.counted;
    for (const { output, offset } of this.#counters) {
      const next = this.#scope.value(output, node);
      if (next.type !== 'index' || next.end !== undefined || next.offset !== offset + 1)
        throw nodeError(node, `counts its steps in '${output}' otherwise than by ones`);
    }
  }

  value(output: number): Value {
    return this.#scope.value(this.#outputName(output), this.#context.node);
  }

  /** A value of the body, as one of its spec. */
  ref(output: number): string {
    const value = this.value(output);
    if (value.type !== 'rows' || value.dtype !== 'float32')
      throw nodeError(
        this.#context.node,
        `its body gives '${this.#outputName(output)}', which is not computed from a step`,
      );
    return this.builder.ref(value.columns, 'vector');
  }

  states(): LoopState[] {
    const { node } = this.#context;
    return this.#states.map((state) => {
      const next = this.#scope.value(state.gives, node);
      if (next.type !== 'rows' || next.dtype !== 'float32' || width(next) !== state.size)
        throw nodeError(node, `its body gives '${state.gives}', which does not fit the state of ${state.size}`);
      return { ...state, next, after: this.builder.ref(next.columns, 'vector') };
    });
  }

  /** Reports where the constants of the body went. */
  place(): void {
    const { graph, node } = this.#context;
    for (const constant of this.#placed) graph.place(constant, `${nodeName(node)} (cell)`);
  }
}
