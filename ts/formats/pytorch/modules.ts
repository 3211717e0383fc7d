import { shapeText } from '../../base/tensor.ts';

/** Shapes of tensors by name; a string says what something else is. */
export type Shapes = ReadonlyMap<string, readonly number[] | string>;

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
export function describeModules(shapes: Shapes): string {
  const modules = listModules(shapes);
  const shown = modules.slice(0, 20).map((module) => {
    const kind = moduleKind(module);
    // What makes it no GRU comes first.
    const strange = [...module.tensors].sort(([a], [b]) => Number(GRU_TENSOR.test(a)) - Number(GRU_TENSOR.test(b)));
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
    if (kind === 'GRU' || kind === 'GRUCell') {
      recurrentSeen = true;
      return `{ gru: ${name} }`;
    }
    if (kind === 'Linear') return `{ linear: ${name} }`;
    if (kind.startsWith('Embedding')) return recurrentSeen ? `{ linear: ${name} }` : `{ embedding: ${name} }`;
    return undefined;
  });
  const known = lines.filter((line) => line !== undefined).slice(0, 20);
  return `{ pytorch: { layers: [${known.join(', ') || "{ gru: 'name' }"}] } }`;
}
