import { shapeText } from '../../base/tensor.ts';
import { RECURRENT_TENSOR } from '../layouts/pytorch.ts';
import { formOf, KINDS, type PytorchKind } from './forms/index.ts';
import type { ModuleTensors } from './names.ts';

/** Modules that a message shows. */
const MAX_SHOWN = 20;

/** Whether the tensors are named as those of a recurrent module, whatever their shapes. */
export function looksRecurrent({ tensors }: ModuleTensors): boolean {
  return tensors.has('weight_hh_l0') || tensors.has('weight_hh');
}

/** The forms that read such a module, with PyTorch's name for it. */
export function formsOfModule({ tensors }: ModuleTensors): [kind: PytorchKind, name: string][] {
  return KINDS.flatMap((kind): [PytorchKind, string][] => {
    const name = formOf(kind).looks?.(tensors);
    return name === undefined ? [] : [[kind, name]];
  });
}

/** What the tensors of a module look like, in PyTorch's words. */
export function moduleKind(module: ModuleTensors): string {
  return formsOfModule(module)[0]?.[1] ?? 'other';
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
