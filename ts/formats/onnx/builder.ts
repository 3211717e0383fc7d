import { numbersOf } from '../../base/weights.ts';
import { resolveActivation } from '../../layers/activations.ts';
import { layerKind } from '../../layers/index.ts';
import { directions, STATE_PORTS } from '../../layers/recurrent.ts';
import type {
  Activation,
  Conv1dSpec,
  DenseSpec,
  GruSpec,
  LayerSpec,
  LstmSpec,
  MergeSpec,
  NormSpec,
  ReduceFeaturesSpec,
  RnnSpec,
  RowActivation,
  ValueRef,
} from '../../spec/spec.ts';
import { SpecIds } from './spec-ids.ts';
import { StepLayers } from './step-layers.ts';
import { feature, width, type Rows, type Segment } from './value.ts';

/** Collects the layers of the spec. */
export class SpecBuilder extends SpecIds {
  readonly steps = new StepLayers(this);
  readonly #dense = new Map<ValueRef, DenseSpec | Conv1dSpec>();

  /** The same axes with other columns. */
  #result(rows: Rows, layer: LayerSpec, exclusive = false): Rows {
    return { ...rows, columns: this.add(layer, { kind: rows.kind, size: width(rows) }), exclusive };
  }

  /** @param axes those of the result */
  dense(
    rows: Rows,
    name: string,
    spec: Pick<DenseSpec, 'inputSize' | 'outputSize' | 'weights'>,
    axes: Rows['axes'],
  ): Rows {
    const order = this.#orderOf(rows, spec.inputSize);
    const layer: DenseSpec = {
      type: 'dense',
      name: this.name(name),
      inputs: order ? [rows.columns[0]!.ref] : this.inputOf(rows),
      ...spec,
      weights: order
        ? { ...spec.weights, kernel: this.#reordered(numbersOf(spec.weights.kernel), order) }
        : spec.weights,
    };
    this.#dense.set(layer.name, layer);
    return this.#result({ ...rows, axes }, layer, true);
  }

  /** Of columns that are all of one value in another order: which each is. */
  #orderOf({ columns }: Rows, size: number): number[] | undefined {
    const [first] = columns;
    const isAll = first && columns.length > 1 && this.size(first.ref) === size;
    if (!isAll || !columns.every(({ ref }) => ref === first.ref)) return undefined;
    const order = columns.flatMap(({ start, length }) => Array.from({ length }, (_, i) => start + i));
    return new Set(order).size === size ? order : undefined;
  }

  /** The kernel of a value whose columns were taken in this order: no layer has to put them so. */
  #reordered(kernel: Float32Array, order: readonly number[]): Float32Array {
    this.budget.spend(4 * kernel.length);
    const made = new Float32Array(kernel.length);
    const size = order.length;
    for (let row = 0; row < kernel.length; row += size) order.forEach((to, i) => (made[row + to] = kernel[row + i]!));
    return made;
  }

  /** @param axes those of the result, but for its steps */
  conv1d(rows: Rows, name: string, spec: Omit<Conv1dSpec, 'type' | 'name' | 'inputs'>, axes: Rows['axes']): Rows {
    const layer: Conv1dSpec = { type: 'conv1d', name: this.name(name), inputs: this.inputOf(rows), ...spec };
    this.#dense.set(layer.name, layer);
    return this.#result({ ...rows, axes: this.steps.axes(axes, layer) }, layer, true);
  }

  /** Takes the last steps of a convolution away that zeros behind its input gave; undefined where these rows are no such thing. */
  trimConv(rows: Rows, steps: number): Rows | undefined {
    const layer = this.#foldable(rows);
    if (layer?.type !== 'conv1d' || (layer.stride ?? 1) !== 1 || typeof layer.padding === 'string') return undefined;
    const [left = 0, right = 0] = layer.padding ?? [];
    if (right < steps) return undefined;
    layer.padding = [left, right - steps];
    return { ...rows, axes: this.steps.changed(rows.axes, layer.name, { mul: 1, add: -steps, div: 1 }) };
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
    const inputs = this.inputOf(rows);
    return this.#result(rows, { type: 'activation', name: this.name(name), inputs, activation });
  }

  /** sin x, or cos x. */
  sine(rows: Rows, name: string, cosine: boolean): Rows {
    const inputs = this.inputOf(rows);
    return this.#result(rows, { type: 'sine', name: this.name(name), inputs, ...(cosine ? { cosine } : {}) });
  }

  /** scale x + shift, one of each a column, or a number for all. */
  affine(rows: Rows, name: string, factors: Float32Array | number | undefined, terms?: Float32Array | number): Rows {
    const size = width(rows);
    this.budget.spend(8 * size);
    const [scale, shift] = [factors, terms].map((given) =>
      typeof given === 'number' ? new Float32Array(size).fill(given) : given,
    );
    const layer = this.#foldable(rows);
    if (layer) {
      const { bias } = layer.weights;
      const kernel = numbersOf(layer.weights.kernel);
      this.budget.spend(4 * (kernel.length + size));
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
      const result = this.activation(rows, name, { name: 'affine', alpha, beta });
      const pair = this.pairOf(rows);
      if (pair) this.#pairs.set(result.columns[0]!.ref, { ...pair, zero: alpha * pair.zero + beta, one: alpha * pair.one + beta }); // prettier-ignore
      return result;
    }
    const weights = { ...(scale ? { scale } : {}), ...(shift ? { shift } : {}) };
    const inputs = this.inputOf(rows);
    return this.#result(rows, { type: 'scale', name: this.name(name), inputs, inputSize: size, weights });
  }

  /** Values that are one of two numbers, by a mask: what they are where it is 0, and where it is 1. */
  readonly #pairs = new Map<ValueRef, Pair>();

  pairOf({ columns }: Rows): Pair | undefined {
    const [only, ...others] = columns;
    if (!only || others.length > 0) return undefined;
    const is = this.whole.get(only.ref);
    return this.#pairs.get(only.ref) ?? (is === 'mask' || is === 'choice' ? { columns, zero: 0, one: 1 } : undefined);
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
    this.budget.spend(8 * size);
    if (spec.overTime) this.steps.readsAhead = true;
    const inputs = this.inputOf(rows);
    const weights = { ...(scale ? { scale } : {}), ...(shift ? { shift } : {}) };
    return this.#result(rows, { type: 'norm', name: this.name(name), inputs, inputSize: size, ...spec, weights });
  }

  /** Two values element by element; a vector counts for each step, a row of one number for all features. */
  merge([x, y]: readonly [Rows, Rows], name: string, merge: MergeSpec['merge']): Rows {
    const inputs = [x, y].flatMap((rows) => this.inputOf(rows));
    const kind = x.kind === 'sequence' ? x.kind : y.kind;
    const size = Math.max(width(x), width(y));
    const columns = this.add({ type: 'merge', name: this.name(name), inputs, merge }, { kind, size });
    // a sum of n inputs of the graph would keep n lists of up to n
    this.budget.spend(8 * (x.inputs.length + y.inputs.length));
    return { ...x, kind, columns, inputs: [...new Set([...x.inputs, ...y.inputs])], exclusive: false };
  }

  /** A value and a constant, which has one number a column. */
  mergeConstant(rows: Rows, name: string, merge: MergeSpec['merge'], values: Float32Array, isFirst: boolean): Rows {
    const layer: MergeSpec = {
      type: 'merge',
      name: this.name(name),
      inputs: this.inputOf(rows),
      merge,
      constantSize: values.length,
      ...(isFirst ? { constantFirst: true } : {}),
      weights: { constant: values },
    };
    return { ...rows, columns: this.add(layer, { kind: rows.kind, size: values.length }), exclusive: false };
  }

  /** One number of each row; the axes are the caller's. */
  reduceFeatures(rows: Rows, name: string, reduce: ReduceFeaturesSpec['reduce']): Rows {
    return this.single(rows, {
      type: 'reduceFeatures',
      name: this.name(name),
      inputs: this.inputOf(rows),
      reduce,
    });
  }

  /** Computed ids as numbers, by rows that hold a one times 0, 1, 2, ...; undefined where they are an input's. */
  numbersOf(ids: Rows, name: string): Rows | undefined {
    const size = this.idCount(ids.columns[0]?.ref ?? '');
    if (size === undefined || ids.columns.length !== 1) return undefined;
    const hot = this.oneHot({ ...ids, axes: [...ids.axes, [feature(size)]] }, `${name}_one_hot`, size);
    this.budget.spend(4 * size);
    const kernel = Float32Array.from({ length: size }, (_, i) => i);
    return this.dense(hot, name, { inputSize: size, outputSize: 1, weights: { kernel } }, ids.axes);
  }

  /** A vector that is the same for each sequence: what is read is multiplied by zeros. */
  constantVector(from: Rows, name: string, values: Float32Array): ValueRef {
    const inputs = from.kind === 'sequence' ? this.steps.step(from, 0) : from.columns;
    const inputSize = width(from);
    this.budget.spend(4 * inputSize * values.length);
    const kernel = new Float32Array(inputSize * values.length);
    const layer: DenseSpec = {
      type: 'dense',
      name: this.name(name),
      inputs: [this.ref(inputs, 'vector')],
      inputSize,
      outputSize: values.length,
      weights: { kernel, bias: values },
    };
    this.add(layer, { kind: 'vector', size: values.length });
    return layer.name;
  }

  /** Columns of all hidden states and, of each slot, of the final states of the directions. */
  recurrent(layer: RecurrentSpec): { sequence: Segment[]; states: Segment[][] } {
    const { hiddenSize } = layer;
    const size = directions(layer).length * hiddenSize;
    const sequence = this.add(layer, { kind: 'sequence', size });
    const states = new Map<string, Segment[]>();
    for (const { slot, direction } of layerKind(layer.type)!.slots!(layer, [])) {
      if (slot === 'past') continue;
      const port = this.value(`${layer.name}:${direction}${STATE_PORTS[slot]}`, {
        kind: 'vector',
        size: hiddenSize,
      });
      states.set(slot, [...(states.get(slot) ?? []), ...port]);
    }
    return { sequence, states: [...states.values()] };
  }

  /** Whether values are numbers for all numbers of the inputs, and no infinite ones: sums, products and bounded functions of them. */
  areFinite(values: readonly Rows[]): boolean {
    const layers = new Map(this.layers.map((layer) => [layer.name, layer]));
    const seen = new Set<string>();
    const pending = values.flatMap(({ columns }) => columns.map(({ ref }) => ref));
    for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
      const name = next.split(':')[0]!;
      const layer = layers.get(name);
      if (!layer || isRecurrent(layer) || seen.has(name)) continue;
      seen.add(name);
      const activation = 'activation' in layer ? layer.activation : undefined;
      const f = typeof activation === 'object' ? activation.name : activation;
      if (!givesNumbers(layer) || (f !== undefined && !FINITE.includes(f))) return false;
      for (const ref of layer.inputs ?? []) pending.push(ref);
    }
    return true;
  }
}

/** Whether a layer gives numbers for all numbers, with such a function behind it. */
function givesNumbers(layer: LayerSpec): boolean {
  if (layer.type === 'merge') return !['div', 'pow', 'prelu'].includes(layer.merge);
  if (layer.type === 'norm') return layer.epsilon > 0;
  return ALL_FINITE.includes(layer.type);
}

/** Kinds of layers that do so, however they are set. */
const ALL_FINITE: readonly string[] = [
  'dense',
  'scale',
  'activation',
  'sine',
  'slice',
  'embedding',
  'conv1d',
  'pool',
  'pad',
  'step',
  'repeat',
  'reverse',
  'flatten',
  'unflatten',
  'upsample',
  'timeSoftmax',
  'attention',
  'weightedSum',
];

/** Functions that make numbers of all numbers: of those that are left out some end somewhere (log, sqrt), others grow too fast (exp, square). */
const FINITE: readonly string[] = [
  ...['linear', 'affine', 'clip', 'abs', 'sign', 'round', 'floor', 'ceil', 'relu', 'leaky_relu', 'thresholded_relu'],
  ...['sigmoid', 'hard_sigmoid', 'log_sigmoid', 'tanh', 'scaled_tanh', 'tanh_shrink', 'shrink', 'erf', 'softsign'],
  ...['softplus', 'squareplus', 'sparse_plus', 'elu', 'selu', 'celu', 'gelu', 'gelu_tanh', 'swish', 'hard_swish'],
  ...['mish', 'softmax', 'log_softmax'],
];

interface Pair {
  columns: Segment[];
  zero: number;
  one: number;
}

/** A layer with states. */
export type RecurrentSpec = GruSpec | LstmSpec | RnnSpec;

export function isRecurrent(layer: LayerSpec): layer is RecurrentSpec {
  return 'hiddenSize' in layer;
}

/** Whether two activations are the same function. */
export function sameActivation(x: Activation, y: Activation): boolean {
  return JSON.stringify(resolveActivation(x)) === JSON.stringify(resolveActivation(y));
}
