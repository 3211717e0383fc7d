import { GruError } from '../../base/errors.ts';
import type { EmbeddingSpec, InputSpec, LayerSpec, ValueRef } from '../../spec/spec.ts';
import type { ImportedTensor } from '../report.ts';
import type { Dialect } from './dialect.ts';
import type { Features, Mask, Value } from './values.ts';
import type { WeightTensor } from './weights.ts';
import { FixedSteps } from './fixed-steps.ts';
import { expectShape } from './weights.ts';

/** Largest number of features for which zeros of masked steps are computed. */
const MAX_ZEROED = 65_536;

/** Most numbers that layers get and the file does not hold, 32 MB: one for all features is written out for each. */
const MAX_MADE = 2 ** 23;

/** Collects a spec, and what there is to say of it. */
export class SpecBuilder {
  readonly dialect: Dialect;
  /** TensorFlow.js with a mask anywhere: layers that are given none take it. */
  readonly masksLeak: boolean;
  readonly inputs: InputSpec[] = [];
  readonly layers: LayerSpec[] = [];
  readonly tensors: ImportedTensor[] = [];
  readonly #conventions = new Set<string>();
  /** The first embedding that reads ids, and whether steps are sequences to it. */
  readonly #embeddings = new Map<ValueRef, { layer: EmbeddingSpec; each: boolean }>();
  /** Ids that are numbers, made ids. */
  readonly #whole = new Map<ValueRef, ValueRef>();
  /** Makes one, of an input whose mask is asked for before. */
  readonly #embed = new Map<ValueRef, () => void>();
  /** Names in use, and the number to try next. */
  readonly #names = new Map<string, number>();
  readonly #weights = new Map<string, unknown>();
  readonly #masks = new Map<string, Mask>();
  readonly #wide = new Map<string, ValueRef>();
  #ones = new Float32Array(0);
  #made = 0;
  readonly #steps = new FixedSteps();
  #each = false;

  constructor(dialect: Dialect, hasMasks = false) {
    this.dialect = dialect;
    this.masksLeak = hasMasks && dialect.framework === 'tfjs';
  }

  /** A name that is not in use: this one, or with a number. */
  name(wanted: string): string {
    const base = wanted.replaceAll(':', '_');
    let name = base;
    let next = this.#names.get(base) ?? 1;
    while (this.#names.has(name)) name = `${base}_${next++}`;
    this.#names.set(base, next);
    if (name !== base) this.#names.set(name, 1);
    return name;
  }

  /** Makes the weights of a layer once, though it may be called several times: its calls share them. */
  once<T>(layer: string, make: () => T): T {
    if (!this.#weights.has(layer)) this.#weights.set(layer, make());
    return this.#weights.get(layer) as T;
  }

  /** Adds a layer. The name must come from {@link name}. */
  add(layer: LayerSpec): ValueRef {
    const nests = layer.type === 'unflatten' || layer.type === 'repeat';
    if (this.#each && nests) layer.each = true;
    this.layers.push(layer);
    this.#steps.add(layer, this.#each);
    const [input] = layer.inputs ?? [];
    if (layer.type === 'embedding' && input !== undefined && !this.#embeddings.has(input))
      this.#embeddings.set(input, { layer, each: this.#each });
    return layer.name;
  }

  addInput(input: InputSpec, steps?: unknown): void {
    this.inputs.push(input);
    this.#steps.addInput(input, steps);
  }

  /** How many steps every sequence of a value has, where the shapes of the file's inputs tell. */
  stepsOf(ref: ValueRef): number | undefined {
    return this.#steps.of(ref);
  }

  /** Whether two values lie on one axis of steps. */
  areBeside(x: ValueRef, y: ValueRef): boolean {
    return this.#steps.areBeside(x, y);
  }

  /** Where a layer that makes so many steps finds their axis: beside a value that has as many, which it may meet. */
  like(steps: number): { like?: ValueRef } {
    // Nested axes of as many steps are one.
    const like = this.#each ? undefined : this.#steps.valueOf(steps);
    return like === undefined ? {} : { like };
  }

  /** Adds layers to which each step of a value is a sequence. */
  forEachStep<T>(add: () => T): T {
    this.#each = true;
    try {
      return add();
    } finally {
      this.#each = false;
    }
  }

  /** Whether steps are sequences to the layers that are added. */
  get isForEachStep(): boolean {
    return this.#each;
  }

  /** A row that layers give for each such step, as steps of as many as another value has. */
  joinSteps(ref: ValueRef, like: ValueRef): ValueRef {
    this.#steps.join(ref, like);
    return ref;
  }

  note(convention: string): void {
    this.#conventions.add(convention);
  }

  get conventions(): string[] {
    return [...this.#conventions];
  }

  /** The values of a tensor of the file (`shared`: to be copied), its shape checked, and a line of the report on where it goes. */
  read(tensor: WeightTensor, shape: readonly number[], layer: string, target: string, shared = false): Float32Array {
    const { name, dtype } = tensor;
    const floats = expectShape(tensor, shape, layer, shared);
    this.tensors.push({ source: name, shape: [...tensor.shape], dtype, target });
    return floats;
  }

  /** Before numbers are made for a layer that the file does not hold. @throws GruError `unsupported` for too many. */
  make(count: number, layer: string): void {
    this.#made += count;
    if (this.#made <= MAX_MADE) return;
    throw new GruError(
      'unsupported',
      `${layer}: it and the layers before it take ${this.#made} numbers that are the same for all features or steps; supported: ${MAX_MADE}. Are the sizes of the inputs right?`,
    );
  }

  /** The very tensor of Keras. */
  exact({ ref, exact }: Features): ValueRef {
    return exact ? exact() : ref;
  }

  /** Steps in which some feature differs from a number. */
  maskOf({ ref, size, kind }: Features, maskValue: number): { mask: Mask; features: Features } {
    if (kind !== 'sequence')
      throw new GruError('unsupported', `masking of '${ref}', which has no steps, is not supported`);
    const key = `${ref} ${maskValue}`;
    let mask = this.#masks.get(key);
    if (!mask) {
      let made: ValueRef | undefined;
      mask = {
        key,
        ref: () => {
          made ??= this.add({ type: 'masking', name: this.name(`${ref}_mask`), inputs: [ref], maskValue });
          return `${made}:mask`;
        },
      };
      this.#masks.set(key, mask);
    }
    const features: Features = { is: 'features', ref, size, kind, mask };
    if (maskValue !== 0) {
      const found = mask;
      let zeroed: ValueRef | undefined;
      features.exact = () => (zeroed ??= this.zeroMasked(ref, size, found));
    }
    return { mask, features };
  }

  /** x * mask. */
  zeroMasked(ref: ValueRef, size: number, mask: Mask): ValueRef {
    const inputs = [ref, this.wideMask(mask, size, true)];
    return this.add({ type: 'merge', name: this.name(`${ref}_masked`), inputs, merge: 'mul' });
  }

  /** x where the mask holds and 1 elsewhere: x * mask + (1 - mask). */
  onesWhereMasked(features: Features, mask: Mask): ValueRef {
    const { ref, size } = features;
    const inputs = [this.zeroMasked(this.exact(features), size, mask), this.wideMask(mask, size, false)];
    return this.add({ type: 'merge', name: this.name(`${ref}_or_one`), inputs, merge: 'sum' });
  }

  /** One where the mask holds and the other elsewhere: x * mask + y * (1 - mask). */
  where(mask: Mask, x: ValueRef, y: ValueRef, size: number): ValueRef {
    const kept = this.zeroMasked(x, size, mask);
    const other = [y, this.wideMask(mask, size, false)];
    const inputs = [kept, this.add({ type: 'merge', name: this.name('other'), inputs: other, merge: 'mul' })];
    return this.add({ type: 'merge', name: this.name('where'), inputs, merge: 'sum' });
  }

  /** One number of a row as wide as features: by a matrix of ones. */
  widen(ref: ValueRef, name: string, size: number): ValueRef {
    if (size > MAX_ZEROED) throw new GruError('unsupported', `'${name}' of ${size} features is not supported`);
    this.make(size, name);
    const weights = { kernel: this.#onesOf(size) };
    return this.add({ type: 'dense', name, inputs: [ref], inputSize: 1, outputSize: size, weights });
  }

  #onesOf(size: number): Float32Array {
    if (this.#ones.length < size) this.#ones = new Float32Array(size).fill(1);
    return this.#ones.subarray(0, size);
  }

  /**
   * A mask as wide as features, made so by a matrix of ones: 1 where it holds and 0 elsewhere, or the reverse. Masks that were
   * combined are counts, so they are cut at 1: clip(x, 0, 1), or clip(1 - x, 0, 1).
   */
  wideMask(mask: Mask, size: number, holds: boolean): ValueRef {
    if (size > MAX_ZEROED) throw new GruError('unsupported', `masking of ${size} features is not supported`);
    const key = `${mask.key}\n${size} ${holds}`;
    const known = this.#wide.get(key);
    if (known !== undefined) return known;
    this.make(size, `a mask of ${size} features`);
    const ones = this.#onesOf(size);
    const wide = this.add({
      type: 'dense',
      name: this.name(holds ? 'mask_wide' : 'mask_wide_not'),
      inputs: [mask.ref()],
      inputSize: 1,
      outputSize: size,
      activation: { name: 'hard_sigmoid', alpha: 1, beta: 0 },
      weights: holds ? { kernel: ones } : { kernel: ones.map((one) => -one), bias: ones },
    });
    this.#wide.set(key, wide);
    return wide;
  }

  /** How the embedding of an input of ids is made. */
  embedsBy(input: ValueRef, make: () => void): void {
    this.#embed.set(input, make);
  }

  /** Numbers as the ids that they are. */
  idsOf(ref: ValueRef, name: string): ValueRef {
    const ids = this.add({ type: 'ids', name: this.name(name), inputs: [ref] });
    this.#whole.set(ref, ids);
    return ids;
  }

  /** Steps whose id is not 0: a port of an embedding that reads the ids, which may come later. */
  maskOfIds(input: string): Mask {
    return {
      key: `${input} ids`,
      ref: () => {
        const find = () => this.#embeddings.get(this.#whole.get(input) ?? input);
        if (!find()) this.#embed.get(input)?.();
        const found = find();
        if (!found) throw new GruError('unsupported', `a mask is made of the ids '${input}', which no Embedding reads`);
        const { layer, each } = found;
        if (!layer.maskZero) {
          layer.maskZero = true;
          // anew, with the port of the mask
          this.#steps.add(layer, each);
        }
        return `${layer.name}:mask`;
      },
    };
  }

  /** Masks as one: steps that count in each of them (`mul`), or in any (`sum`). */
  combineMasks(masks: readonly Mask[], merge: 'mul' | 'sum'): Mask {
    const distinct = [...new Map(masks.map((mask) => [mask.key, mask])).values()];
    const [first] = distinct;
    if (first && distinct.length === 1) return first;
    const what = [merge, ...distinct.map(({ key }) => key).sort()].join('\n');
    let combined = this.#masks.get(what);
    if (!combined) {
      let made: ValueRef | undefined;
      combined = {
        key: `masks ${this.#masks.size}`,
        ref: () => {
          if (made !== undefined) return made;
          const inputs = distinct.map((mask) => mask.ref());
          made = this.add({ type: 'merge', name: this.name('masks'), inputs, merge });
          return made;
        },
      };
      this.#masks.set(what, combined);
    }
    return combined;
  }
}

/** A value in words, for messages. */
export function describeValue(value: Value): string {
  if (value.is === 'ids') return 'ids';
  if (value.is === 'condition') return 'truth values';
  if (value.is === 'transposed') return value.flat ? 'one number a step as a row' : 'features of steps, transposed';
  if (value.is === 'refused') return 'what is not supported';
  if (value.is === 'scores') return 'scores of steps by steps';
  if (value.is === 'nested') return `steps of ${value.steps} steps of ${value.size} features`;
  if (value.is === 'stacked') return `${value.count} vectors of ${value.size} a sequence`;
  return value.kind === 'sequence' ? `steps of ${value.size} features` : `vectors of ${value.size}`;
}
