import type { StateDict, StateEntry } from './source.ts';

/** Shapes of a module's tensors by the last part of their names; what is no tensor, in Python's words. */
export type Shapes = ReadonlyMap<string, readonly number[] | string>;

/** The shape of a module's tensor; undefined where it has none of this name. */
export function shapeOf(tensors: Shapes, name: string): readonly number[] | undefined {
  const shape = tensors.get(name);
  return typeof shape === 'string' ? undefined : shape;
}

/** How many batches a norm was trained on. */
const COUNTER = 'num_batches_tracked';

/** Tensors of one module. */
export interface ModuleTensors {
  /** '' for tensors without a prefix. */
  name: string;
  tensors: Map<string, readonly number[] | string>;
}

/** The part of a tensor's name before its last dot, and the part after it. */
export function splitName(name: string): [module: string, tensor: string] {
  const dot = name.lastIndexOf('.');
  return dot < 0 ? ['', name] : [name.slice(0, dot), name.slice(dot + 1)];
}

/**
 * The modules that hold tensors themselves, by name, in the order of the file. Counters tell nothing of it: safetensors puts those of 64
 * bits before all others.
 */
export function listModules(dict: StateDict): Map<string, ModuleTensors> {
  const modules = new Map<string, ModuleTensors>();
  const add = (module: string, tensor: string, entry: StateEntry) => {
    let found = modules.get(module);
    if (!found) modules.set(module, (found = { name: module, tensors: new Map() }));
    found.tensors.set(tensor, typeof entry === 'string' ? entry : entry.shape);
  };
  const counters: [module: string, entry: StateEntry][] = [];
  for (const [name, entry] of dict) {
    const [module, tensor] = splitName(name);
    if (tensor === COUNTER) counters.push([module, entry]);
    else add(module, tensor, entry);
  }
  for (const [module, entry] of counters) add(module, COUNTER, entry);
  return modules;
}
