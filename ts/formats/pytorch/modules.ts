import { shapeText } from '../../base/tensor.ts';
import { MODULES, PROJECTION, RECURRENT_TENSOR, type RecurrentType } from '../layouts/pytorch.ts';

/** Shapes of tensors by name; a string says what something else is. */
export type Shapes = ReadonlyMap<string, readonly number[] | string>;

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

/** The part of a tensor's name before its last dot, and the part after it. */
export function splitName(name: string): [module: string, tensor: string] {
  const dot = name.lastIndexOf('.');
  return dot < 0 ? ['', name] : [name.slice(0, dot), name.slice(dot + 1)];
}

/** The modules that hold tensors themselves, in the order of the file. */
export function listModules(shapes: Shapes): ModuleTensors[] {
  const modules = new Map<string, ModuleTensors>();
  for (const [name, shape] of shapes) {
    const [module, tensor] = splitName(name);
    let found = modules.get(module);
    if (!found) modules.set(module, (found = { name: module, tensors: new Map() }));
    found.tensors.set(tensor, shape);
  }
  return [...modules.values()];
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
export function describeModules(shapes: Shapes): string {
  const modules = listModules(shapes);
  const shown = modules.slice(0, 20).map((module) => {
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
  return (shown.join(', ') || 'none') + (modules.length > 20 ? `, and ${modules.length - 20} more` : '');
}

/** A guess at `layers` for an error message: the modules in the order of the file. */
export function suggestLayers(shapes: Shapes): string {
  let recurrentSeen = false;
  const lines = listModules(shapes).map((module) => {
    const kind = moduleKind(module);
    const name = JSON.stringify(module.name).replaceAll('"', "'");
    const type = recurrentType(kind);
    if (type) {
      recurrentSeen = true;
      return `{ ${type}: ${name} }`;
    }
    if (kind === 'Linear') return `{ linear: ${name} }`;
    if (kind.startsWith('Embedding')) return recurrentSeen ? `{ linear: ${name} }` : `{ embedding: ${name} }`;
    return undefined;
  });
  const known = lines.filter((line) => line !== undefined).slice(0, 20);
  return `{ pytorch: { layers: [${known.join(', ') || "{ gru: 'name' }"}] } }`;
}
