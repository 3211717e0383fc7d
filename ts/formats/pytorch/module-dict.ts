import { GruError } from '../../base/errors.ts';
import { TorchTensor } from './tensor.ts';
import { Inert, type PickleValue } from './values.ts';

/** Modules in each other. */
const MAX_DEPTH = 64;
/** Modules and tensors; a module may stand in several places, and so in ever more of them. */
const MAX_ENTRIES = 100_000;
/** Characters of all names together. */
const MAX_NAMES = 2 ** 24;

/** What of these limits the modules of a file have taken: they may hold the same others. */
export class ModuleBudget {
  #entries = 0;
  #names = 0;

  /** @throws GruError `unsupported`. */
  spend({ name }: Inert, letters: number): void {
    this.#names += letters;
    if (++this.#entries <= MAX_ENTRIES && this.#names <= MAX_NAMES) return;
    throw new GruError('unsupported', `the module '${name}' holds too many others`);
  }
}

/**
 * The state dict of a whole pickled module or of a TorchScript program, which is what its attributes hold: an nn.Module its parameters,
 * buffers and modules in three dicts, a program each of them by name. No class is looked up and nothing is called.
 *
 * @returns Undefined for an object that is no module.
 * @throws GruError `unsupported` for one that is too large or holds itself.
 */
export function moduleDict(root: PickleValue, budget = new ModuleBudget()): Map<string, PickleValue> | undefined {
  if (!(root instanceof Inert) || !childrenOf(root)) return undefined;
  const dict = new Map<string, PickleValue>();
  const add = (module: Inert, prefix: string, depth: number) => {
    if (depth > MAX_DEPTH)
      throw new GruError('unsupported', `modules of '${module.name}' are more than ${MAX_DEPTH} deep`);
    for (const [key, value] of childrenOf(module) ?? []) {
      budget.spend(module, prefix.length + (typeof key === 'string' ? key.length : 0));
      if (typeof key !== 'string' || value === null) continue;
      if (value instanceof TorchTensor) dict.set(prefix + key, value);
      else if (value instanceof Inert) add(value, `${prefix}${key}.`, depth + 1);
    }
  };
  add(root, '', 0);
  return dict;
}

/** What a module holds, by name; undefined for another object. */
function childrenOf({ name, attributes }: Inert): [PickleValue, PickleValue][] | undefined {
  if (!attributes) return undefined;
  if (name.startsWith('__torch__.')) return [...attributes];
  const [parameters, buffers, modules] = ['_parameters', '_buffers', '_modules'].map((key) => attributes.get(key));
  if (!(parameters instanceof Map) || !(modules instanceof Map)) return undefined;
  const passing = attributes.get('_non_persistent_buffers_set');
  const kept =
    buffers instanceof Map ? [...buffers].filter(([key]) => !(passing instanceof Set && passing.has(key))) : [];
  return [...parameters, ...kept, ...modules];
}
