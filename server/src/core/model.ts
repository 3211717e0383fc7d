import { createHash } from 'node:crypto';
import type { GruModel, InputInfo, OutputInfo } from 'gru-wasm';

/** Values of one tensor: features, or ids. */
export type Values = Float32Array | Int32Array;

/** Tensors by name, flat. */
export type Tensors = Record<string, Values>;

/** One input or output of a model, as the protocol describes it. */
export interface Port {
  name: string;
  datatype: 'FP32' | 'INT32';
  /** With -1 for the batch and for steps. */
  shape: number[];
  /** Values a step, or of the whole vector. */
  size: number;
  hasSteps: boolean;
  vocabularySize: number | undefined;
}

/** A model under the name by which clients ask for it. */
export interface ServedModel {
  name: string;
  version: string;
  model: GruModel;
  inputs: Port[];
  outputs: Port[];
  /** Bytes that one live sequence's states take. */
  stateBytes: number;
}

export function serveModel(name: string, model: GruModel, version = '1'): ServedModel {
  return {
    name,
    version,
    model,
    inputs: model.inputs.map(portOf),
    outputs: model.outputs.map(portOf),
    stateBytes: 4 * model.states.reduce((sum, { shape: [count, , size] }) => sum + Number(count) * Number(size), 0),
  };
}

/** Tells models apart, whichever files they come from. */
export const digestOf = (model: GruModel) => createHash('sha256').update(model.save()).digest('hex');

function portOf(info: InputInfo | OutputInfo): Port {
  const { name, dtype, shape } = info;
  const sizes = shape.filter((dimension) => typeof dimension === 'number');
  return {
    name,
    datatype: dtype === 'int32' ? 'INT32' : 'FP32',
    shape: shape.map((dimension) => (typeof dimension === 'number' ? dimension : -1)),
    size: sizes.reduce((product, n) => product * n, 1),
    hasSteps: shape.includes('steps'),
    vocabularySize: 'vocabularySize' in info ? info.vocabularySize : undefined,
  };
}
