import { GruError } from '../base/errors.ts';
import { layerKind, layerTypes, rules } from '../layers/index.ts';
import { MAX_SIZE, specError } from '../layers/check.ts';
import { type Axes, NamedAxes } from './axes.ts';
import { type DerivedAxis, NO_AXIS, stepsAtFirst, stepsOf } from './derived-axes.ts';
import { checkStructure } from './structure.ts';
import type { AxisRule, LayerKind, StateSlot, ValueShape } from '../layers/kind.ts';
import type { LayerSpec, ModelSpec, ValueKind, ValueRef } from './spec.ts';
import { describe, isArrayLike, isRecord, product } from '../base/tensor.ts';
import { isFloats, sizeOf } from '../base/typed-array.ts';
import { weightsOf } from '../base/weights.ts';

/** A {@link ModelSpec} that has been checked, with every reference resolved to the number of a value. */
export interface Graph {
  spec: ModelSpec;
  /** Values in the order in which they come to be: the inputs, then the ports of each node. */
  values: GraphValue[];
  /** Time axes of inputs by number; a model of vectors alone has one too. */
  axes: string[];
  /** Those that layers make, numbered on behind {@link axes}. */
  derivedAxes: readonly DerivedAxis[];
  /** By number of axis: how many steps its sequences must have, and the layer that says so; undefined: any. */
  fixedSteps: (FixedSteps | undefined)[];
  /** `inputs[i]` is value i. */
  inputs: GraphInput[];
  nodes: GraphNode[];
  outputs: GraphOutput[];
  /** State slots, in the order of the layers. */
  states: GraphState[];
  /** Why the model cannot run step by step; undefined if it can. */
  notStreamable: string | undefined;
}

export interface FixedSteps {
  steps: number;
  /** In words, for messages. */
  reader: string;
}

/** What a model takes. */
export interface GraphInput extends ValueShape {
  name: string;
  /** Number of its axis; 0 for a vector. */
  axis: number;
  /** Dimensions of a row. */
  row: readonly number[];
  vocabularySize: number;
}

/** What a model gives. */
export interface GraphOutput {
  name: string;
  value: number;
  dtype: 'float32' | 'int32';
  size: number;
  kind: ValueKind;
  /** Number of its axis; 0 for a vector. */
  axis: number;
  /** Dimensions of a row. */
  row: readonly number[];
}

export interface GraphValue extends ValueShape {
  ref: ValueRef;
  /** Number of its axis; 0 for a vector. */
  axis: number;
  /** Read by a node or an output. A value that nobody reads needs no buffer. */
  used: boolean;
  /** A vector that comes of steps: it is known at the end of the sequence. */
  late?: boolean;
}

export interface GraphNode {
  layer: LayerSpec;
  kind: LayerKind<LayerSpec>;
  /** Number of the axis of the sequences that it reads, of the first where it reads several; 0 where it reads none. */
  axis: number;
  /** Number of the axis of the sequences that it gives. */
  outputAxis: number;
  /** Number of the axis whose steps are sequences to it, each on its own: {@link isVectorTo}. */
  per: number | undefined;
  /** Values read: the layer's inputs, then its extra inputs, -1 for those left out. */
  inputs: number[];
  /** Number of the value of the first port; the others follow. */
  firstOutput: number;
  outputCount: number;
}

export interface GraphState extends StateSlot {
  layer: string;
  node: number;
}

/** Characters of the longest name: an engine makes no text of 2^29, and an error holds several names. */
const LONGEST_NAME = 4096;

/** Most values that all layers give for one step: 256 MB. */
const MAX_WIDTH = 2 ** 26;

/** The values that a node reads; those that it leaves out are none of them. */
export function valuesOf({ values }: Graph, { inputs }: GraphNode): GraphValue[] {
  return inputs.flatMap((value) => values[value] ?? []);
}

/** Whether a node has a sequence of an axis for one row each of what is its sequence. */
export function isVectorTo({ kind, axis }: Pick<GraphValue, 'kind' | 'axis'>, per: number | undefined): boolean {
  return kind === 'vector' || axis === per;
}

function isSequence(value: GraphValue | undefined): value is GraphValue {
  return value?.kind === 'sequence';
}

function isName(name: unknown): name is string {
  return typeof name === 'string' && name !== '' && name.length <= LONGEST_NAME;
}

function unnamed(what: string, name: unknown): GruError {
  return invalid(`${what} of 1 to ${LONGEST_NAME} characters, got ${describe(name)}`);
}

function invalid(message: string): GruError {
  return new GruError('invalid_spec', message);
}

/**
 * Checks a spec and resolves its references.
 *
 * @param axes What the inputs say of their axes; an importer asks for what the layers say ({@link inferAxes}).
 * @throws GruError `invalid_spec` naming the layer and what does not fit, `unsupported` for an unknown type of layer.
 */
export function resolveGraph(spec: ModelSpec, axes: Axes = new NamedAxes()): Graph {
  checkStructure(spec);
  const values: GraphValue[] = [];
  /** By name of an input or a layer: its main value, the first of its values, and how many there are. */
  const byName = new Map<string, { main: number; first: number; count: number }>();
  const claim = (name: unknown, what: () => string) => {
    if (!isName(name) || name.includes(':')) throw unnamed(`${what()} needs a name without ':'`, name);
    if (byName.has(name)) throw invalid(`the name '${name}' is used twice`);
  };
  const find = (ref: ValueRef): number => {
    const named = byName.get(ref);
    if (named) return named.main;
    const { first, count } = byName.get(ref.slice(0, ref.indexOf(':'))) ?? { first: 0, count: 0 };
    for (let v = first; v < first + count; v++) if (values[v]!.ref === ref) return v;
    return -1;
  };
  const lookUp = (ref: ValueRef, reader: () => string): number => {
    if (typeof (ref as unknown) !== 'string')
      throw invalid(`${reader()} names a value by ${describe(ref)}, not by a string`);
    const value = find(ref);
    if (value < 0) throw invalid(`${reader()} reads '${ref}', which no input or earlier layer gives`);
    values[value]!.used = true;
    return value;
  };

  const inputs = spec.inputs.map(({ name, dtype, size, kind = 'sequence', row, axis }, i): GraphInput => {
    claim(name, () => `input ${i}`);
    if (!['float32', 'int32'].includes(dtype))
      throw invalid(`input '${name}': dtype must be float32 or int32, got ${describe(dtype)}`);
    if (!['sequence', 'vector'].includes(kind))
      throw invalid(`input '${name}': kind must be sequence or vector, got ${describe(kind)}`);
    if (!Number.isInteger(size) || size < 1 || size > MAX_SIZE)
      throw invalid(`input '${name}': size must be a whole number from 1 to ${MAX_SIZE}, got ${describe(size)}`);
    if (dtype === 'int32' && size !== 1) throw invalid(`input '${name}': ids have size 1, got ${size}`);
    const number = kind === 'vector' ? axes.none(name, axis) : axes.of(name, axis);
    byName.set(name, { main: i, first: i, count: 1 });
    values.push({ ref: name, kind, dtype, size, axis: number, used: false });
    return {
      name,
      dtype,
      size,
      kind,
      axis: number,
      row: readRow(`input '${name}'`, dtype, size, row),
      vocabularySize: Infinity,
    };
  });

  const nodes: GraphNode[] = [];
  const states: GraphState[] = [];
  let width = 0;
  let notStreamable: string | undefined;
  const fixedSteps: Graph['fixedSteps'] = [];
  let previous = (spec.inputs[0] as { name: string }).name;
  for (const layer of spec.layers) {
    const kind = layerKind(layer.type);
    claim(layer.name, () => `a layer of type ${describe(layer.type)}`);
    if (!kind) {
      throw new GruError(
        'unsupported',
        `layer '${layer.name}' has the unknown type ${describe(layer.type)}; supported: ${layerTypes().join(', ')}`,
      );
    }
    checkTensors(layer, kind);
    const reader = () => `${layer.type} layer '${layer.name}'`;
    const main = (layer.inputs ?? [previous]).map((ref) => lookUp(ref, reader));
    const extra = (kind.extraInputs?.(layer) ?? []).map((ref) => (ref === undefined ? -1 : lookUp(ref, reader)));
    const all = [...main, ...extra].map((v) => values[v]);
    const per = rules.nesting(layer, kind.nests?.(layer), all, (made) => axes.made(made));
    const view = (value: GraphValue | undefined) =>
      value && isVectorTo(value, per) ? { ...value, kind: 'vector' as const } : value;
    const read = all.map(view);
    const late = all.find((value) => value?.late);
    const given = read.slice(0, main.length) as GraphValue[];
    const ports = kind.ports(layer, given, read.slice(main.length));
    const groups = kind.crossesAxes?.map((places) => places.map((place) => read[place])) ?? [read];
    const sequences = groups.map((group) => group.filter(isSequence)).filter(({ length }) => length > 0);
    const [found] = sequences.map((group) => axes.common(group, reader));
    const rule = kind.axis?.(layer);
    const outputAxis = axisOf(axes, rule, per, found, reader);
    const axis = found ?? (per === undefined ? 0 : outputAxis);
    const firstOutput = values.length;
    const mainPort = kind.mainPort?.(layer);
    const named = { main: firstOutput, first: firstOutput, count: ports.length };
    for (const { port, kind: valueKind, ...rest } of ports) {
      const { size } = rest;
      if (port === mainPort) named.main = values.length;
      if (!(size <= MAX_SIZE)) {
        throw specError(layer, `gives rows of ${size} values; at most ${MAX_SIZE} are possible`);
      }
      width += size;
      if (width > MAX_WIDTH) throw specError(layer, `all layers together give more than ${MAX_WIDTH} values a row`);
      const isRow = valueKind === 'vector' && per !== undefined;
      const onAxis = isRow ? per : valueKind === 'sequence' ? outputAxis : 0;
      const ref = `${layer.name}:${port}`;
      const isLate = valueKind === 'vector' && !isRow && (found ?? late) !== undefined;
      values.push({ ref, kind: isRow ? 'sequence' : valueKind, ...rest, axis: onAxis, used: false, late: isLate });
    }
    byName.set(layer.name, named);
    // Of steps that are sequences nothing goes on from one to the next.
    const slots = per === undefined ? (kind.slots?.(layer, given) ?? []) : [];
    for (const slot of slots) states.push({ layer: layer.name, node: nodes.length, ...slot });
    const ids = inputs[main[0]!];
    if (kind.vocabularySize) {
      const known = kind.vocabularySize(layer);
      const computed = values[main[0]!]!.vocabularySize ?? 0;
      if (ids) ids.vocabularySize = Math.min(ids.vocabularySize, known);
      else if (computed > known) throw specError(layer, `knows ${known} ids, but reads ids up to ${computed - 1}`);
    }
    const steps = kind.steps?.(layer);
    const own = axes.made(axis)?.each;
    if (steps !== undefined && per !== undefined) {
      if (steps !== own) throw specError(layer, `takes ${steps} steps, where each step has ${own ?? 0}`);
    } else if (steps !== undefined) {
      const other = (fixedSteps[axis] ??= { steps, reader: reader() });
      if (other.steps !== steps)
        throw specError(layer, `takes ${steps} steps, where ${other.reader} takes ${other.steps}`);
    }
    let why = per === undefined ? kind.notStreamable?.(layer, given) : undefined;
    if (rule && per === undefined && stepsOf(rule, 0) > 0 && stepsAtFirst(axis, (a) => axes.made(a)) < 1)
      why ??= 'it puts rows before the first one of its input, which a stream waits for';
    if (late && isSequence(values[firstOutput])) why ??= `it reads '${late.ref}', which takes all steps`;
    if (why) notStreamable ??= `${reader()} cannot run step by step: ${why}`;
    nodes.push({
      layer,
      kind,
      axis,
      outputAxis,
      per,
      inputs: [...main, ...extra],
      firstOutput,
      outputCount: ports.length,
    });
    previous = layer.name;
  }

  const outputSpecs = (spec.outputs ?? [previous]).map((o) => (typeof o === 'string' ? { name: o, from: o } : o));
  if (outputSpecs.length === 0) throw invalid('the spec has no outputs');
  const outputNames = new Set<string>();
  const outputs = outputSpecs.map(({ name, from, row }, i) => {
    if (!isName(name)) throw unnamed(`output ${i} needs a name`, name);
    if (outputNames.has(name)) throw invalid(`the output name '${name}' is used twice`);
    outputNames.add(name);
    const value = lookUp(from, () => `output '${name}'`);
    const { size, kind, dtype, axis } = values[value]!;
    if (axes.made(axis)?.each !== undefined)
      throw invalid(`output '${name}' holds steps of steps; supported: a row a step or a sequence`);
    if (dtype === 'int32' && value < inputs.length) throw invalid(`output '${name}' is an input of ids`);
    return { name, value, dtype, size, kind, axis, row: readRow(`output '${name}'`, dtype, size, row) };
  });
  for (const [i, { name }] of inputs.entries()) {
    if (!values[i]!.used) throw invalid(`input '${name}' is read by no layer`);
  }
  const { names, derived: derivedAxes } = axes;
  return { spec, axes: names, derivedAxes, fixedSteps, values, inputs, nodes, outputs, states, notStreamable };
}

/** The axis that a layer gives. */
function axisOf(
  axes: Axes,
  rule: AxisRule | undefined,
  per: number | undefined,
  axis: number | undefined,
  reader: () => string,
): number {
  if (!rule) return axis ?? 0;
  if (rule.mul > 0) return axes.derive(axis ?? 0, rule, reader);
  return per === undefined ? axes.derive(NO_AXIS, rule, reader) : axes.nest(per, stepsOf(rule, 0), reader);
}

/** The dimensions of a row of an input or output. */
function readRow(what: string, dtype: string, size: number, given: unknown): readonly number[] {
  if (given === undefined) return dtype === 'int32' ? [] : [size];
  const row = isArrayLike(given) ? Array.from(given as ArrayLike<unknown>) : [NaN];
  const isSize = (n: unknown) => Number.isInteger(n) && (n as number) >= 1;
  if (row.every(isSize) && product(row as number[]) === size && (dtype !== 'int32' || row.length === 0)) {
    return row as number[];
  }
  throw invalid(`${what}: row must list whole numbers whose product is its size ${size}, got ${describe(given)}`);
}

const BASE_FIELDS = ['name', 'type', 'inputs', 'weights'];

/** Checks the layer's fields and that its weights are there, of their dtype and the right length, and no others. */
function checkTensors(layer: LayerSpec, kind: LayerKind<LayerSpec>): void {
  const weights = weightsOf(layer);
  const strayField = Object.keys(layer).find((field) => !BASE_FIELDS.includes(field) && !kind.fields.includes(field));
  if (strayField !== undefined) {
    throw specError(layer, `unknown field '${strayField}'; known: ${[...BASE_FIELDS, ...kind.fields].join(', ')}`);
  }
  kind.check(layer);
  const slots = kind.tensors(layer);
  for (const slot of slots) {
    const { key, shape, optional, quantizable } = slot;
    const tensor = weights[key];
    if (tensor === undefined && optional) continue;
    if (quantizable && rules.checkIntegers && isRecord(tensor)) {
      rules.checkIntegers(layer, slot, tensor);
      continue;
    }
    const expected = shape.reduce((n, d) => n * d, 1);
    if (!isFloats(tensor)) {
      const got = tensor === undefined ? 'nothing' : describe(tensor);
      throw specError(layer, `weights['${key}'] must be a Float32Array of shape (${shape.join(', ')}), got ${got}`);
    }
    const length = sizeOf(tensor);
    if (length !== expected) {
      throw specError(
        layer,
        `weights['${key}'] must have ${expected} values for the shape (${shape.join(', ')}), got ${length}`,
      );
    }
  }
  const stray = Object.keys(weights).find((key) => weights[key] !== undefined && !slots.some((s) => s.key === key));
  if (stray !== undefined) {
    throw specError(layer, `weights['${stray}'] has no place here; expected: ${slots.map((s) => s.key).join(', ')}`);
  }
}
