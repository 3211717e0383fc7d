import { GruError } from '../../base/errors.ts';
import { resolveActivation } from '../../layers/activations.ts';
import { layerKind } from '../../layers/index.ts';
import type { RecurrentSlot } from '../../layers/kind.ts';
import { directions, STATE_PORTS } from '../../layers/recurrent.ts';
import type {
  Activation,
  Conv1dSpec,
  DenseSpec,
  GruSpec,
  InputSpec,
  LayerSpec,
  LstmSpec,
  MergeSpec,
  NormSpec,
  ReduceFeaturesSpec,
  ReduceSpec,
  RnnSpec,
  RowActivation,
  ValueKind,
  ValueRef,
} from '../../spec/spec.ts';
import type { Budget } from './limits.ts';
import { feature, width, type Rows, type Segment } from './value.ts';

/** Shape of a value of the spec. */
interface Known {
  kind: ValueKind;
  size: number;
}

/** Collects the layers of the spec, under names of their own. */
export class SpecBuilder {
  readonly inputs: InputSpec[] = [];
  readonly layers: LayerSpec[] = [];
  readonly #names = new Set<string>();
  /** The number to try next, by name: without it, n layers of one name take n^2 / 2 looks. */
  readonly #next = new Map<string, number>();
  readonly #values = new Map<ValueRef, Known>();
  readonly #made = new Map<string, ValueRef>();
  /** Ids that layers compute: how many there are. */
  readonly #ids = new Map<ValueRef, number>();
  readonly #dense = new Map<ValueRef, DenseSpec | Conv1dSpec>();
  readonly #budget: Budget;

  constructor(budget: Budget) {
    this.#budget = budget;
  }

  /** A name that nothing else has, without the colon that references use. */
  name(wanted: string): string {
    const base = wanted.replace(/:0$/, '').replaceAll(':', '_') || 'layer';
    let name = base;
    let i = this.#next.get(base) ?? 1;
    while (this.#names.has(name)) name = `${base}_${i++}`;
    this.#next.set(base, i);
    this.#names.add(name);
    return name;
  }

  addInput(input: InputSpec): Segment[] {
    this.inputs.push(input);
    return this.#value(input.name, { kind: input.kind ?? 'sequence', size: input.size });
  }

  #value(ref: ValueRef, known: Known): Segment[] {
    this.#values.set(ref, known);
    return [{ ref, start: 0, length: known.size }];
  }

  #add(layer: LayerSpec, known: Known): ValueRef {
    this.layers.push(layer);
    this.#value(layer.name, known);
    return layer.name;
  }

  /** One value that holds just these columns: the value itself, a slice of it, or several side by side. */
  ref(columns: readonly Segment[], kind: ValueKind): ValueRef {
    const parts = columns.map((segment) => this.#slice(segment));
    const [first] = parts;
    if (first === undefined) throw new GruError('unsupported', 'a tensor of the graph has no values');
    if (parts.length === 1) return first;
    const key = JSON.stringify(parts);
    const size = columns.reduce((n, { length }) => n + length, 0);
    const merge = () =>
      this.#add({ type: 'merge', name: this.name('concat'), inputs: parts, merge: 'concat' }, { kind, size });
    return this.#once(`concat ${key}`, merge);
  }

  #slice({ ref, start, length }: Segment): ValueRef {
    const known = this.#values.get(ref)!;
    if (start === 0 && length === known.size) return ref;
    const layer = () =>
      this.#add(
        { type: 'slice', name: this.name(`${ref.split(':')[0] ?? ''}_slice`), inputs: [ref], start, size: length },
        { kind: known.kind, size: length },
      );
    return this.#once(`slice ${start} ${length} ${ref}`, layer);
  }

  #once(key: string, make: () => ValueRef): ValueRef {
    this.#budget.spend(key.length);
    const made = this.#made.get(key) ?? make();
    this.#made.set(key, made);
    return made;
  }

  /** The same axes with other columns. */
  #result(rows: Rows, ref: ValueRef, exclusive = false): Rows {
    return { ...rows, columns: [{ ref, start: 0, length: width(rows) }], exclusive };
  }

  /** @param axes those of the result */
  dense(
    rows: Rows,
    name: string,
    spec: Pick<DenseSpec, 'inputSize' | 'outputSize' | 'weights'>,
    axes: Rows['axes'],
  ): Rows {
    const layer: DenseSpec = {
      type: 'dense',
      name: this.name(name),
      inputs: [this.ref(rows.columns, rows.kind)],
      ...spec,
    };
    const ref = this.#add(layer, { kind: rows.kind, size: spec.outputSize });
    this.#dense.set(ref, layer);
    return this.#result({ ...rows, axes }, ref, true);
  }

  /** @param axes those of the result */
  conv1d(rows: Rows, name: string, spec: Omit<Conv1dSpec, 'type' | 'name' | 'inputs'>, axes: Rows['axes']): Rows {
    const inputs = [this.ref(rows.columns, rows.kind)];
    const layer: Conv1dSpec = { type: 'conv1d', name: this.name(name), inputs, ...spec };
    const ref = this.#add(layer, { kind: 'sequence', size: spec.outputSize });
    this.#dense.set(ref, layer);
    return this.#result({ ...rows, axes }, ref, true);
  }

  /** Takes the last steps of a convolution away that zeros behind its input gave; false where these rows are no such thing. */
  trimConv(rows: Rows, steps: number): boolean {
    const layer = this.#foldable(rows);
    if (layer?.type !== 'conv1d' || (layer.stride ?? 1) !== 1 || typeof layer.padding === 'string') return false;
    const [left = 0, right = 0] = layer.padding ?? [];
    if (right < steps) return false;
    layer.padding = [left, right - steps];
    return true;
  }

  /** The dense layer or convolution that made these rows, if nobody else reads them. */
  #foldable(rows: Rows): DenseSpec | Conv1dSpec | undefined {
    const [only, ...others] = rows.columns;
    if (!rows.exclusive || !only || others.length > 0 || only.start !== 0) return undefined;
    const layer = this.#dense.get(only.ref);
    return layer?.outputSize === only.length && layer.activation === undefined ? layer : undefined;
  }

  activation(rows: Rows, name: string, activation: RowActivation): Rows {
    const layer = this.#foldable(rows);
    if (layer) {
      layer.activation = activation;
      return { ...rows, exclusive: false };
    }
    const inputs = [this.ref(rows.columns, rows.kind)];
    const known = { kind: rows.kind, size: width(rows) };
    return this.#result(rows, this.#add({ type: 'activation', name: this.name(name), inputs, activation }, known));
  }

  /** scale x + shift, one of each a column. */
  affine(rows: Rows, name: string, scale: Float32Array | undefined, shift: Float32Array | undefined): Rows {
    const size = width(rows);
    this.#budget.spend(8 * size);
    const layer = this.#foldable(rows);
    if (layer) {
      const { kernel, bias } = layer.weights;
      this.#budget.spend(4 * (kernel.length + size));
      const columns = kernel.length / size;
      layer.weights = {
        kernel: scale ? kernel.map((w, i) => w * scale[Math.floor(i / columns)]!) : kernel,
        bias: new Float32Array(size).map((_, i) => (bias?.[i] ?? 0) * (scale?.[i] ?? 1) + (shift?.[i] ?? 0)),
      };
      return rows;
    }
    const uniform = (values: Float32Array | undefined) => values?.every((v) => v === values[0]) ?? true;
    if (uniform(scale) && uniform(shift)) {
      const [alpha, beta] = [scale?.[0] ?? 1, shift?.[0] ?? 0];
      if (alpha === 1 && beta === 0) return rows;
      return this.activation(rows, name, { name: 'affine', alpha, beta });
    }
    const inputs = [this.ref(rows.columns, rows.kind)];
    const weights = { ...(scale ? { scale } : {}), ...(shift ? { shift } : {}) };
    const known = { kind: rows.kind, size };
    return this.#result(
      rows,
      this.#add({ type: 'scale', name: this.name(name), inputs, inputSize: size, weights }, known),
    );
  }

  /** Rows, their groups or all steps of them normalized; then scale x + shift. */
  norm(
    rows: Rows,
    name: string,
    spec: Pick<NormSpec, 'norm' | 'epsilon' | 'groups' | 'overTime'>,
    scale?: Float32Array,
    shift?: Float32Array,
  ): Rows {
    const size = width(rows);
    this.#budget.spend(8 * size);
    const inputs = [this.ref(rows.columns, rows.kind)];
    const weights = { ...(scale ? { scale } : {}), ...(shift ? { shift } : {}) };
    const layer: NormSpec = { type: 'norm', name: this.name(name), inputs, inputSize: size, ...spec, weights };
    return this.#result(rows, this.#add(layer, { kind: rows.kind, size }));
  }

  /** Two values element by element; a vector counts for each step, a row of one number for all features. */
  merge([x, y]: readonly [Rows, Rows], name: string, merge: MergeSpec['merge']): Rows {
    const inputs = [x, y].map(({ columns, kind }) => this.ref(columns, kind));
    const kind = x.kind === 'sequence' ? x.kind : y.kind;
    const size = Math.max(width(x), width(y));
    const ref = this.#add({ type: 'merge', name: this.name(name), inputs, merge }, { kind, size });
    // a sum of n inputs of the graph would keep n lists of up to n
    this.#budget.spend(8 * (x.inputs.length + y.inputs.length));
    const columns = [{ ref, start: 0, length: size }];
    return { ...x, kind, columns, inputs: [...new Set([...x.inputs, ...y.inputs])], exclusive: false };
  }

  /** A value and a constant, which has one number a column. */
  mergeConstant(rows: Rows, name: string, merge: MergeSpec['merge'], values: Float32Array, isFirst: boolean): Rows {
    const layer: MergeSpec = {
      type: 'merge',
      name: this.name(name),
      inputs: [this.ref(rows.columns, rows.kind)],
      merge,
      constantSize: values.length,
      ...(isFirst ? { constantFirst: true } : {}),
      weights: { constant: values },
    };
    const ref = this.#add(layer, { kind: rows.kind, size: values.length });
    return { ...rows, columns: [{ ref, start: 0, length: values.length }], exclusive: false };
  }

  /** One number of each row; the axes are the caller's. */
  reduceFeatures(rows: Rows, name: string, reduce: ReduceFeaturesSpec['reduce']): Rows {
    return this.#single(rows, {
      type: 'reduceFeatures',
      name: this.name(name),
      inputs: [this.ref(rows.columns, rows.kind)],
      reduce,
    });
  }

  argmax(rows: Rows, name: string, last: boolean): Rows {
    const inputs = [this.ref(rows.columns, rows.kind)];
    const layer: LayerSpec = { type: 'argmax', name: this.name(name), inputs, ...(last ? { last } : {}) };
    const ids = this.#single(rows, layer);
    this.#ids.set(layer.name, width(rows));
    return { ...ids, dtype: 'int32' };
  }

  /** Computed ids as numbers, by rows that hold a one times 0, 1, 2, ...; undefined where they are an input's. */
  numbersOf(ids: Rows, name: string): Rows | undefined {
    const size = this.#ids.get(ids.columns[0]?.ref ?? '');
    if (size === undefined || ids.columns.length !== 1) return undefined;
    const hot = this.oneHot({ ...ids, axes: [...ids.axes, [feature(size)]] }, `${name}_one_hot`, size);
    this.#budget.spend(4 * size);
    const kernel = Float32Array.from({ length: size }, (_, i) => i);
    return this.dense(hot, name, { inputSize: size, outputSize: 1, weights: { kernel } }, ids.axes);
  }

  #single(rows: Rows, layer: LayerSpec): Rows {
    const ref = this.#add(layer, { kind: rows.kind, size: 1 });
    return { ...rows, columns: [{ ref, start: 0, length: 1 }], exclusive: false };
  }

  /** @param ids with the axes of the result */
  oneHot(ids: Rows, name: string, size: number): Rows {
    const layer: LayerSpec = {
      type: 'oneHot',
      name: this.name(name),
      inputs: [this.ref(ids.columns, ids.kind)],
      size,
    };
    const ref = this.#add(layer, { kind: ids.kind, size });
    return { ...ids, dtype: 'float32', columns: [{ ref, start: 0, length: size }], exclusive: false };
  }

  /** Softmax over the steps. */
  timeSoftmax(rows: Rows, name: string): Rows {
    const inputs = [this.ref(rows.columns, rows.kind)];
    const known = { kind: rows.kind, size: width(rows) };
    return this.#result(rows, this.#add({ type: 'timeSoftmax', name: this.name(name), inputs }, known));
  }

  /** Sums over the steps of the second, of rows times each weight of the first. */
  weightedSum(weights: Rows, values: Rows, name: string): Segment[] {
    const inputs = [weights, values].map(({ columns, kind }) => this.ref(columns, kind));
    const known = { kind: 'vector', size: width(weights) * width(values) } as const;
    return [
      { ref: this.#add({ type: 'weightedSum', name: this.name(name), inputs }, known), start: 0, length: known.size },
    ];
  }

  /** Attention of queries (steps, or one a sequence) to keys and values. */
  attention(query: Rows, key: Rows, value: Rows, name: string, options: { heads: number; scale: number }): Segment[] {
    const inputs = [query, key, value].map(({ columns, kind }) => this.ref(columns, kind));
    const inputSize = width(query);
    const known = { kind: query.kind, size: width(value) };
    const ref = this.#add({ type: 'attention', name: this.name(name), inputs, inputSize, ...options }, known);
    return [{ ref, start: 0, length: known.size }];
  }

  embedding(rows: Rows, name: string, table: Float32Array, vocabularySize: number, outputSize: number): Segment[] {
    const layer: LayerSpec = {
      type: 'embedding',
      name: this.name(name),
      inputs: [this.ref(rows.columns, rows.kind)],
      vocabularySize,
      outputSize,
      weights: { embeddings: table },
    };
    return [{ ref: this.#add(layer, { kind: rows.kind, size: outputSize }), start: 0, length: outputSize }];
  }

  /** All steps as one vector. */
  reduce(rows: Rows, name: string, reduce: ReduceSpec['reduce']): Segment[] {
    const inputs = [this.ref(rows.columns, 'sequence')];
    const known = { kind: 'vector', size: width(rows) } as const;
    const ref = this.#add({ type: 'reduce', name: this.name(name), inputs, reduce }, known);
    return [{ ref, start: 0, length: known.size }];
  }

  /** So many steps side by side. */
  flatten(rows: Rows, steps: number): Segment[] {
    const from = this.ref(rows.columns, 'sequence');
    const known = { kind: 'vector', size: steps * width(rows) } as const;
    const name = `${from.split(':')[0] ?? ''}_flat`;
    const make = () => this.#add({ type: 'flatten', name: this.name(name), inputs: [from], steps }, known);
    return [{ ref: this.#once(`flatten ${steps} ${from}`, make), start: 0, length: known.size }];
  }

  /** A vector at each step of another value. */
  repeat(rows: Rows, like: ValueRef): Segment[] {
    const from = this.ref(rows.columns, 'vector');
    const known = { kind: 'sequence', size: width(rows) } as const;
    const name = `${from.split(':')[0] ?? ''}_repeated`;
    const make = () => this.#add({ type: 'repeat', name: this.name(name), inputs: [from], like }, known);
    return [{ ref: this.#once(`repeat ${like} ${from}`, make), start: 0, length: known.size }];
  }

  /** The first (0) or last (-1) step. */
  step(rows: Rows, index: 0 | -1): Segment[] {
    const from = this.ref(rows.columns, 'sequence');
    const known = { kind: 'vector', size: width(rows) } as const;
    const name = `${from.split(':')[0] ?? ''}_${index === 0 ? 'first' : 'last'}`;
    const make = () => this.#add({ type: 'step', name: this.name(name), inputs: [from], index }, known);
    return [{ ref: this.#once(`step ${index} ${from}`, make), start: 0, length: known.size }];
  }

  /** A vector that is the same for each sequence: what is read is multiplied by zeros. */
  constantVector(from: Rows, name: string, values: Float32Array): ValueRef {
    const inputs = from.kind === 'sequence' ? this.step(from, 0) : from.columns;
    const inputSize = width(from);
    this.#budget.spend(4 * inputSize * values.length);
    const kernel = new Float32Array(inputSize * values.length);
    const layer: DenseSpec = {
      type: 'dense',
      name: this.name(name),
      inputs: [this.ref(inputs, 'vector')],
      inputSize,
      outputSize: values.length,
      weights: { kernel, bias: values },
    };
    return this.#add(layer, { kind: 'vector', size: values.length });
  }

  /** Columns of all hidden states and, of each slot, of the final states of the directions. */
  recurrent(layer: RecurrentSpec): { sequence: Segment[]; states: Segment[][] } {
    const { hiddenSize } = layer;
    const size = directions(layer).length * hiddenSize;
    const ref = this.#add(layer, { kind: 'sequence', size });
    const states = new Map<string, Segment[]>();
    for (const { slot, direction } of layerKind(layer.type)!.slots!(layer)) {
      const port = this.#value(`${layer.name}:${direction}${STATE_PORTS[slot as RecurrentSlot]}`, {
        kind: 'vector',
        size: hiddenSize,
      });
      states.set(slot, [...(states.get(slot) ?? []), ...port]);
    }
    return { sequence: [{ ref, start: 0, length: size }], states: [...states.values()] };
  }

  /**
   * Leaves steps in the order of processing: those of reverse recurrent layers, from which this value is computed step by step.
   * False if it is computed from something else too, or others read a part of it.
   */
  reverseOutput(ref: ValueRef): boolean {
    const layers = new Map(this.layers.map((layer) => [layer.name, layer]));
    const part = new Set<LayerSpec>();
    const pending = [ref];
    for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
      const layer = layers.get(next);
      if (!layer) return false;
      if (part.has(layer)) continue;
      part.add(layer);
      if (isRecurrent(layer)) {
        if (layer.direction !== 'reverse' || layer.reversedOutput) return false;
      } else if (STEPWISE.includes(layer.type) && !('steps' in layer)) {
        pending.push(...(layer.inputs ?? []));
      } else {
        return false;
      }
    }
    const names = new Set([...part].map((layer) => layer.name));
    const others = this.layers.filter((layer) => !part.has(layer) || isRecurrent(layer));
    if (others.some((layer) => layer.inputs?.some((input) => names.has(input)))) return false;
    for (const layer of part) if (isRecurrent(layer)) layer.reversedOutput = true;
    return true;
  }
}

/** Layers of which a step depends on the same step alone. */
const STEPWISE: readonly string[] = ['dense', 'scale', 'activation', 'merge', 'slice'];

/** A layer with states. */
export type RecurrentSpec = GruSpec | LstmSpec | RnnSpec;

export function isRecurrent(layer: LayerSpec): layer is RecurrentSpec {
  return layerKind(layer.type)?.slots !== undefined;
}

/** Whether two activations are the same function. */
export function sameActivation(x: Activation, y: Activation): boolean {
  return JSON.stringify(resolveActivation(x)) === JSON.stringify(resolveActivation(y));
}
