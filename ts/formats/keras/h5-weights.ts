import { GruError } from '../../base/errors.ts';
import type { Hdf5Group } from '../hdf5.ts';
import { Hdf5Dataset } from '../hdf5.ts';
import type { KerasLayer } from './config.ts';
import { FlatGroup, flatWeight } from './weights.ts';
import type { FlatWeight, WeightGroup, WeightSource, WeightTensor } from './weights.ts';

/** As Keras names the folder of an object: its class in snake case. */
export function snakeCase(className: string): string {
  return className
    .replace(/\W+/g, '')
    .replace(/(.)([A-Z][a-z]+)/g, '$1_$2')
    .replace(/([a-z])([A-Z])/g, '$1_$2')
    .toLowerCase();
}

/** Numbers names as Keras does in a list of objects: `gru`, `gru_1`, ... `places` says how many numbers one takes. */
export function uniqueNames(classNames: readonly string[], places: (name: string) => number = () => 1): string[] {
  const used = new Map<string, number>();
  return classNames.map((className) => {
    const base = snakeCase(className);
    const count = used.get(base) ?? 0;
    const name = count === 0 ? base : `${base}_${count}`;
    used.set(base, count + places(name));
    return name;
  });
}

/** Folders that hold no weights of inference: the optimizer's, and states of random generators and of metrics. */
const NO_WEIGHTS = /(^|\/)(optimizer|seed_generator|metrics|loss_tracker)[^/]*(\/|$)/;

const MAX_OBJECTS = 50_000;
const MAX_DEPTH = 16;

/** A walk through groups, which may hold each other without end: what it sees is bounded. */
class Walk {
  #objects = 0;

  *tensors(group: Hdf5Group, depth = 0): Generator<Hdf5Dataset> {
    for (const name of group.names) {
      if (NO_WEIGHTS.test(name)) continue;
      if (++this.#objects > MAX_OBJECTS || depth > MAX_DEPTH) {
        throw new GruError('invalid_file', 'the HDF5 file has too many objects, or groups inside groups without end');
      }
      const member = group.get(name);
      if (member instanceof Hdf5Dataset) yield member;
      else if (member) yield* this.tensors(member, depth + 1);
    }
  }
}

/** The folder of the layers up to Keras 2.14. */
const OLD_LAYERS = '_layer_checkpoint_dependencies';

/**
 * Groups by path. Keras 2.12 and 2.13 on Windows write a group for each layer whose name is all its path, with backslashes.
 */
class Folders {
  readonly root: Hdf5Group;
  /** Names of such groups by path. */
  readonly #flat = new Map<string, string>();

  constructor(root: Hdf5Group) {
    this.root = root;
    for (const name of root.names) if (name.includes('\\')) this.#flat.set(name.replaceAll('\\', '/'), name);
  }

  get(path: string): Hdf5Group | Hdf5Dataset | undefined {
    const found = this.root.get(path);
    if (found || this.#flat.size === 0) return found;
    for (let at = path.length; at > 0; at = path.lastIndexOf('/', at - 1)) {
      const group = this.#flat.get(path.slice(0, at));
      if (group !== undefined)
        return at === path.length ? this.root.get(group) : this.root.get(`${group}${path.slice(at)}`);
    }
    return undefined;
  }

  /** The members of a group. */
  names(path: string): Set<string> {
    const group = this.root.group(path);
    const under = [...this.#flat.keys()].filter((name) => name.startsWith(`${path}/`));
    return new Set([...(group?.names ?? []), ...under.map((name) => name.slice(path.length + 1).replace(/\/.*/, ''))]);
  }

  hasTensors(path: string): boolean {
    const walk = new Walk();
    const group = this.root.group(path);
    const flat = [...this.#flat].filter(([name]) => name === path || name.startsWith(`${path}/`));
    const groups = [group, ...flat.map(([, name]) => this.root.group(name))];
    return groups.some((one) => one && !walk.tensors(one).next().done);
  }
}

/** `.weights.h5` (and `.keras`): /layers/<class>[_n]/<part>/vars/<place>. */
export class PathWeights implements WeightSource {
  readonly #files: Folders;
  readonly #folders = new Map<KerasLayer, string>();
  readonly #taken: Set<string>;

  constructor(root: Hdf5Group | Folders, layers: readonly KerasLayer[], path = '', taken = new Set<string>()) {
    this.#files = root instanceof Folders ? root : new Folders(root);
    this.#taken = taken;
    const real = layers.filter(({ isOperation }) => !isOperation);
    const classes = real.map(({ className }) => className.replace(/^.*>/, ''));
    const old = this.#files.names(path + OLD_LAYERS);
    const container = path + (old.size > 0 ? OLD_LAYERS : 'layers');
    const folders = old.size > 0 ? oldFolders(this.#files, container, old, classes) : uniqueNames(classes);
    real.forEach((layer, i) => this.#folders.set(layer, `${container}/${folders[i]!}`));
  }

  layer(layer: KerasLayer): WeightGroup {
    return this.#group(this.#folders.get(layer) ?? '');
  }

  #group(path: string): WeightGroup {
    return {
      part: (attribute) => this.#group(`${path}/${this.#member(path, attribute) ?? attribute}`),
      has: (attribute) => this.#member(path, attribute) !== undefined,
      take: (place) => {
        const tensor = this.#tensor(`${path}/vars/${place}`);
        if (tensor) this.#taken.add(tensor.name);
        return tensor;
      },
      peek: (place) => this.#tensor(`${path}/vars/${place}`),
      inner: (layers) => new PathWeights(this.#files, layers, `${path}/`, this.#taken),
    };
  }

  /** Private attributes of Keras 2 have an underscore: `_query_dense`. */
  #member(path: string, attribute: string): string | undefined {
    const names = this.#files.names(path);
    return [attribute, `_${attribute}`].find((name) => names.has(name));
  }

  #tensor(path: string): WeightTensor | undefined {
    const dataset = this.#files.get(path);
    if (!(dataset instanceof Hdf5Dataset)) return undefined;
    return {
      name: dataset.path,
      shape: dataset.shape,
      dtype: dataset.dtype,
      floats: (shared) => dataset.floats(shared),
    };
  }

  unused(): string[] {
    const all = Array.from(new Walk().tensors(this.#files.root), ({ path }) => path);
    return all.filter((path) => !this.#taken.has(path));
  }
}

/** Keras 2.13 lists a layer with weights twice, so it takes two numbers; 2.14 does not. */
function oldFolders(
  files: Folders,
  container: string,
  found: ReadonlySet<string>,
  classes: readonly string[],
): string[] {
  const names = uniqueNames(classes);
  if ([...found].every((name) => names.includes(name))) return names;
  return uniqueNames(classes, (name) => (files.hasTensors(`${container}/${name}`) ? 2 : 1));
}

/** A list that is an attribute; lists beyond 64 KB are cut into `name0`, `name1`, ... */
function listAttribute(group: Hdf5Group, name: string): string[] {
  const whole = group.attribute(name);
  const parts: unknown[] = whole === undefined ? [] : [whole];
  for (let i = 0; whole === undefined; i++) {
    const part = group.attribute(`${name}${i}`);
    if (part === undefined) break;
    parts.push(part);
  }
  if (parts.length === 0) throw new GruError('invalid_file', `attribute '${name}' of '${group.path}' is missing`);
  return parts.flat().map(String);
}

/** A layer that the file does not have: as when another session made the config, in which Keras numbered its layers anew. */
class AbsentGroup extends FlatGroup {
  readonly #name: string;
  readonly #others: ReadonlySet<string>;

  constructor(name: string, others: ReadonlySet<string>) {
    super([]);
    this.#name = name;
    this.#others = others;
  }

  override peek(): never {
    const names = [...this.#others].slice(0, 8).map((name) => `'${name}'`);
    const others = names.join(', ') + (names.length < this.#others.size ? ', ...' : '');
    throw new GruError(
      'invalid_file',
      `the file has weights of layers ${others}, not of '${this.#name}': they are found by name, so the config has to call its layers as the file does`,
    );
  }
}

/** The older form: a group a layer, with the names of its weights in the attribute `weight_names`. */
export class NamedWeights implements WeightSource {
  readonly #root: Hdf5Group;
  readonly #all: FlatWeight[] = [];
  readonly #whole = new FlatGroup(this.#all);
  readonly #layerNames: Set<string>;

  constructor(root: Hdf5Group) {
    this.#root = root;
    this.#layerNames = new Set(listAttribute(root, 'layer_names'));
    for (const name of this.#layerNames) this.#weights(name);
  }

  static isOne(root: Hdf5Group): boolean {
    return root.attribute('layer_names') !== undefined || root.attribute('layer_names0') !== undefined;
  }

  readonly #byLayer = new Map<string, FlatWeight[]>();

  #weights(layer: string): FlatWeight[] {
    const known = this.#byLayer.get(layer);
    if (known) return known;
    const group = this.#layerNames.has(layer) ? this.#root.group(layer) : undefined;
    const weights = (group ? listAttribute(group, 'weight_names') : []).map((name) => {
      const dataset = group?.dataset(name);
      if (!dataset) throw new GruError('invalid_file', `weight '${name}' of layer '${layer}' is not in the file`);
      const { path, shape, dtype } = dataset;
      return flatWeight({ name: path, shape, dtype, floats: (shared) => dataset.floats(shared) }, name);
    });
    this.#byLayer.set(layer, weights);
    for (const weight of weights) this.#all.push(weight);
    return weights;
  }

  /** Those of its group; of a model whose name the config does not have, any: they are found by the names of its layers. */
  layer({ name, inner }: KerasLayer): WeightGroup {
    if (this.#layerNames.has(name)) return new FlatGroup(this.#weights(name));
    return inner ? this.#whole : new AbsentGroup(name, this.#layerNames);
  }

  unused(): string[] {
    return this.#all.filter(({ taken, parts }) => !taken && !NO_WEIGHTS.test(parts.join('/'))).map(({ name }) => name);
  }
}
