import { GruError } from '../../base/errors.ts';
import { isRecord } from '../../base/tensor.ts';
import { isModelClass, type KerasLayer } from './config.ts';

/** A tensor of a file. */
export interface WeightTensor {
  name: string;
  shape: readonly number[];
  dtype: string;
  /** The values; with `shared` perhaps a view of the file, for one who makes another array of them. */
  floats(shared?: boolean): Float32Array;
}

/** The weights of a layer or of a part of it. */
export interface WeightGroup {
  /** The weights of a part: its attribute in Keras's objects (`forward_layer`), and its name (`forward_gru`). */
  part(attribute: string, name: string): WeightGroup;
  /** A weight by its place among the layer's, and by its role (`kernel`), which flat formats write. Each can be had once. */
  take(place: number, role: string): WeightTensor | undefined;
  /** The same without taking it. */
  peek(place: number, role: string): WeightTensor | undefined;
  /** Whether there are weights of a part. */
  has(attribute: string, name: string): boolean;
  /** The weights of a model that the layer is: by its layers. */
  inner(layers: readonly KerasLayer[]): WeightSource;
}

/** The weights of a model. */
export interface WeightSource {
  /** The weights of a layer of the config. */
  layer(layer: KerasLayer): WeightGroup;
  /** Names of the weights that nobody took. */
  unused(): string[];
}

/** A weight of a flat format: its name is a path that ends in its role. */
export interface FlatWeight extends WeightTensor {
  /** `['bidirectional', 'forward_gru', 'gru_cell', 'kernel']` */
  parts: string[];
  /** The last part, without the number that TensorFlow 1 gives to names in use: `kernel_1`, of the second cell. */
  role: string;
  taken: boolean;
}

/** Splits a weight's name as Keras 2, Keras 3 and TensorFlow.js write it: `gru/kernel:0`. */
export function flatWeight(tensor: WeightTensor, name: string): FlatWeight {
  const parts = name.replace(/:\d+$/, '').split('/');
  return {
    name: tensor.name,
    shape: tensor.shape,
    dtype: tensor.dtype,
    floats: (shared) => tensor.floats(shared),
    parts,
    role: parts[parts.length - 1]!.replace(/_\d+$/, ''),
    taken: false,
  };
}

/** The weights of a layer as a list, in Keras's order. What is asked again and again is found in maps, made when it is first asked for. */
export class FlatGroup implements WeightGroup {
  readonly #weights: readonly FlatWeight[];
  #inner: FlatWeights | undefined;
  #parts: Map<string, FlatWeight[]> | undefined;
  readonly #groups = new Map<string, FlatGroup>();
  #roles: Map<string, FlatWeight[]> | undefined;
  /** Places in the lists of roles before which all are taken. */
  readonly #next = new Map<string, number>();

  /** @param inner The same weights by layers. */
  constructor(weights: readonly FlatWeight[], inner?: FlatWeights) {
    this.#weights = weights;
    this.#inner = inner;
  }

  /** Those with the part's name in their path. Some versions leave it out: then the next ones in the list are the part's. */
  part(_attribute: string, name: string): WeightGroup {
    const found = this.#named(name);
    if (!found) return this;
    let group = this.#groups.get(name);
    if (!group) this.#groups.set(name, (group = new FlatGroup(found)));
    return group;
  }

  has(_attribute: string, name: string): boolean {
    return this.#named(name) !== undefined;
  }

  #named(name: string): FlatWeight[] | undefined {
    if (!this.#parts) {
      this.#parts = new Map();
      for (const weight of this.#weights) {
        for (const part of new Set(weight.parts.slice(0, -1))) add(this.#parts, part, weight);
      }
    }
    return this.#parts.get(name);
  }

  take(place: number, role: string): WeightTensor | undefined {
    const found = this.peek(place, role);
    if (found) found.taken = true;
    return found;
  }

  peek(_place: number, role: string): FlatWeight | undefined {
    if (!this.#roles) {
      this.#roles = new Map();
      for (const weight of this.#weights) add(this.#roles, weight.role, weight);
    }
    const list = this.#roles.get(role) ?? [];
    let next = this.#next.get(role) ?? 0;
    while (list[next]?.taken) next++;
    this.#next.set(role, next);
    return list[next];
  }

  inner(): WeightSource {
    return (this.#inner ??= new FlatWeights(this.#weights));
  }
}

/** Parts of a weight's name in which a layer's name is looked for: models inside each other write theirs before it. */
const MAX_PARTS = 8;

/** Parts of a name that a layer's own may take: more, and the names would take many times their room. */
const MAX_OWN_PARTS = 3;

/** The weights of a model as a list. */
export class FlatWeights implements WeightSource {
  readonly #all: readonly FlatWeight[];
  /** By parts of their names: of each place of the first. */
  readonly #byPart: Map<string, FlatWeight[]>[] = [];
  readonly #groups = new Map<string, FlatGroup>();
  readonly #whole: FlatGroup;
  /** Those that are named by their roles alone, as Normalization's are: `mean`. Each is of the one layer that has none of its name. */
  readonly #nameless: FlatGroup;

  constructor(weights: readonly FlatWeight[]) {
    this.#all = weights;
    this.#whole = new FlatGroup(weights, this);
    this.#nameless = new FlatGroup(weights.filter(({ parts, role }) => parts.length === 1 && parts[0] === role));
    for (const weight of weights) {
      const parts = weight.parts.slice(0, Math.min(MAX_PARTS, weight.parts.length - 1));
      // Names of layers in Keras 2 may have slashes.
      parts.forEach((_, i) => {
        const map = (this.#byPart[i] ??= new Map<string, FlatWeight[]>());
        const last = Math.min(i + MAX_OWN_PARTS, parts.length);
        for (let end = i + 1; end <= last; end++) add(map, parts.slice(i, end).join('/'), weight);
      });
    }
  }

  /**
   * Those whose name has the layer's in it, the earlier the better. Keras 3 leaves the name of a wrapper out where the model came of a `.keras` file: then
   * they are those of its parts. So may the name of a model, or of a wrapper of one: then it is any of the list.
   */
  layer({ name, inner, config }: KerasLayer): WeightGroup {
    const known = this.#groups.get(name);
    if (known) return known;
    const found = this.#named(name) ?? this.#ofParts(config);
    const wrapped = config['layer'];
    const holdsModel = inner !== undefined || (isRecord(wrapped) && isModelClass(String(wrapped['class_name'])));
    if (!found) return holdsModel ? this.#whole : this.#nameless;
    const group = found.length === this.#all.length ? this.#whole : new FlatGroup(found);
    this.#groups.set(name, group);
    return group;
  }

  #named(name: string): FlatWeight[] | undefined {
    return this.#byPart.find((map) => map.has(name))?.get(name);
  }

  #ofParts(config: Record<string, unknown>): FlatWeight[] | undefined {
    const { layer, backward_layer: backward, cell, cells } = config;
    const found = [layer, backward, cell, cells].flat().flatMap((part) => {
      const own = isRecord(part) ? part['config'] : undefined;
      if (!isRecord(own)) return [];
      const given = String(own['name']);
      const plain = given.replace(/^forward_/, '');
      const names = 'merge_mode' in config && part === layer ? [`forward_${plain}`, `backward_${plain}`] : [given];
      const named = names.flatMap((name) => this.#named(name) ?? []);
      return named.length > 0 ? named : (this.#ofParts(own) ?? []);
    });
    return found.length > 0 ? [...new Set(found)] : undefined;
  }

  unused(): string[] {
    return this.#all.filter(({ taken }) => !taken).map(({ name }) => name);
  }
}

function add(lists: Map<string, FlatWeight[]>, key: string, weight: FlatWeight): void {
  const list = lists.get(key);
  if (list) list.push(weight);
  else lists.set(key, [weight]);
}

/** A tensor's values, checked against the shape that the config asks for. */
export function expectShape(
  tensor: WeightTensor,
  shape: readonly number[],
  layer: string,
  shared = false,
): Float32Array {
  if (tensor.shape.length !== shape.length || tensor.shape.some((d, i) => d !== shape[i])) {
    throw new GruError(
      'invalid_file',
      `${layer}: tensor '${tensor.name}' has shape [${tensor.shape.join(', ')}], the config asks for [${shape.join(', ')}]`,
    );
  }
  return tensor.floats(shared);
}
