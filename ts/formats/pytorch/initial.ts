import { GruError } from '../../base/errors.ts';
import { product, shapeText } from '../../base/tensor.ts';
import type { LayerSpec, ValueRef } from '../../spec/spec.ts';
import type { PytorchGru, PytorchLstm, PytorchRnn } from './options.ts';
import type { Pending, PendingRecurrent } from './recurrent.ts';
import type { Tensors } from './tensors.ts';

/** What the layers before have given. */
interface Wired {
  stack(name: string): PendingRecurrent[] | undefined;
  isValue(name: string): boolean;
  resolve(ref: ValueRef): ValueRef;
  /** Adds a layer under a name like the one given. */
  add(layer: Pending): ValueRef;
}

type Slot = 'State' | 'Cell';
type Given = ValueRef | ValueRef[] | undefined;

/** The initial states that a wiring gives to recurrent layers. */
export class InitialStates {
  private readonly tensors: Tensors;
  private readonly wired: Wired;

  constructor(tensors: Tensors, wired: Wired) {
    this.tensors = tensors;
    this.wired = wired;
  }

  /**
   * References of each layer of a stack: the hidden states of its directions, then an lstm's cell states. Undefined: none are given.
   *
   * @param input What the stack reads.
   */
  read(
    layer: PytorchGru | PytorchLstm | PytorchRnn,
    label: string,
    stack: PendingRecurrent[],
    input: ValueRef,
  ): ValueRef[][] | undefined {
    const { initialState } = layer;
    let initialCell = 'initialCell' in layer ? layer.initialCell : undefined;
    if (initialState === undefined && initialCell === undefined) return undefined;
    const slots = slotsOf(stack);
    const [first] = stack as [PendingRecurrent];
    if (initialCell === undefined && typeof initialState === 'string') {
      const source = this.wired.stack(initialState);
      if (source && slotsOf(source).length === 2) initialCell = initialState;
    }
    const constant = this.constants(label, first.spec, input);
    const each = directionsOf(first).length;
    const states = slots.map((slot) => {
      const field = slot === 'State' ? 'initialState' : 'initialCell';
      const refs = this.references(
        slot,
        slot === 'State' ? initialState : initialCell,
        `${first.spec.type} '${label}': ${field}`,
        each * stack.length,
        constant,
      );
      if (refs.length === each * stack.length) return refs;
      throw new GruError(
        'invalid_argument',
        `${first.spec.type} '${label}': ${field} gives ${refs.length} states, it has ${stack.length} layer(s) of ${each} direction(s)`,
      );
    });
    return stack.map((_, k) => states.flatMap((refs) => refs.slice(k * each, (k + 1) * each)));
  }

  private references(slot: Slot, given: Given, what: string, count: number, constant: Constant): ValueRef[] {
    if (given === undefined) return new Array<ValueRef>(count).fill(constant());
    if (typeof given !== 'string') return given.map((ref) => this.wired.resolve(ref));
    const source = this.wired.stack(given);
    if (source) {
      const port = slotsOf(source).includes(slot) ? slot : 'State';
      return source.flatMap((one) => directionsOf(one).map((direction) => `${one.spec.name}:${direction}${port}`));
    }
    const tensor = this.tensors.local(given);
    const shape = this.wired.isValue(given) ? undefined : this.tensors.shape(tensor);
    if (!shape) return [this.wired.resolve(given)];
    const size = count * constant.size;
    if (product(shape) !== size) {
      throw new GruError(
        'unsupported',
        `${what}: tensor '${given}' has shape ${shapeText(shape)}, it takes ${shapeText([count, 1, constant.size])}`,
      );
    }
    const taken = this.tensors.take(tensor, what, shape);
    return Array.from({ length: count }, (_, i) =>
      constant(async () => (await taken.floats()).slice(i * constant.size, (i + 1) * constant.size)),
    );
  }

  /** Makes vectors that are the same for each sequence: a step of the input, multiplied by zeros. */
  private constants(label: string, { inputSize, hiddenSize }: PendingRecurrent['spec'], input: ValueRef): Constant {
    let step: ValueRef | undefined;
    const constant = (values?: () => Promise<Float32Array>): ValueRef => {
      const name = `${label}_initial`;
      step ??= this.wired.add({
        name,
        inputs: [input],
        load: () => Promise.resolve({ name, type: 'step', index: 0 }),
      });
      return this.wired.add({
        name,
        inputs: [step],
        load: async (): Promise<LayerSpec> => ({
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
}

/** Adds a vector of `size` values, zeros when left out. */
type Constant = ((values?: () => Promise<Float32Array>) => ValueRef) & { size: number };

function slotsOf([first]: PendingRecurrent[]): Slot[] {
  return first?.spec.type === 'lstm' ? ['State', 'Cell'] : ['State'];
}

function directionsOf({ spec }: PendingRecurrent): string[] {
  return spec.direction === 'bidirectional' ? ['forward', 'reverse'] : ['forward'];
}
