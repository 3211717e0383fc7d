import type { Graph, GraphValue } from './graph.ts';
import type { StateSlot } from '../layers/kind.ts';
import type { LayerSpec, ValueKind } from './spec.ts';
import { groupStates, isOfRuns } from './state-groups.ts';
import { type Dimension, product } from '../base/tensor.ts';
import { weightsOf } from '../base/weights.ts';

/** What a model is, for reading. */
export interface ModelInfo {
  /** What `run` and `step` take, in order. */
  readonly inputs: readonly InputInfo[];
  /** What they return, in order. */
  readonly outputs: readonly OutputInfo[];
  /** The layers, in the order in which they run. */
  readonly layers: readonly LayerInfo[];
  /** The states: one entry a gru or rnn layer, two an lstm layer, one a convolution that streams, in the order of the layers. */
  readonly states: readonly StateInfo[];
  /** Whether `createStream` works: no layer reads a sequence from its end. */
  readonly streamable: boolean;
}

/** What a model takes. */
export interface InputInfo {
  /** By which `run` takes it, where there are several. */
  readonly name: string;
  /** `int32` for ids. */
  readonly dtype: 'float32' | 'int32';
  /** (batch, steps, size), as far as it has these: `['batch', 'steps', 64]`. */
  readonly shape: readonly Dimension[];
  /** For ids: valid ones are 0 .. vocabularySize - 1. */
  readonly vocabularySize?: number;
  /** The time axis of its steps, where the model has several. */
  readonly axis?: string;
}

/** What a model gives. */
export interface OutputInfo {
  /** By which results have it in `outputs`. */
  readonly name: string;
  /** `int32` where a layer gives ids: its results are Int32Arrays. */
  readonly dtype: 'float32' | 'int32';
  /** (batch, steps, size), as far as it has these: `['batch', 'steps', 64]`. */
  readonly shape: readonly Dimension[];
  /** The time axis of its steps, where the model has several. */
  readonly axis?: string;
}

/** A layer of a model. */
export interface LayerInfo {
  /** By which `trace`, states and errors call it. */
  readonly name: string;
  /** Its kind. */
  readonly type: LayerSpec['type'];
  /** Shape of the layer's main value. */
  readonly shape: readonly Dimension[];
  /** Number of weights. */
  readonly parameters: number;
}

/** A state that goes on from step to step. */
export interface StateInfo {
  /** Name of the layer. */
  readonly name: string;
  /** Which of its states: `hidden`, an lstm's `cell`, or the `past` that a convolution's windows need. */
  readonly slot: StateSlot['slot'];
  /** (directions, batch, size). */
  readonly shape: readonly Dimension[];
  /** Whether `initialStates` may give it: false where the model itself computes it, and for a `past`, which streams alone carry on. */
  readonly settable: boolean;
}

function shapeOf(kind: ValueKind, row: readonly number[]): Dimension[] {
  return ['batch', ...(kind === 'sequence' ? ['steps' as const] : []), ...row];
}

function rowOf({ dtype, size }: Pick<GraphValue, 'dtype' | 'size'>): number[] {
  return dtype === 'int32' ? [] : [size];
}

export function describeModel(graph: Graph): ModelInfo {
  const axisOf = (kind: ValueKind, axis: number) =>
    kind === 'sequence' && graph.axes.length > 1 ? { axis: graph.axes[axis]! } : {};
  return {
    inputs: graph.inputs.map(({ name, dtype, kind, row, axis, vocabularySize }) => ({
      name,
      dtype,
      shape: shapeOf(kind, row),
      ...axisOf(kind, axis),
      ...(dtype === 'int32' ? { vocabularySize } : {}),
    })),
    outputs: graph.outputs.map(({ name, dtype, kind, row, axis }) => ({
      name,
      dtype,
      shape: shapeOf(kind, row),
      ...axisOf(kind, axis),
    })),
    layers: graph.nodes.map(({ layer, kind, firstOutput, outputCount }) => {
      const main = `${layer.name}:${kind.mainPort?.(layer) ?? ''}`;
      const ports = graph.values.slice(firstOutput, firstOutput + outputCount);
      const value = ports.find(({ ref }) => ref === main) ?? ports[0];
      const weights = weightsOf(layer);
      const present = kind.tensors(layer).filter(({ key }) => weights[key] !== undefined);
      return {
        name: layer.name,
        type: layer.type,
        shape: value ? shapeOf(value.kind, rowOf(value)) : [],
        parameters: present.reduce((sum, { shape }) => sum + product(shape), 0),
      };
    }),
    states: groupStates(graph).map(({ layer, slot, count, size, fromGraph }) => ({
      name: layer,
      slot,
      shape: [count, 'batch', size],
      settable: !fromGraph && isOfRuns({ slot }),
    })),
    streamable: graph.notStreamable === undefined,
  };
}
