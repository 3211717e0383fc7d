import { MODULES, RECURRENT_TENSOR } from '../layouts/pytorch.ts';
import type { PytorchKind } from './forms/index.ts';
import { formsOfModule } from './modules.ts';
import { type ModuleTensors, shapeOf, type Shapes } from './names.ts';

/** Modules that a suggestion holds. */
const MAX_SHOWN = 20;

/** Lines that a search for an order looks at. */
const MAX_TRIED = 10_000;

/** Beside recurrent modules. */
const READ_STEPS: readonly PytorchKind[] = ['conv1d', 'convtranspose1d', 'multiheadAttention'];

/** A module as a line that may read it, with the sizes of the rows that it takes and gives; undefined: any, and the same. */
interface Guess {
  name: string;
  kind: PytorchKind;
  takes: number | undefined;
  gives: number | undefined;
  /** A matrix alone: an embedding, or a linear layer. */
  isMatrix: boolean;
}

/** A module in its place. */
interface Line {
  guess: Guess;
  kind: PytorchKind;
  /** Of a convolution whose weight has fewer channels than there are. */
  groups: number;
  /** Of the rows that it gives. */
  size: number | undefined;
}

/**
 * A guess at `layers` for a message: the modules in an order in which all sizes follow from one another, else as far as they do.
 * What follows the last module that reads steps reads the last one.
 */
export function suggestLayers(modules: ReadonlyMap<string, ModuleTensors>): string {
  const found = guesses(modules);
  const chain = wholeChain(found);
  const lines = chain ?? partialChain(found);
  const texts = lines.map(lineText);
  const last = lines.findLastIndex(({ kind }) => isRecurrent(kind) || READ_STEPS.includes(kind));
  const hasStep = lines.some(({ kind }) => isRecurrent(kind)) && last < lines.length - 1;
  if (hasStep) texts.splice(last + 1, 0, '{ step: -1 }');
  const notes = [
    ...(hasStep ? ['without { step: -1 } where each step has a result'] : []),
    ...(chain === undefined
      ? ['by their sizes not all of them come one after the other: from, concat, sum, ... say what reads what']
      : []),
    ...(lines.length > 1
      ? ['functions between modules, and arguments such as stride, padding, eps, are in no state dict: add them']
      : []),
  ];
  const note = notes.length > 0 ? ` (${notes.join('; ')})` : '';
  return `{ pytorch: { layers: [${texts.join(', ') || "{ gru: 'name' }"}] } }${note}`;
}

function lineText({ guess, kind, groups }: Line): string {
  const module = JSON.stringify(guess.name).replaceAll('"', "'");
  // A number of heads would be believed: this is refused, and says what is needed.
  const more = kind === 'multiheadAttention' ? ", heads: 'num_heads'" : groups > 1 ? `, groups: ${groups}` : '';
  return `{ ${kind}: ${module}${more} }`;
}

const isRecurrent = (kind: PytorchKind) => Object.hasOwn(MODULES, kind);

/** The module behind rows of so many numbers; undefined where it takes others. */
function lineAfter(guess: Guess, size: number | undefined): Line | undefined {
  const { kind, takes, gives } = guess;
  if (size === undefined || takes === undefined || takes === size) {
    return { guess, kind, groups: 1, size: gives ?? size };
  }
  const groups = size / takes;
  const isGrouped = kind === 'conv1d' && Number.isInteger(groups) && gives !== undefined && gives % groups === 0;
  return isGrouped ? { guess, kind, groups, size: gives } : undefined;
}

/** What may come first: a matrix alone, which takes ids; then what takes rows that no other module gives. */
function firstLines(found: readonly Guess[]): Line[] {
  const embeddings = found
    .filter(({ isMatrix }) => isMatrix)
    .map((guess): Line => ({ guess, kind: 'embedding', groups: 1, size: guess.takes }));
  const given = new Set(found.map(({ gives }) => gives));
  const isInput = ({ takes }: Guess) => Number(takes !== undefined && !given.has(takes));
  const others = [...found].sort((a, b) => isInput(b) - isInput(a));
  return [...embeddings, ...others.map((guess) => lineAfter(guess, undefined)!)];
}

/** All modules in the order of the file, as far as sizes allow; undefined where they come in no order. */
function wholeChain(found: readonly Guess[]): Line[] | undefined {
  let tried = 0;
  const used = new Set<Guess>();
  const chain: Line[] = [];
  const extend = (lines: readonly Line[]): boolean =>
    lines.some((line) => {
      if (++tried > MAX_TRIED) return false;
      used.add(line.guess);
      chain.push(line);
      const rest = found.filter((guess) => !used.has(guess));
      const next = rest.map((guess) => lineAfter(guess, line.size)).filter((after) => after !== undefined);
      if (rest.length === 0 || extend(next)) return true;
      used.delete(line.guess);
      chain.pop();
      return false;
    });
  return found.length === 0 || extend(firstLines(found)) ? chain : undefined;
}

/** Where sizes do not follow, the next module in the order of the file; an embedding is what a recurrent module reads. */
function partialChain(found: readonly Guess[]): Line[] {
  const inputs = new Set(found.filter(({ kind }) => isRecurrent(kind)).map(({ takes }) => takes));
  const first = firstLines(found).find(({ kind, size }) => kind === 'embedding' && inputs.has(size));
  const lines = first ? [first] : [];
  const left = found.filter((guess) => guess !== first?.guess);
  while (left.length > 0) {
    const size = lines.at(-1)?.size;
    const next = lines.length === 0 ? 0 : left.findIndex((guess) => lineAfter(guess, size) !== undefined);
    const [guess] = left.splice(Math.max(next, 0), 1) as [Guess];
    lines.push(lineAfter(guess, next < 0 ? undefined : size)!);
  }
  return lines;
}

function guesses(modules: ReadonlyMap<string, ModuleTensors>): Guess[] {
  const found: Guess[] = [];
  for (const { name, tensors } of modules.values()) {
    // It is a part of the attention that is named like it.
    if (name.endsWith('.out_proj') && modules.get(name.slice(0, -9))?.tensors.has('in_proj_weight')) continue;
    const forms = formsOfModule({ name, tensors });
    const isMatrix = forms.some(([form]) => form === 'embedding');
    const kind = isMatrix ? 'linear' : forms[0]?.[0];
    if (kind) found.push({ name, kind, isMatrix, ...sizes(tensors, kind) });
    if (found.length === MAX_SHOWN) break;
  }
  return found;
}

/** By the shapes that PyTorch's modules have: [out, in, ...] of a weight, [gates * hidden, in] of a cell, [features] of a norm. */
function sizes(tensors: Shapes, kind: PytorchKind): { takes: number | undefined; gives: number | undefined } {
  if (isRecurrent(kind)) {
    const input = shapeOf(tensors, 'weight_ih_l0') ?? shapeOf(tensors, 'weight_ih');
    const hidden = shapeOf(tensors, 'weight_hh_l0') ?? shapeOf(tensors, 'weight_hh');
    const directions = [...tensors.keys()].some((key) => RECURRENT_TENSOR.test(key) && key.endsWith('_reverse'))
      ? 2
      : 1;
    return { takes: input?.[1], gives: hidden?.[1] === undefined ? undefined : directions * hidden[1] };
  }
  if (kind === 'prelu') return { takes: undefined, gives: undefined };
  const weight = shapeOf(tensors, 'weight') ?? shapeOf(tensors, 'running_mean') ?? shapeOf(tensors, 'in_proj_weight');
  const [out, inner = out] = weight ?? [];
  if (kind === 'multiheadAttention') return { takes: inner, gives: inner };
  return kind === 'convtranspose1d' ? { takes: out, gives: inner } : { takes: inner, gives: out };
}
