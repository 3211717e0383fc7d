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
  quote,
  type Sequence,
  sequenceOf,
  valuesOf,
} from './messages.ts';

/** A body of the protocol's HTTP form: JSON, and behind it, by the binary tensor data extension, the values of tensors. */
export interface Body {
  bytes: Uint8Array;
  /** Bytes of JSON; undefined: all of it. */
  jsonLength: number | undefined;
}

type Record_ = Record<string, unknown>;

const bad = (text: string, cause?: unknown) => new ServeError('bad_request', text, { cause });

const isRecord = (value: unknown): value is Record_ =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** Nesting of JSON that is still read: tensors have at most three levels, in an object in a list in an object. */
const MAX_DEPTH = 16;

/** Objects and lists of one body. Each takes 16 to 56 bytes where its text has two: 16 MiB of `{},` were 300 MB. */
const MAX_CONTAINERS = 500_000;

/**
 * @param stream The sequence that the connection is, where it is one.
 * @throws ServeError `bad_request`, naming what is wrong.
 */
export function decodeInfer(model: ServedModel, { bytes, jsonLength }: Body, stream?: Sequence): InferRequest {
  if (jsonLength !== undefined && jsonLength > bytes.length) {
    throw bad(`Inference-Header-Content-Length is ${jsonLength}, but the body has ${bytes.length} bytes`);
  }
  const json = parse(bytes.subarray(0, jsonLength ?? bytes.length));
  if (!isRecord(json)) throw bad('the body must be a JSON object');
  const parameters = recordOf('parameters', json['parameters']);
  const { id, inputs: given, outputs: wanted } = json;
  if (id !== undefined && typeof id !== 'string') throw bad(`id must be a string, got ${quote(id)}`);
  if (!Array.isArray(given)) throw bad(`inputs must be a list of tensors, got ${quote(given)}`);
  const stray = stream && Object.keys(parameters).find((name) => name.startsWith('sequence_'));
  if (stray !== undefined)
    throw bad(`${stray}: the frames of a stream are steps of the sequence that its address names`);
  const sequence = stream ?? sequenceOf(parameters);
  const inputs: InferRequest['inputs'] = {};
  let at = jsonLength ?? bytes.length;
  for (const tensor of given as unknown[]) {
    if (!isRecord(tensor)) throw bad(`an input must be an object, got ${quote(tensor)}`);
    const port = inputPort(model, tensor['name']);
    if (Object.hasOwn(inputs, port.name)) throw bad(`input ${port.name} is there twice`);
    const shape = checkShape(port, tensor['shape'], sequence !== undefined);
    const size = recordOf(`parameters of input ${port.name}`, tensor['parameters'])['binary_data_size'];
    let data: Values;
    if (size === undefined) data = decodeNumbers(port, shape, tensor);
    else {
      if (!Number.isSafeInteger(size) || Number(size) < 0 || at + Number(size) > bytes.length) {
        throw bad(`input ${port.name}: binary_data_size ${quote(size)} does not fit into the body`);
      }
      if (tensor['data'] !== undefined) throw bad(`input ${port.name}: data and binary_data_size exclude each other`);
      data = decodeRaw(port, shape, tensor['datatype'], bytes.subarray(at, (at += Number(size))));
    }
    checkIds(port, data);
    inputs[port.name] = { data, shape };
  }
  if (at !== bytes.length) throw bad(`${bytes.length - at} bytes behind the last tensor`);
  checkInputs(model, inputs);
  return {
    id: id === undefined ? undefined : checkId('id', id),
    inputs,
    outputs: outputsOf(model, wanted, parameters['binary_data_output'] === true),
    sequence,
  };
}

/** An answer as JSON, and the values of the outputs that were asked for as such behind it. */
export function encodeInfer(
  { id, model, outputs, parameters }: InferAnswer,
  wanted: InferRequest['outputs'],
): Required<Body> {
  const binary: Uint8Array[] = [];
  const json = {
    model_name: model.name,
    model_version: model.version,
    ...(id === undefined ? {} : { id }),
    ...(Object.keys(parameters).length > 0 ? { parameters } : {}),
    outputs: wanted.map(({ port: { name, datatype }, binary: isBinary }) => {
      const { data, shape } = outputs[name]!;
      if (!isBinary) return { name, datatype, shape, data: Array.from(data) };
      binary.push(bytesOf(data));
      return {
        name,
        datatype,
        shape,
        parameters: { binary_data_size: data.byteLength },
      };
    }),
  };
  const head = Buffer.from(JSON.stringify(json));
  if (binary.length === 0) return { bytes: head, jsonLength: undefined };
  return { bytes: Buffer.concat([head, ...binary]), jsonLength: head.length };
}

function parse(bytes: Uint8Array): unknown {
  try {
    checkNesting(bytes);
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch (error) {
    if (error instanceof ServeError) throw error;
    throw bad(`the body is no JSON: ${(error as Error).message.slice(0, 200)}`, error);
  }
}

/** Brackets in strings count too where a quote is escaped oddly: the limit is far above what the protocol has. */
function checkNesting(bytes: Uint8Array): void {
  let depth = 0;
  let containers = 0;
  let inString = false;
  for (let i = 0; i < bytes.length; i++) {
    const byte = bytes[i]!;
    if (inString) {
      if (byte === 0x5c) i++;
      else if (byte === 0x22) inString = false;
    } else if (byte === 0x22) inString = true;
    else if (byte === 0x5b || byte === 0x7b) {
      if (++depth > MAX_DEPTH) throw bad(`the body nests deeper than ${MAX_DEPTH} levels`);
      if (++containers > MAX_CONTAINERS)
        throw bad(`the body has more than ${MAX_CONTAINERS} objects and lists: send numbers in one flat list`);
    } else if (byte === 0x5d || byte === 0x7d) depth--;
  }
}

function recordOf(what: string, value: unknown): Record_ {
  if (value === undefined || isRecord(value)) return value ?? {};
  throw bad(`${what} must be an object, got ${quote(value)}`);
}

/** Numbers of JSON, flat or nested by the shape. */
function decodeNumbers(port: Port, shape: number[], { data, datatype }: Record_): Values {
  const what = `input ${port.name}`;
  checkDatatype(port, datatype);
  if (!Array.isArray(data)) throw bad(`${what}: data must be a list of numbers, got ${quote(data)}`);
  const flat = data.some(Array.isArray) ? nestedValues(what, data, shape) : data;
  const expected = valuesOf(shape);
  if (flat.length !== expected) {
    throw bad(`${what}: shape ${quote(shape)} is ${expected} values, but data has ${flat.length}`);
  }
  const isFine = port.datatype === 'INT32' ? isInt32 : isFloat32;
  const wrong = flat.findIndex((value) => !isFine(value));
  if (wrong >= 0) throw bad(`${what}: value ${wrong} is ${quote(flat[wrong])}, no ${port.datatype}`);
  return port.datatype === 'INT32' ? Int32Array.from(flat as number[]) : Float32Array.from(flat as number[]);
}

/** The values of lists that are nested as the shape says. @throws ServeError where they are nested in another way. */
function nestedValues(what: string, data: unknown[], shape: readonly number[]): unknown[] {
  const all: unknown[] = [];
  const take = (list: unknown, depth: number): void => {
    const isList = Array.isArray(list);
    if (isList !== depth < shape.length || (isList && list.length !== shape[depth])) {
      throw bad(`${what}: data is nested in another way than shape ${quote(shape)}: one flat list is taken too`);
    }
    if (isList) for (const one of list as unknown[]) take(one, depth + 1);
    else all.push(list);
  };
  take(data, 0);
  return all;
}

/** JSON has no infinity: what rounds to one is beyond what was meant. */
const isFloat32 = (value: unknown) => typeof value === 'number' && Number.isFinite(Math.fround(value));

const isInt32 = (value: unknown) => typeof value === 'number' && (value | 0) === value;

function outputsOf(model: ServedModel, wanted: unknown, binary: boolean): InferRequest['outputs'] {
  if (wanted === undefined || (Array.isArray(wanted) && wanted.length === 0)) {
    return model.outputs.map((port) => ({ port, binary }));
  }
  if (!Array.isArray(wanted)) throw bad(`outputs must be a list, got ${quote(wanted)}`);
  const outputs = (wanted as unknown[]).map((output) => {
    if (!isRecord(output)) throw bad(`an output must be an object, got ${quote(output)}`);
    const parameters = recordOf('parameters of an output', output['parameters']);
    const asked = parameters['binary_data'];
    return {
      port: outputPort(model, output['name'], parameters),
      binary: typeof asked === 'boolean' ? asked : binary,
    };
  });
  checkOutputs(outputs.map(({ port }) => port));
  return outputs;
}
