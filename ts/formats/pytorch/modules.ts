import { shapeText } from '../../base/tensor.ts';
import { MODULES, PROJECTION, RECURRENT_TENSOR, type RecurrentType } from '../layouts/pytorch.ts';
import type { StateDict } from './source.ts';

/** What the tensors of a module look like. */
export type ModuleKind =
  | 'GRU'
  | 'GRUCell'
  | 'LSTM'
  | 'LSTMCell'
  | 'LSTM with proj_size'
  | 'RNN'
  | 'RNNCell'
  | 'Linear'
  | 'Embedding or Linear without bias'
  | 'other';

/** Tensors of one module by the last part of their names. */
export interface ModuleTensors {
  /** '' for tensors without a prefix. */
  name: string;
  tensors: Map<string, readonly number[] | string>;
}

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

/** The type of recurrent module with such a weight_hh. */
export function typeByShape([rows, columns, ...more]: readonly number[]): RecurrentType | undefined {
  if (rows === undefined || columns === undefined || more.length > 0) return undefined;
  return (Object.keys(MODULES) as RecurrentType[]).find((type) => rows === MODULES[type].gates * columns);
}

/** The layer that a module becomes, if it is a recurrent one that is supported. */
export function recurrentType(kind: ModuleKind): RecurrentType | undefined {
  return RECURRENT_KINDS[kind];
}

const RECURRENT_KINDS: Partial<Record<ModuleKind, RecurrentType>> = {
  GRU: 'gru',
  GRUCell: 'gru',
  LSTM: 'lstm',
  LSTMCell: 'lstm',
  RNN: 'rnn',
  RNNCell: 'rnn',
};

/** Whether the tensors are named as those of a recurrent module, whatever their shapes. */
export function looksRecurrent({ tensors }: ModuleTensors): boolean {
  return tensors.has('weight_hh_l0') || tensors.has('weight_hh');
}

export function moduleKind({ tensors }: ModuleTensors): ModuleKind {
  const names = [...tensors.keys()];
  const recurrent = tensors.get('weight_hh_l0') ?? tensors.get('weight_hh');
  if (recurrent && typeof recurrent !== 'string' && recurrent.length === 2) {
    if (names.some((name) => PROJECTION.test(name))) return 'LSTM with proj_size';
    const type = typeByShape(recurrent);
    if (!type || !names.every((name) => RECURRENT_TENSOR.test(name))) return 'other';
    const module = type.toUpperCase() as Uppercase<RecurrentType>;
    return tensors.has('weight_hh') ? `${module}Cell` : module;
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
    // What makes it no recurrent module comes first.
    const known = (name: string) => Number(RECURRENT_TENSOR.test(name));
    const strange = [...module.tensors].sort(([a], [b]) => known(a) - known(b));
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
    const type = recurrentType(kind);
    if (type) {
      recurrentSeen = true;
      known.push(`{ ${type}: ${name} }`);
    } else if (kind === 'Linear' || (kind.startsWith('Embedding') && recurrentSeen)) known.push(`{ linear: ${name} }`);
    else if (kind.startsWith('Embedding')) known.push(`{ embedding: ${name} }`);
    if (known.length === MAX_SHOWN) break;
  }
  return `{ pytorch: { layers: [${known.join(', ') || "{ gru: 'name' }"}] } }`;
}
