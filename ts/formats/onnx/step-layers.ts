import { layerKind } from '../../layers/index.ts';
import type { AxisRule } from '../../layers/kind.ts';
import type {
  ActivationSpec,
  AttentionSpec,
  Conv1dSpec,
  LayerSpec,
  PadSpec,
  PoolSpec,
  ReduceFeaturesSpec,
  ReduceSpec,
  ValueRef,
} from '../../spec/spec.ts';
import { stepCounter } from '../step-counter.ts';
import { sizeText, stepsBy, TIME, type Size } from './size.ts';
import type { SpecIds } from './spec-ids.ts';
import { factorSize, width, type Factor, type Rows, type Segment } from './value.ts';

/** Layers that read several steps, or make other ones. */
export class StepLayers {
  readonly #spec: SpecIds;
  /** By what its steps are: a value on an axis that a layer made. */
  readonly #onSteps = new Map<string, ValueRef>();
  /** By such a value: what its steps are. */
  readonly #stepsOf = new Map<ValueRef, string>();

  /**
   * Whether something takes a step of a sequence together with later ones, or its last, or goes through it backwards: a runtime takes
   * steps past a sequence's length for steps there too.
   */
  readsAhead = false;

  constructor(spec: SpecIds) {
    this.#spec = spec;
  }

  /** These rows at the steps that a layer makes of them. */
  #made(rows: Rows, layer: LayerSpec): Rows {
    this.readsAhead = true;
    const columns = this.#spec.add(layer, { kind: 'sequence', size: width(rows) });
    return { ...rows, axes: this.axes(rows.axes, layer), columns, exclusive: false };
  }

  /** The axes of what a layer gives whose input has these. */
  axes(axes: Rows['axes'], layer: LayerSpec): Rows['axes'] {
    const rule = layerKind(layer.type)?.axis?.(layer);
    return rule ? this.changed(axes, layer.name, rule) : axes;
  }

  /** Axes with the steps that a layer makes of theirs; what it made before, it makes no more. */
  changed(axes: Rows['axes'], layer: string, rule: AxisRule): Rows['axes'] {
    const before = this.#stepsOf.get(layer) ?? '';
    if (this.#onSteps.get(before) === layer) this.#onSteps.delete(before);
    const change = (factor: Factor): Factor => {
      if (factor.role !== 'time') return factor;
      const steps = stepsBy(rule, factorSize(factor));
      this.#onSteps.set(sizeText(steps), layer);
      this.#stepsOf.set(layer, sizeText(steps));
      return { ...factor, size: undefined, steps };
    };
    return axes.map((axis) => axis.map(change));
  }

  pool(rows: Rows, name: string, spec: Omit<PoolSpec, 'type' | 'name' | 'inputs'>): Rows {
    return this.#made(rows, { type: 'pool', name: this.#spec.name(name), inputs: this.#spec.inputOf(rows), ...spec });
  }

  pad(rows: Rows, name: string, spec: Padding): Rows {
    const shifted = this.#shifted(rows, name, spec) ?? this.#padded(rows, name, spec);
    if (shifted) return shifted;
    const layer: PadSpec = { type: 'pad', name: this.#spec.name(name), inputs: this.#spec.inputOf(rows), ...spec };
    this.#cropped.set(layer.name, { rows, layer });
    return this.#made(rows, layer);
  }

  /** Layers that pad, and what they read. */
  readonly #cropped = new Map<ValueRef, Cropped>();

  /**
   * As many steps put on one side as were taken from the other are one layer, and the steps are those from before: what a value
   * is beside itself a step earlier.
   */
  #shifted(rows: Rows, name: string, spec: Padding): Rows | undefined {
    const [only, ...others] = rows.columns;
    const made = others.length === 0 && only ? this.#cropped.get(only.ref) : undefined;
    if (!made || width(made.rows) !== width(rows) || spec.mode === 'reflect') return undefined;
    const { before = 0, after = 0 } = made.layer;
    const [first, last] = [spec.before ?? 0, spec.after ?? 0];
    const isShift = before + last === 0 && after + first === 0 && before + after < 0 && (before === 0 || after === 0);
    if (!isShift) return undefined;
    const both = { ...spec, before: before + first, after: after + last };
    const inputs = this.#spec.inputOf(made.rows);
    return this.#made(
      { ...rows, axes: withTimeOf(rows, made.rows) },
      { type: 'pad', name: this.#spec.name(name), inputs, ...both },
    );
  }

  /** The value whose steps these are less those before them, from the second on; undefined for what is no such difference. */
  #differenceOf({ columns: [only, ...others] }: Rows): { of: Rows; isMinus: boolean } | undefined {
    const layer = others.length === 0 && only ? this.#spec.layers.find(({ name }) => name === only.ref) : undefined;
    if (layer?.type !== 'merge' || layer.merge !== 'sub') return undefined;
    const [x, y]: (Cropped | undefined)[] = layer.inputs.map((ref) => this.#cropped.get(ref));
    const isCut = ({ layer: { before = 0, after = 0 } }: Cropped, first: number) => before === first && after === -1 - first; // prettier-ignore
    if (!x || !y || this.#spec.inputOf(x.rows)[0] !== this.#spec.inputOf(y.rows)[0]) return undefined;
    const isMinus = isCut(x, 0) && isCut(y, -1);
    return isMinus || (isCut(x, -1) && isCut(y, 0)) ? { of: x.rows, isMinus } : undefined;
  }

  /** A value less itself a step away, of which the steps are those of the value. */
  #lessShifted(rows: Rows, name: string, of: Rows, isMinus: boolean, shift: Padding): Rows {
    const [from] = this.#spec.inputOf(of);
    const moved: PadSpec = { type: 'pad', name: this.#spec.name(`${name}_moved`), inputs: [from], ...shift };
    this.#spec.add(moved, { kind: 'sequence', size: width(of) });
    const inputs = isMinus ? [moved.name, from] : [from, moved.name];
    const merge: LayerSpec = { type: 'merge', name: this.#spec.name(name), inputs, merge: 'sub' };
    const columns = this.#spec.add(merge, { kind: 'sequence', size: width(of) });
    return { ...rows, axes: withTimeOf(rows, of), columns, exclusive: false };
  }

  /** Zeros beside the differences of steps, where they have none: the nearest step less itself. */
  #padded(rows: Rows, name: string, spec: Padding): Rows | undefined {
    const { before = 0, after = 0, mode = 'constant', value = 0 } = spec;
    const made = before + after === 1 && before * after === 0 ? this.#differenceOf(rows) : undefined;
    if (!made || mode !== 'constant' || value !== 0) return undefined;
    const shift = { before: before - after, after: after - before, mode: 'edge' } as const;
    return this.#lessShifted(rows, name, made.of, made.isMinus !== (after === 1), shift);
  }

  /**
   * The first step of a value before the steps of that value, of all of them but the last, or of their differences, or the first difference
   * before all of them; undefined for any other two.
   */
  afterFirst({ columns: [only] }: Rows, rows: Rows, name: string): Rows | undefined {
    const step = this.#spec.layers.find((layer) => layer.name === only?.ref);
    if (step?.type !== 'step' || step.index !== 0 || only?.length !== width(rows) || rows.reversed) return undefined;
    const from = step.inputs?.[0];
    const made = this.#differenceOf(rows);
    if (made && !made.isMinus && this.#spec.inputOf(made.of)[0] === from)
      return this.#lessShifted(rows, name, made.of, false, { before: 1, after: -1 });
    const [own] = this.#spec.inputOf(rows);
    if (made && own === from) {
      // x[t + 1] - x[t], which of the last step is 0, a step later: the first one stays
      const all = this.#lessShifted(rows, `${name}_all`, made.of, !made.isMinus, {
        before: -1,
        after: 1,
        mode: 'edge',
      });
      const inputs = this.#spec.inputOf(all);
      return this.#made(all, { type: 'pad', name: this.#spec.name(name), inputs, before: 1, after: -1, mode: 'edge' });
    }
    const cropped = this.#cropped.get(own);
    const isRest = cropped?.layer.before === 0 && cropped.layer.after === -1 && this.#spec.inputOf(cropped.rows)[0] === from; // prettier-ignore
    return own === from || isRest ? this.pad(rows, name, { before: 1, mode: 'edge' }) : undefined;
  }

  upsample(rows: Rows, name: string, factor: number): Rows {
    const inputs = this.#spec.inputOf(rows);
    return this.#made(rows, { type: 'upsample', name: this.#spec.name(name), inputs, factor });
  }

  /** Each row as so many steps, with the axes of one of them. */
  split(rows: Rows, name: string, factor: number, axes: Rows['axes']): Rows {
    const layer: LayerSpec = { type: 'upsample', name: this.#spec.name(name), inputs: this.#spec.inputOf(rows), factor, split: true }; // prettier-ignore
    return this.#made({ ...rows, axes }, layer);
  }

  /**
   * A layer over positions of each step, of rows (channels, positions): each step is a sequence of its own, and what the layer gives is one
   * row a step again, (positions, channels).
   */
  inEach(rows: Rows, name: string, steps: number, layer: Conv1dSpec | PoolSpec): { columns: Segment[]; steps: number } {
    const cut: LayerSpec = { type: 'unflatten', name: this.#spec.name(`${name}_positions`), inputs: this.#spec.inputOf(rows), steps, transposed: true, each: true }; // prettier-ignore
    this.#spec.add(cut, { kind: 'sequence', size: width(rows) / steps });
    this.#spec.add({ ...layer, inputs: [cut.name] }, { kind: 'sequence', size: 1 });
    const size = layer.type === 'conv1d' ? layer.outputSize : width(rows) / steps;
    const rule = layerKind(layer.type)?.axis?.(layer);
    const made = rule ? (stepsBy(rule, steps) as number) : steps;
    const flat: LayerSpec = {
      type: 'flatten',
      name: this.#spec.name(`${name}_rows`),
      inputs: [layer.name],
      steps: made,
    };
    return { columns: this.#spec.add(flat, { kind: 'sequence', size: made * size }), steps: made };
  }

  /** Each step cut into so many steps of its own: a sequence to what reads it. */
  cutEach(rows: Rows, steps: number): Segment[] {
    const from = this.#spec.ref(rows.columns, 'sequence');
    const layer: Unnamed = { type: 'unflatten', inputs: [from], steps, each: true };
    return this.#once(`cut each ${steps} ${from}`, from, '_each', layer, 'sequence', width(rows) / steps);
  }

  /** The steps of each step side by side again. */
  joinEach({ columns }: Rows, steps: number): Segment[] {
    const from = this.#spec.ref(columns, 'sequence');
    const layer: Unnamed = { type: 'flatten', inputs: [from], steps };
    return this.#once(`join each ${from}`, from, '_rows', layer, 'sequence', steps * this.#spec.size(from));
  }

  /** What a layer gives once for each step's steps: a row a step. */
  ofEach({ columns }: Rows): Segment[] {
    for (const { ref } of columns) this.#spec.value(ref, { kind: 'sequence', size: this.#spec.size(ref) });
    return columns;
  }

  /** A layer for each of so many parts of a row, which so are steps of their own; what it makes of each side by side. */
  inParts(rows: Rows, name: string, parts: number, layer: RowLayer): Segment[] {
    const each = rows.kind === 'sequence' ? { each: true } : {};
    const cut: LayerSpec = { type: 'unflatten', name: this.#spec.name(`${name}_parts`), inputs: this.#spec.inputOf(rows), steps: parts, ...each }; // prettier-ignore
    const size = width(rows) / parts;
    this.#spec.add(cut, { kind: 'sequence', size });
    const made = layer.type === 'activation' ? size : 1;
    this.#spec.add({ ...layer, name: this.#spec.name(name), inputs: [cut.name] }, { kind: 'sequence', size: made });
    const from = this.#spec.layers.at(-1)!.name;
    const flat: LayerSpec = { type: 'flatten', name: this.#spec.name(`${name}_rows`), inputs: [from], steps: parts };
    return this.#spec.add(flat, { kind: rows.kind, size: parts * made });
  }

  /** Softmax over the steps. */
  softmax(rows: Rows, name: string): Rows {
    const inputs = this.#spec.inputOf(rows);
    return this.#made(rows, { type: 'timeSoftmax', name: this.#spec.name(name), inputs });
  }

  /** Sums over the steps of the second, of rows times each weight of the first. */
  weightedSum(weights: Rows, values: Rows, name: string): Segment[] {
    this.readsAhead = true;
    const inputs = [weights, values].flatMap((rows) => this.#spec.inputOf(rows));
    const known = { kind: 'vector', size: width(weights) * width(values) } as const;
    return this.#spec.add({ type: 'weightedSum', name: this.#spec.name(name), inputs }, known);
  }

  /** Attention of queries (steps, or one a sequence) to keys and values. */
  attention(query: Rows, key: Rows, value: Rows, name: string, options: AttentionOptions): Segment[] {
    this.readsAhead = true;
    const inputs = [query, key, value].flatMap((rows) => this.#spec.inputOf(rows));
    const known = { kind: query.kind, size: width(value) };
    const inputSize = width(query);
    return this.#spec.add({ type: 'attention', name: this.#spec.name(name), inputs, inputSize, ...options }, known);
  }

  /** All steps as one vector. */
  reduce(rows: Rows, name: string, reduce: ReduceSpec['reduce']): Segment[] {
    this.readsAhead = true;
    const inputs = this.#spec.inputOf({ ...rows, kind: 'sequence' });
    const known = { kind: 'vector', size: width(rows) } as const;
    return this.#spec.add({ type: 'reduce', name: this.#spec.name(name), inputs, reduce }, known);
  }

  /** So many steps side by side. */
  flatten(rows: Rows, steps: number): Segment[] {
    this.readsAhead = true;
    const from = this.#spec.ref(rows.columns, 'sequence');
    const layer: Unnamed = { type: 'flatten', inputs: [from], steps };
    return this.#once(`flatten ${steps} ${from}`, from, '_flat', layer, 'vector', steps * width(rows));
  }

  /** A value has so many steps. */
  have(value: ValueRef, steps: Size): void {
    if (!this.#onSteps.has(sizeText(steps))) this.#onSteps.set(sizeText(steps), value);
  }

  /** A value that has so many steps; undefined where none has. */
  #like(steps: Size): ValueRef | undefined {
    if (sizeText(steps) !== sizeText(TIME)) return this.#onSteps.get(sizeText(steps));
    return this.#spec.inputs.find(({ kind }) => kind === 'sequence')?.name;
  }

  /** Whether a value has so many steps. */
  has(steps: Size): boolean {
    return this.#like(steps) !== undefined;
  }

  /** 1, 2, ... up to so many steps: h' = h + 1. */
  numbers(steps: Size): Segment[] | undefined {
    const like = this.#like(steps);
    const { layers, inputs } = this.#spec;
    const ids = inputs.find(({ name, dtype }) => name === like && dtype === 'int32');
    const reader = ids && layers.find(({ type, inputs: read }) => type === 'embedding' && read?.[0] === like)?.name;
    const from = ids ? (reader ?? this.#spec.numbersOfInput(ids.name)) : like;
    return from === undefined ? undefined : this.#counted(from);
  }

  /** The same of the steps that these rows have. */
  numbersOf(rows: Rows): Segment[] {
    return this.#counted(this.#spec.ref(rows.columns, 'sequence'));
  }

  /**
   * Numbers from 1 on of the steps of these rows: of rows that others were taken from, the numbers that the steps had before. Padded as the rows are,
   * they lie on one axis with them.
   */
  numbersWithin(rows: Rows, name: string): Rows {
    const [only, ...others] = rows.columns;
    const made = others.length === 0 && only ? this.#cropped.get(only.ref) : undefined;
    const { before = 0, after = 0 } = made?.layer ?? {};
    const isPart = made && before <= 0 && after <= 0 && !made.rows.reversed;
    const { axes, ...whole } = isPart ? made.rows : rows;
    const plain = axes.map((factors) => factors.filter(({ role }) => role !== 'feature'));
    const numbers = { ...whole, axes: plain, columns: this.numbersOf({ ...whole, axes }), exclusive: false };
    return isPart ? this.pad(numbers, name, { before, after }) : numbers;
  }

  #counted(from: ValueRef): Segment[] {
    const layer: Unnamed = { inputs: [from], ...stepCounter(this.#spec.size(from)) };
    return this.#once(`numbers ${from}`, from, '_steps', layer, 'sequence', 1);
  }

  /** Steps that go from last to first in the order that they go in. */
  straight(rows: Rows): Rows {
    if (!rows.reversed) return rows;
    this.readsAhead = true;
    const from = this.#spec.ref(rows.columns, 'sequence');
    const columns = this.#once(`reverse ${from}`, from, '_reversed', { type: 'reverse', inputs: [from] }, 'sequence', width(rows)); // prettier-ignore
    return { ...rows, columns, reversed: false, exclusive: false };
  }

  /** Sums of the steps up to each: h' = h + x. */
  sums(rows: Rows, name: string, isBackwards: boolean): Rows {
    if (isBackwards) this.readsAhead = true;
    const size = width(rows);
    this.#spec.budget.spend(16 * size * size);
    const one = () => Float32Array.from({ length: size * size }, (_, i) => Number(i % (size + 1) === 0));
    const direction = isBackwards ? 'reverse' : 'forward';
    const weights = { [`${direction}.input`]: one(), [`${direction}.recurrent`]: one() };
    const layer: LayerSpec = {
      ...{ type: 'rnn', name: this.#spec.name(name), inputs: this.#spec.inputOf(rows) },
      ...{ inputSize: size, hiddenSize: size, activation: 'linear', direction, weights },
    };
    return { ...rows, columns: this.#spec.add(layer, { kind: 'sequence', size }), exclusive: false };
  }

  /** A vector at each of so many steps; undefined where no value has as many, and they are no fixed number. */
  repeat(rows: Rows, steps: Size): Segment[] | undefined {
    const like = this.#like(steps);
    const axis = like !== undefined ? { like } : typeof steps === 'number' ? { steps } : undefined;
    if (!axis) return undefined;
    const from = this.#spec.ref(rows.columns, 'vector');
    const layer: Unnamed = { type: 'repeat', inputs: [from], ...axis };
    const made = this.#once(`repeat ${sizeText(steps)} ${from}`, from, '_repeated', layer, 'sequence', width(rows));
    return this.#onFixed(made, steps);
  }

  /** A vector cut into so many steps. */
  cut(rows: Rows, steps: number): Segment[] {
    const like = this.#like(steps);
    const from = this.#spec.ref(rows.columns, 'vector');
    const layer: Unnamed = { type: 'unflatten', inputs: [from], steps, ...(like === undefined ? {} : { like }) };
    const made = this.#once(`cut ${steps} ${from}`, from, '_steps', layer, 'sequence', width(rows) / steps);
    return this.#onFixed(made, steps);
  }

  /** A vector cut into as many steps, of rows of `size`, as another value has, which is so many in every run. */
  cutLike({ columns }: Rows, steps: number, size: number, like: Rows): Segment[] {
    const [from, other] = [this.#spec.ref(columns, 'vector'), this.#spec.ref(like.columns, 'sequence')];
    const layer: Unnamed = { type: 'unflatten', inputs: [from], steps, like: other };
    return this.#once(`cut ${steps} ${from} like ${other}`, from, '_steps', layer, 'sequence', size);
  }

  /** The same steps: a run with others than so many is refused. */
  fixed(rows: Rows, steps: number): Rows {
    const from = this.#spec.ref(rows.columns, 'sequence');
    const [flat] = this.flatten(rows, steps);
    const layer: Unnamed = { type: 'unflatten', inputs: [flat!.ref], steps, like: from };
    const columns = this.#once(`fixed ${steps} ${from}`, from, '_fixed', layer, 'sequence', width(rows));
    return { ...rows, columns, exclusive: false };
  }

  /** What has so many steps in every run lies on one axis: that of the first of them. */
  #onFixed(made: Segment[], steps: Size): Segment[] {
    const { ref } = made[0]!;
    if (typeof steps !== 'number' || this.#onSteps.has(sizeText(steps))) return made;
    this.#onSteps.set(sizeText(steps), ref);
    this.#stepsOf.set(ref, sizeText(steps));
    return made;
  }

  /** The first (0) or last (-1) step. */
  step(rows: Rows, index: 0 | -1): Segment[] {
    if (index === -1) this.readsAhead = true;
    const from = this.#spec.ref(rows.columns, 'sequence');
    const layer: Unnamed = { type: 'step', inputs: [from], index };
    const suffix = index === 0 ? '_first' : '_last';
    return this.#once(`step ${index} ${from}`, from, suffix, layer, 'vector', width(rows));
  }

  /** A layer that is named after what it reads. */
  #once(key: string, from: ValueRef, suffix: string, layer: Unnamed, kind: Rows['kind'], size: number): Segment[] {
    const name = `${from.split(':')[0] ?? ''}${suffix}`;
    const make = () => this.#spec.add({ ...layer, name: this.#spec.name(name) }, { kind, size });
    return [{ ref: this.#spec.once(key, make), start: 0, length: size }];
  }
}

type Padding = Pick<PadSpec, 'before' | 'after' | 'mode' | 'value'>;

/** A layer of each row alone. */
type RowLayer = Pick<ActivationSpec, 'type' | 'activation'> | Pick<ReduceFeaturesSpec, 'type' | 'reduce'>;

/** A layer that pads, and what it reads. */
interface Cropped {
  rows: Rows;
  layer: PadSpec;
}

/** The axes of rows, with the steps of others. */
function withTimeOf({ axes }: Rows, { axes: others }: Rows): Rows['axes'] {
  const time = others.flat().find(({ role }) => role === 'time');
  return axes.map((axis) => axis.map((factor) => (factor.role === 'time' && time ? time : factor)));
}

type AttentionOptions = Omit<AttentionSpec, 'type' | 'name' | 'inputs' | 'inputSize'>;

/** A layer without its name. */
type Unnamed = { [S in LayerSpec as S['type']]: Omit<S, 'name'> }[
  'flatten' | 'repeat' | 'reverse' | 'rnn' | 'step' | 'unflatten'];
