import { GruError } from '../../base/errors.ts';
import { product, shapeText } from '../../base/tensor.ts';
import type { ValueRef } from '../../spec/spec.ts';
import type { Place } from './forms/form.ts';
import type { PytorchGru, PytorchLstm, PytorchRnn } from './forms/recurrent.ts';
import type { StackLayer } from './recurrent.ts';

type Slot = 'State' | 'Cell';
type Given = ValueRef | ValueRef[] | undefined;

/**
 * The initial states that a line gives to a recurrent module: references of each layer of its stack, the hidden states of its
 * directions, then an lstm's cell states. Undefined: none are given.
 */
export function readInitialStates(
  line: PytorchGru | PytorchLstm | PytorchRnn,
  stack: StackLayer[],
  place: Place,
): ValueRef[][] | undefined {
  const { initialState } = line;
  let initialCell = 'initialCell' in line ? line.initialCell : undefined;
  if (initialState === undefined && initialCell === undefined) return undefined;
  const slots = slotsOf(stack);
  const [first] = stack as [StackLayer];
  if (initialCell === undefined && typeof initialState === 'string') {
    const source = place.stack(initialState);
    if (source && slotsOf(source).length === 2) initialCell = initialState;
  }
  const constant = constants(first.spec, place);
  const each = directionsOf(first).length;
  const states = slots.map((slot) => {
    const field = slot === 'State' ? 'initialState' : 'initialCell';
    const what = `${first.spec.type} '${place.name}': ${field}`;
    const refs = references(slot, slot === 'State' ? initialState : initialCell, what, each * stack.length, constant, place); // prettier-ignore
    if (refs.length === each * stack.length) return refs;
    throw new GruError(
      'invalid_argument',
      `${what} gives ${refs.length} states, it has ${stack.length} layer(s) of ${each} direction(s)`,
    );
  });
  return stack.map((_, k) => states.flatMap((refs) => refs.slice(k * each, (k + 1) * each)));
}

function references(
  slot: Slot,
  given: Given,
  what: string,
  count: number,
  constant: Constant,
  { tensors, ...place }: Place,
): ValueRef[] {
  if (given === undefined) return new Array<ValueRef>(count).fill(constant());
  if (typeof given !== 'string') return given.map((ref) => place.resolve(ref));
  const source = place.stack(given);
  if (source) {
    const port = slotsOf(source).includes(slot) ? slot : 'State';
    return source.flatMap((one) => directionsOf(one).map((direction) => `${one.spec.name}:${direction}${port}`));
  }
  const tensor = tensors.local(given);
  const shape = place.isValue(given) ? undefined : tensors.shape(tensor);
  if (!shape) return [place.resolve(given)];
  const size = count * constant.size;
  if (product(shape) !== size) {
    throw new GruError(
      'unsupported',
      `${what}: tensor '${given}' has shape ${shapeText(shape)}, it takes ${shapeText([count, 1, constant.size])}`,
    );
  }
  const taken = tensors.take(tensor, what, shape);
  return Array.from({ length: count }, (_, i) =>
    constant(async () => (await taken.floats()).slice(i * constant.size, (i + 1) * constant.size)),
  );
}

/** Makes vectors that are the same for each sequence: a step of the input, multiplied by zeros. */
function constants({ inputSize, hiddenSize }: StackLayer['spec'], place: Place): Constant {
  let step: ValueRef | undefined;
  const constant = (values?: () => Promise<Float32Array>): ValueRef => {
    const name = `${place.name}_initial`;
    step ??= place.add({ name, inputs: [place.source], load: () => ({ name, type: 'step', index: 0 }) });
    return place.add({
      name,
      inputs: [step],
      load: async () => ({
        name,
        type: 'dense',
        inputSize,
        outputSize: hiddenSize,
        weights: { kernel: new Float32Array(hiddenSize * inputSize), ...(values ? { bias: await values() } : {}) },
      }),
    });
  };
  return Object.assign(constant, { size: hiddenSize });
}

/** Adds a vector of `size` values, zeros when left out. */
type Constant = ((values?: () => Promise<Float32Array>) => ValueRef) & { size: number };

/** What may be read of a layer of a recurrent module by `name:port`. */
export function portsOf(stack: StackLayer): string[] {
  const states = directionsOf(stack).flatMap((direction) => slotsOf([stack]).map((slot) => direction + slot));
  return ['sequence', 'last', ...states];
}

function slotsOf([first]: StackLayer[]): Slot[] {
  return first?.spec.type === 'lstm' ? ['State', 'Cell'] : ['State'];
}

function directionsOf({ spec }: StackLayer): string[] {
  return spec.direction === 'bidirectional' ? ['forward', 'reverse'] : ['forward'];
}
