import { bytesOf } from '../core/tensors.ts';
import type { Port, ServedModel, Values } from '../core/model.ts';
import { ServeError } from '../errors.ts';
import { decodeRaw } from './raw.ts';
import {
  checkDatatype,
  checkId,
  checkIds,
  checkInputs,
  checkOutputs,
  checkShape,
  inputPort,
  type InferAnswer,
  type InferRequest,
  outputPort,
  sequenceOf,
  valuesOf,
} from './messages.ts';

/** A whole number of 64 bits. */
export interface Long {
  toNumber(): number;
  toString(): string;
}

/** proto/inference.proto as @grpc/proto-loader gives it. */
export interface ProtoParameter {
  bool_param?: boolean;
  int64_param?: Long;
  string_param?: string;
  double_param?: number;
  uint64_param?: Long;
}

interface ProtoTensor {
  name?: string;
  datatype?: string;
  shape?: Long[];
  /** Lists by the names of {@link CONTENTS}, and those of datatypes that no model here has. */
  contents?: Record<string, readonly (number | Long)[] | undefined> | null;
}

export interface ProtoRequest {
  model_name?: string;
  model_version?: string;
  id?: string;
  parameters?: Record<string, ProtoParameter>;
  inputs?: ProtoTensor[];
  outputs?: { name?: string; parameters?: Record<string, ProtoParameter> }[];
  raw_input_contents?: Uint8Array[];
}

const bad = (text: string) => new ServeError('bad_request', text);

/** A request from its message. @throws ServeError `bad_request`, naming what is wrong. */
export function decodeProto(model: ServedModel, request: ProtoRequest): InferRequest {
  const { id = '', inputs: given = [], outputs: wanted = [], raw_input_contents: raw = [], parameters = {} } = request;
  if (raw.length > 0 && raw.length !== given.length) {
    throw bad(`${raw.length} raw_input_contents for ${given.length} inputs`);
  }
  const sequence = sequenceOf(plain(parameters));
  const inputs: InferRequest['inputs'] = {};
  given.forEach((tensor, i) => {
    const port = inputPort(model, tensor.name);
    if (Object.hasOwn(inputs, port.name)) throw bad(`input ${port.name} is there twice`);
    const shape = checkShape(port, tensor.shape?.map(numberOf) ?? [], sequence !== undefined);
    if (raw[i] && Object.values(tensor.contents ?? {}).some((list) => list && list.length > 0)) {
      throw bad(`input ${port.name}: contents and raw_input_contents exclude each other`);
    }
    const data = raw[i] ? decodeRaw(port, shape, tensor.datatype, raw[i]) : contentsOf(port, shape, tensor);
    checkIds(port, data);
    inputs[port.name] = { data, shape };
  });
  checkInputs(model, inputs);
  const ports = wanted.map(({ name, parameters }) => outputPort(model, name, parameters));
  checkOutputs(ports);
  return {
    id: id === '' ? undefined : checkId('id', id),
    inputs,
    outputs: (ports.length > 0 ? ports : model.outputs).map((port) => ({
      port,
      binary: true,
    })),
    sequence,
  };
}

/** An answer as a message, with the values as raw contents. */
export function encodeProto({ id = '', model, outputs, parameters }: InferAnswer, wanted: InferRequest['outputs']) {
  return {
    model_name: model.name,
    model_version: model.version,
    id,
    parameters: Object.fromEntries(Object.entries(parameters).map(([name, value]) => [name, parameterOf(value)])),
    outputs: wanted.map(({ port: { name, datatype } }) => ({
      name,
      datatype,
      shape: outputs[name]!.shape,
    })),
    raw_output_contents: wanted.map(({ port: { name } }) => bytesOf(outputs[name]!.data)),
  };
}

/** Where the values of a datatype are. */
const CONTENTS = { FP32: 'fp32_contents', INT32: 'int_contents', INT64: 'int64_contents' } as const;

function contentsOf(port: Port, shape: readonly number[], { datatype, contents }: ProtoTensor): Values {
  checkDatatype(port, datatype);
  const name = CONTENTS[datatype as keyof typeof CONTENTS];
  const { [name]: list = [], ...others } = contents ?? {};
  const stray = Object.keys(others).find((other) => (others[other]?.length ?? 0) > 0);
  if (stray !== undefined) throw bad(`input ${port.name}: ${datatype!} is in ${name}, not in ${stray}`);
  const expected = valuesOf(shape);
  if (list.length !== expected) {
    throw bad(`input ${port.name}: shape [${shape.join(', ')}] is ${expected} values, but contents has ${list.length}`);
  }
  if (port.datatype === 'FP32') return Float32Array.from(list as number[]);
  return Int32Array.from(list, (value) => {
    const id = numberOf(value);
    if ((id | 0) === id) return id;
    throw bad(`input ${port.name}: ${value.toString()} is no INT32`);
  });
}

function plain(parameters: Record<string, ProtoParameter>): Record<string, unknown> {
  const entries = Object.entries(parameters).map(([name, value]): [string, unknown] => {
    const { bool_param, int64_param, string_param, double_param, uint64_param } = value;
    return [name, bool_param ?? wholeOf(int64_param ?? uint64_param) ?? string_param ?? double_param];
  });
  return Object.fromEntries(entries);
}

const numberOf = (value: number | Long) => (typeof value === 'number' ? value : value.toNumber());

/** As a number where that is exact. */
function wholeOf(value: Long | undefined): number | bigint | undefined {
  if (value === undefined) return undefined;
  const number = value.toNumber();
  return Number.isSafeInteger(number) ? number : BigInt(value.toString());
}

function parameterOf(value: string | number | boolean) {
  if (typeof value === 'boolean') return { bool_param: value };
  return typeof value === 'string' ? { string_param: value } : { int64_param: value };
}
