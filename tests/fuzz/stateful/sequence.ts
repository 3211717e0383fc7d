import { expect } from 'vitest';
import { GruModel } from '../../../ts/api/model.ts';
import type { Tensor } from '../../../ts/base/tensor.ts';
import type { Values } from '../../../ts/base/typed-array.ts';
import type { Graph } from '../../../ts/spec/graph.ts';
import { runGroups, type StateGroup } from '../../../ts/spec/state-groups.ts';
import { BACKENDS, type BackendCase } from '../../backends.ts';
import type { Family } from './families.ts';

/** What a stream has been given since it began: all that its rows and states depend on. */
export interface Sequence {
  /** States that it began with, as `hiddenState` has them; undefined: zeros. */
  initial: Float32Array | undefined;
  /** By input: all its rows; of a vector the last. */
  inputs: (Values | undefined)[];
  /** By output: rows that it has given. */
  given: number[];
}

export function begin({ inputs, outputs }: Graph, initial?: Float32Array): Sequence {
  return { initial, inputs: inputs.map(() => undefined), given: outputs.map(() => 0) };
}

export function copyOf({ initial, inputs, given }: Sequence): Sequence {
  return { initial, inputs: [...inputs], given: [...given] };
}

export function join<T extends Values>(parts: readonly T[], like: T): T {
  const type = like.constructor as new (length: number) => T;
  const joined = new type(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    joined.set(part, at);
    at += part.length;
  }
  return joined;
}

/** Adds a block, by input. */
export function feed({ inputs: ports }: Graph, sequence: Sequence, block: readonly Values[]): void {
  block.forEach((values, i) => {
    const before = sequence.inputs[i];
    sequence.inputs[i] = before && ports[i]!.kind === 'sequence' ? join([before, values], values) : values;
  });
}

/** The axis of an input of which an axis is made. */
function rootOf({ axes, derivedAxes }: Graph, axis: number): number {
  while (axis >= axes.length) axis = derivedAxes[axis - axes.length]!.from;
  return axis;
}

/** Whether steps have come on all axes that an output may depend on: of none a run pads, while no stream has begun. */
export function hasBegun(graph: Graph, { inputs }: Sequence, { kind, axis }: Graph['outputs'][number]): boolean {
  if (graph.derivedAxes.length === 0) return true;
  const ofAxis = kind === 'vector' ? undefined : rootOf(graph, axis);
  return inputs.every((values, i) => {
    const port = graph.inputs[i]!;
    return port.kind === 'vector' || (ofAxis !== undefined && port.axis !== ofAxis) || values!.length > 0;
  });
}

/** A model that nothing has been done with. */
export function fresh({ graph }: Family, { backend }: BackendCase): GruModel {
  return new GruModel(graph, backend.compile(graph), backend.name);
}

/** Another backend of the same bits. */
export function likeIt(one: BackendCase, odd: number): BackendCase {
  const alike = BACKENDS.filter(({ exact, name }) => (one.exact ? exact : name === one.name));
  return alike[odd % alike.length]!;
}

function recordOf({ inputs }: Graph, values: readonly (Values | undefined)[]): Record<string, Values> {
  return Object.fromEntries(inputs.map(({ name }, i) => [name, values[i]!]));
}

/** What one sequence gives alone, by a fresh model: outputs by name, and its final states. */
export interface Alone {
  outputs: Record<string, Values>;
  /** By layer and slot, (directions, size). */
  states: Record<string, Float32Array>;
}

export const stateName = ({ layer, slot, only }: StateGroup): string => (only ? layer : `${layer}.${slot}`);

/** The states of a result by {@link stateName}. */
export function flatStates(states: Record<string, unknown>): Record<string, Float32Array> {
  const flat: Record<string, Float32Array> = {};
  for (const [layer, state] of Object.entries(states)) {
    if ('data' in (state as object)) flat[layer] = (state as Tensor).data;
    else
      for (const [slot, { data }] of Object.entries(state as Record<string, Tensor>)) flat[`${layer}.${slot}`] = data;
  }
  return flat;
}

/** A run of one sequence: rows by input, and states by group. */
export function alone(
  family: Family,
  on: BackendCase,
  inputs: readonly (Values | undefined)[],
  states?: (Float32Array | undefined)[],
): Alone {
  using model = fresh(family, on);
  const { graph } = family;
  const initialStates: Record<string, Float32Array | Record<string, Float32Array>> = {};
  runGroups(graph).forEach(({ layer, slot, only }, g) => {
    const state = states?.[g];
    if (state) initialStates[layer] = only ? state : Object.assign(initialStates[layer] ?? {}, { [slot]: state });
  });
  const result = model.run(recordOf(graph, inputs), { ...(states && { initialStates }) });
  const outputs = Object.fromEntries(Object.entries(result.outputs).map(([name, { data }]) => [name, data as Values]));
  return { outputs, states: flatStates(result.states) };
}

/** The states of a sequence, by a stream of a fresh model that is given all of it at once; and what that gave. */
export function streamed(
  family: Family,
  on: BackendCase,
  sequence: Sequence,
): { hiddenState: Float32Array; outputs: Record<string, Values> | undefined } {
  using model = fresh(family, on);
  using stream = model.createStream();
  if (sequence.initial) stream.hiddenState = sequence.initial;
  let outputs: Record<string, Values> | undefined;
  if (sequence.inputs.every(Boolean)) {
    // States of cells alone: a row for each step.
    const sizes = ({ kind, size, axis }: Graph['outputs'][number]) => {
      const at = family.graph.inputs.findIndex((input) => input.kind === 'sequence' && input.axis === axis);
      return kind === 'vector' ? size : (sequence.inputs[at]!.length / family.graph.inputs[at]!.size) * size;
    };
    const x = recordOf(family.graph, sequence.inputs);
    if (sequence.initial) {
      outputs = {};
      for (const port of family.graph.outputs) {
        const array = port.dtype === 'int32' ? new Int32Array(sizes(port)) : new Float32Array(sizes(port));
        outputs[port.name] = array;
      }
      stream.run(x, outputs);
    } else stream.run(x);
  }
  return { hiddenState: stream.hiddenState, outputs };
}

/** All that a sequence has given, by output. */
export function allRows(family: Family, on: BackendCase, sequence: Sequence): Record<string, Values> {
  if (sequence.initial) return streamed(family, on, sequence).outputs!;
  return alone(family, on, sequence.inputs).outputs;
}

/** States of sequences that go side by side, from those of each: slot by slot. */
export function sideBySide({ states }: Graph, each: readonly Float32Array[]): Float32Array {
  const parts: Float32Array[] = [];
  let at = 0;
  for (const { size } of states) {
    for (const one of each) parts.push(one.subarray(at, at + size));
    at += size;
  }
  // The counts of a clock are those of all.
  parts.push(each[0]!.subarray(at));
  return join(parts, each[0]!);
}

const bytes = ({ buffer, byteOffset, byteLength }: ArrayBufferView) => Buffer.from(buffer, byteOffset, byteLength);

/** The same bits; NaNs are alike. */
export function expectBits(got: Values, want: Values, what: string): void {
  if (bytes(got).equals(bytes(want))) return;
  if (got.length !== want.length) expect.fail(`${what}: ${got.length} values, expected ${want.length}`);
  for (let i = 0; i < got.length; i++) {
    if (!Object.is(got[i], want[i]))
      expect.fail(`${what}: value ${i} of ${got.length} is ${got[i]!}, expected ${want[i]!}`);
  }
}
