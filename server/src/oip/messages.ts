import type { SequenceCall } from '../core/sequence.ts';
import type { Port, ServedModel, Values } from '../core/model.ts';
import { ServeError } from '../errors.ts';
import { VERSION } from '../version.ts';

/** Open Inference Protocol 2, as all of its transports carry it. */

export interface InferTensor {
  data: Values;
  shape: number[];
}

export type Sequence = Omit<SequenceCall, 'owner' | 'key'>;

/** A request for inference, checked against the model. */
export interface InferRequest {
  id: string | undefined;
  inputs: Record<string, InferTensor>;
  /** Outputs asked for, all of the model's where the request names none. */
  outputs: { port: Port; binary: boolean }[];
  /** Undefined for whole sequences. */
  sequence: Sequence | undefined;
  /** The caller's span, as W3C Trace Context writes it. */
  traceparent?: string | undefined;
}

export interface InferAnswer {
  id: string | undefined;
  model: ServedModel;
  outputs: Record<string, InferTensor>;
  parameters: Record<string, string | number | boolean>;
}

/** Most sequences of a request: what a run takes. */
const MAX_BATCH = 2 ** 20;

/** Most characters of a sequence's or a request's id. */
const MAX_ID = 256;

const bad = (text: string) => new ServeError('bad_request', text);

/** The protocol's words for what a model is. */
export function metadataOf({ name, version, inputs, outputs }: ServedModel) {
  const ports = (list: readonly Port[]) => list.map(({ name, datatype, shape }) => ({ name, datatype, shape }));
  return {
    name,
    versions: [version],
    platform: 'gru-wasm',
    inputs: ports(inputs),
    outputs: ports(outputs),
  };
}

/** @throws ServeError for a shape that is none, or not the input's. */
export function checkShape(port: Port, shape: unknown, isLive: boolean): number[] {
  const what = `input ${port.name}`;
  const isShape = Array.isArray(shape) && shape.every((n) => Number.isSafeInteger(n) && n >= 0 && n <= 2 ** 30);
  if (isShape && shape[0] > MAX_BATCH)
    throw bad(`${what}: a request has at most ${MAX_BATCH} sequences, got ${shape[0]}`);
  const expected = `[${port.shape.map((n, i) => (n < 0 ? (i === 0 ? 'batch' : 'steps') : n)).join(', ')}]`;
  const dimensions = shape as number[];
  const fits =
    isShape && dimensions.length === port.shape.length && port.shape.every((n, i) => n < 0 || n === dimensions[i]);
  if (!fits) throw bad(`${what}: expected shape ${expected}, got ${quote(shape)}`);
  if (!isLive) return dimensions;
  if (dimensions[0] !== 1) throw bad(`${what}: a request of a sequence has batch 1, got ${dimensions[0]!}`);
  if (dimensions.includes(0)) throw bad(`${what}: a request of a sequence has at least one step, got none`);
  return dimensions;
}

/** Datatypes of the protocol that an input is given in: ids may be wide. */
function datatypesOf({ datatype }: Port): string[] {
  return datatype === 'INT32' ? ['INT32', 'INT64'] : ['FP32'];
}

/** @throws ServeError for a datatype that the input is not given in. */
export function checkDatatype(port: Port, datatype: unknown): void {
  const known = datatypesOf(port);
  if (typeof datatype === 'string' && known.includes(datatype)) return;
  throw bad(`input ${port.name}: expected datatype ${known.join(' or ')}, got ${quote(datatype)}`);
}

export const valuesOf = (shape: readonly number[]) => shape.reduce((product, n) => product * n, 1);

/** @throws ServeError for ids outside of the vocabulary: alone they are refused, in a batch all of it would be. */
export function checkIds({ name, vocabularySize }: Port, data: Values): void {
  if (vocabularySize === undefined) return;
  const wrong = data.findIndex((id) => id < 0 || id >= vocabularySize);
  if (wrong >= 0) throw bad(`input ${name}: ids are 0 to ${vocabularySize - 1}, got ${data[wrong]!}`);
}

/** The list of models: all are loaded before the server listens. */
export function repositoryOf(models: readonly ServedModel[]) {
  return models.map(({ name, version }) => ({ name, version, state: 'READY' }));
}

export function describeServer() {
  const extensions = ['binary_tensor_data', 'sequence', 'model_repository'];
  return { name: 'gru-wasm-server', version: VERSION, extensions };
}

/** Whether all inputs are there, and none that the model does not know. */
export function checkInputs(model: ServedModel, inputs: Record<string, InferTensor>): void {
  const missing = model.inputs.find(({ name }) => !Object.hasOwn(inputs, name));
  if (missing) throw bad(`input ${missing.name} is missing: model ${model.name} takes ${namesOf(model.inputs)}`);
  const batches = new Set(Object.values(inputs).map(({ shape }) => shape[0]));
  if (batches.size > 1) throw bad(`the inputs have different batches: ${[...batches].join(', ')}`);
}

export function inputPort(model: ServedModel, name: unknown): Port {
  const port = model.inputs.find((one) => one.name === name);
  if (port) return port;
  throw bad(`model ${model.name} has no input ${quote(name)}: it takes ${namesOf(model.inputs)}`);
}

export function outputPort(model: ServedModel, name: unknown, parameters: Record<string, unknown> = {}): Port {
  if (parameters['classification'] !== undefined) throw bad('outputs: classification is not supported');
  const port = model.outputs.find((one) => one.name === name);
  if (port) return port;
  throw bad(`model ${model.name} has no output ${quote(name)}: it gives ${namesOf(model.outputs)}`);
}

/** @throws ServeError where an output is asked for twice. */
export function checkOutputs(ports: readonly Port[]): void {
  if (new Set(ports).size < ports.length) throw bad('outputs: one is asked for twice');
}

/** Triton's sequence extension; `sequence_step`, which makes a request safe to send again; and `sequence_snapshot`, which has the state written at once. */
export function sequenceOf(parameters: Record<string, unknown>): Sequence | undefined {
  const { sequence_id: id, sequence_start: start, sequence_end: end, sequence_step: step } = parameters;
  const { sequence_snapshot: snapshot } = parameters;
  const flag = (name: string, value: unknown) => {
    if (value === undefined || typeof value === 'boolean') return value ?? false;
    throw bad(`${name} must be true or false, got ${quote(value)}`);
  };
  const flags = {
    start: flag('sequence_start', start),
    end: flag('sequence_end', end),
    snapshot: flag('sequence_snapshot', snapshot),
  };
  // As in Triton, 0 and the empty string say that there is none.
  if (id === undefined || id === 0 || id === '') {
    if (!Object.values(flags).includes(true) && step === undefined) return undefined;
    const words = 'sequence_start, sequence_end, sequence_step and sequence_snapshot';
    throw bad(`${words} are for a sequence: give its sequence_id`);
  }
  const name = nameOf(id);
  if (step !== undefined && !(Number.isSafeInteger(step) && Number(step) >= 0)) {
    throw bad(`sequence_step must be a whole number, got ${quote(step)}`);
  }
  return { id: name, ...flags, step: step as number | undefined };
}

/** What a sequence is called here: '7' and 7 are two. @throws ServeError. */
function nameOf(id: unknown): string {
  if (typeof id === 'string') return `s:${checkId('sequence_id', id)}`;
  // gRPC has 64 bits, and gives a BigInt for what no number holds.
  if (typeof id === 'bigint' ? id > 0n : Number.isSafeInteger(id) && Number(id) > 0) return `n:${quote(id)}`;
  // It has been rounded, to that of another sequence perhaps.
  const hint = Number(id) > Number.MAX_SAFE_INTEGER ? ': JSON numbers beyond that are not exact, send a string' : '';
  throw bad(`sequence_id must be a string, or a whole number up to 2^53 - 1, got ${quote(id)}${hint}`);
}

export function checkId(what: string, id: string): string {
  // In UTF-8 they would all be the same.
  if (/\p{Surrogate}/u.test(id)) throw bad(`${what} has half of a surrogate pair`);
  if (id.length <= MAX_ID) return id;
  throw bad(`${what} has ${id.length} characters, more than ${MAX_ID}`);
}

export function quote(value: unknown): string {
  if (typeof value === 'bigint') return String(value);
  // It gives undefined for undefined, whatever its type says.
  const text = JSON.stringify(value) as string | undefined;
  return text?.slice(0, 100) ?? 'nothing';
}

const namesOf = (ports: readonly Port[]) => ports.map(({ name }) => name).join(', ');
