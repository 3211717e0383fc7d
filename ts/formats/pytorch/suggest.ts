import { MODULES, RECURRENT_TENSOR } from '../layouts/pytorch.ts';
import type { PytorchKind } from './forms/index.ts';
import { formsOfModule } from './modules.ts';
import { type ModuleTensors, shapeOf, type Shapes } from './names.ts';

/** Modules that a suggestion holds. */
const MAX_SHOWN = 20;

/** A module as a line that may read it, with the sizes of the rows that it takes and gives; undefined: not known, or ids. */
interface Guess {
  name: string;
  kind: PytorchKind;
  takes: number | undefined;
  gives: number | undefined;
}

/**
 * A guess at `layers` for a message: the modules in the order in which their sizes follow from one another, else in that of the file.
 * What follows the recurrent modules reads their last step.
 */
export function suggestLayers(modules: ReadonlyMap<string, ModuleTensors>): string {
  const left = guesses(modules);
  const lastRecurrent = left.filter(({ kind }) => Object.hasOwn(MODULES, kind)).length;
  const lines: string[] = [];
  let recurrent = 0;
  let size: number | undefined;
  while (left.length > 0) {
    const next = left.findIndex(({ kind, takes }) => (lines.length === 0 ? kind === 'embedding' : takes === size));
    const [guess] = left.splice(Math.max(next, 0), 1) as [Guess];
    if (Object.hasOwn(MODULES, guess.kind)) recurrent++;
    else if (recurrent > 0 && recurrent === lastRecurrent) {
      recurrent = 0;
      lines.push('{ step: -1 }');
    }
    lines.push(`{ ${guess.kind}: ${JSON.stringify(guess.name).replaceAll('"', "'")} }`);
    size = guess.gives;
  }
  const step = lines.includes('{ step: -1 }') ? ' (without { step: -1 } where each step has a result)' : '';
  return `{ pytorch: { layers: [${lines.join(', ') || "{ gru: 'name' }"}] } }${step}`;
}

function guesses(modules: ReadonlyMap<string, ModuleTensors>): Guess[] {
  const found: Guess[] = [];
  /** What the recurrent modules take. */
  const recurrentInputs = new Set<number | undefined>();
  for (const { tensors } of modules.values()) if (hasCell(tensors)) recurrentInputs.add(sizes(tensors).takes);
  let recurrentSeen = false;
  for (const { name, tensors } of modules.values()) {
    const forms = formsOfModule({ name, tensors });
    const { takes, gives } = sizes(tensors);
    // A matrix alone is an embedding or a linear layer: the former before the recurrent modules, or where its columns are what one takes.
    const isHead = recurrentSeen && !recurrentInputs.has(takes);
    const [kind] = (isHead ? forms.at(-1) : forms[0]) ?? [];
    if (!kind) continue;
    recurrentSeen ||= Object.hasOwn(MODULES, kind);
    found.push(kind === 'embedding' ? { name, kind, takes: undefined, gives: takes } : { name, kind, takes, gives });
    if (found.length === MAX_SHOWN) break;
  }
  return found;
}

function hasCell(tensors: Shapes): boolean {
  return tensors.has('weight_hh_l0') || tensors.has('weight_hh');
}

/** By the shapes that PyTorch's modules have: [out, in, ...] of a weight, [gates * hidden, in] of a cell, [features] of a norm. */
function sizes(tensors: Shapes): { takes: number | undefined; gives: number | undefined } {
  if (hasCell(tensors)) {
    const input = shapeOf(tensors, 'weight_ih_l0') ?? shapeOf(tensors, 'weight_ih');
    const hidden = shapeOf(tensors, 'weight_hh_l0') ?? shapeOf(tensors, 'weight_hh');
    const directions = [...tensors.keys()].some((key) => RECURRENT_TENSOR.test(key) && key.endsWith('_reverse'))
      ? 2
      : 1;
    return { takes: input?.[1], gives: hidden?.[1] === undefined ? undefined : directions * hidden[1] };
  }
  const [out, inner = out] = shapeOf(tensors, 'weight') ?? [];
  return { takes: inner, gives: out };
}
