import { shapeText } from '../../tensor.ts';
import type { StateDict } from './source.ts';

/** What the tensors of a module look like. */
export type ModuleKind = 'GRU' | 'GRUCell' | 'LSTM' | 'RNN' | 'Linear' | 'Embedding or Linear without bias' | 'other';

/** Tensors of one module by the last part of their names. */
export interface ModuleTensors {
  /** '' for tensors without a prefix. */
  name: string;
  tensors: Map<string, readonly number[] | string>;
}

/** A tensor of nn.GRU or, without `_lk`, nn.GRUCell. */
export const GRU_TENSOR = /^(?:weight|bias)_(?:ih|hh)(?:_l\d+(?:_reverse)?)?$/;

/** Modules that a message shows. */
const MAX_SHOWN = 20;

/** The part of a tensor's name before its last dot, and the part after it. */
export function splitName(name: string): [module: string, tensor: string] {
  const dot = name.lastIndexOf('.');
  return dot < 0 ? ['', name] : [name.slice(0, dot), name.slice(dot + 1)];
}

/** The modules that hold tensors themselves, by name, in the order of the file. */
export function listModules(dict: StateDict): Map<string, ModuleTensors> {
  const modules = new Map<string, ModuleTensors>();
  for (const [name, entry] of dict) {
    const [module, tensor] = splitName(name);
    let found = modules.get(module);
    if (!found) modules.set(module, (found = { name: module, tensors: new Map() }));
    found.tensors.set(tensor, typeof entry === 'string' ? entry : entry.shape);
  }
  return modules;
}

/** Kinds of recurrent modules by the number of gates: rows of weight_hh for each of its columns. */
const BY_GATES: Record<number, ModuleKind> = { 1: 'RNN', 3: 'GRU', 4: 'LSTM' };

export function moduleKind({ tensors }: ModuleTensors): ModuleKind {
  const names = [...tensors.keys()];
  const recurrent = tensors.get('weight_hh_l0') ?? tensors.get('weight_hh');
  if (recurrent && typeof recurrent !== 'string' && recurrent.length === 2) {
    const kind = BY_GATES[recurrent[0]! / recurrent[1]!] ?? 'other';
    if (kind !== 'GRU') return kind;
    if (!names.every((name) => GRU_TENSOR.test(name))) return 'other';
    return tensors.has('weight_hh') ? 'GRUCell' : 'GRU';
  }
  const weight = tensors.get('weight');
  const bias = tensors.get('bias');
  if (typeof weight === 'string' || weight?.length !== 2) return 'other';
  if (names.length === 1) return 'Embedding or Linear without bias';
  return names.length === 2 && bias && typeof bias !== 'string' && bias[0] === weight[0] ? 'Linear' : 'other';
}

/** The modules of a state dict in words: `'fc' (Linear)`. */
export function describeModules(modules: ReadonlyMap<string, ModuleTensors>): string {
  const shown = [...modules.values()].slice(0, MAX_SHOWN).map((module) => {
    const kind = moduleKind(module);
    // What makes it no GRU comes first.
    const strange = [...module.tensors].sort(([a], [b]) => Number(GRU_TENSOR.test(a)) - Number(GRU_TENSOR.test(b)));
    const first = strange
      .slice(0, 4)
      .map(([name, shape]) => `${name} ${typeof shape === 'string' ? shape : shapeText(shape)}`);
    const what = kind === 'other' ? first.join(', ') + (module.tensors.size > 4 ? ', ...' : '') : kind;
    return `${module.name === '' ? 'without a prefix' : `'${module.name}'`} (${what})`;
  });
  return (shown.join(', ') || 'none') + (modules.size > MAX_SHOWN ? `, and ${modules.size - MAX_SHOWN} more` : '');
}

/** A guess at `layers` for an error message: the modules in the order of the file. */
export function suggestLayers(modules: ReadonlyMap<string, ModuleTensors>): string {
  let recurrentSeen = false;
  const known: string[] = [];
  for (const module of modules.values()) {
    const kind = moduleKind(module);
    const name = JSON.stringify(module.name).replaceAll('"', "'");
    if (kind === 'GRU' || kind === 'GRUCell') {
      recurrentSeen = true;
      known.push(`{ gru: ${name} }`);
    } else if (kind === 'Linear' || (kind.startsWith('Embedding') && recurrentSeen)) known.push(`{ linear: ${name} }`);
    else if (kind.startsWith('Embedding')) known.push(`{ embedding: ${name} }`);
    if (known.length === MAX_SHOWN) break;
  }
  return `{ pytorch: { layers: [${known.join(', ') || "{ gru: 'name' }"}] } }`;
}
