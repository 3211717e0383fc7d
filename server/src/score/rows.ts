import { CommandError, EXIT } from 'gru-wasm/command';
import type { Port, Values } from '../core/model.ts';

/** What says which row is which; it goes from the input to the output as it is. */
export type RowId = string | number | bigint | undefined;

/** A sequence of the input. */
export interface Row {
  id: RowId;
  inputs: Record<string, Values>;
  /** For messages: the file, and where in it. */
  where: string;
}

/** What the model says of a row: a vector (size), or a sequence (steps, size); ids have no size. */
export interface Result {
  id: RowId;
  outputs: Record<string, { data: Values; shape: number[] }>;
}

export const dataError = (message: string, cause?: unknown) => new CommandError(EXIT.data, message, { cause });

/** A row from its fields by name. @throws CommandError that names the field. */
export function rowOf(fields: Record<string, unknown>, ports: readonly Port[], id: string, where: string): Row {
  const inputs = Object.fromEntries(
    ports.map((port) => {
      if (!Object.hasOwn(fields, port.name)) {
        const found = Object.keys(fields).slice(0, 20).join(', ');
        throw dataError(`${where}: nothing for input '${port.name}', the row has ${found || 'no fields'}`);
      }
      return [port.name, valuesOf(port, fields[port.name], where)];
    }),
  );
  return { id: idOf(Object.hasOwn(fields, id) ? fields[id] : undefined, id, where), inputs, where };
}

function idOf(given: unknown, name: string, where: string): RowId {
  if (given === undefined || given === null) return undefined;
  // It may have been rounded, to that of another row.
  if (typeof given === 'number' && !(Math.abs(given) <= Number.MAX_SAFE_INTEGER))
    throw dataError(
      `${where}: ${name} is a number beyond 2^53, or none (${given}), which is not exact: write a text, or in Parquet INT64`,
    );
  if (typeof given === 'string' || typeof given === 'number' || typeof given === 'bigint') return given;
  throw dataError(`${where}: ${name} must be a text or a number`);
}

/**
 * Values of an input: a flat list, or a list of steps.
 *
 * @throws CommandError where they are no numbers, or not as many as the model takes.
 */
export function valuesOf({ name, datatype, size, hasSteps }: Port, given: unknown, where: string): Values {
  const refuse = (text: string) => dataError(`${where}: input '${name}' ${text}`);
  if (!Array.isArray(given)) throw refuse('must be a list of numbers, or a list of steps');
  const nested = given.some(Array.isArray);
  if (nested && !given.every((step) => Array.isArray(step) && step.length === size)) {
    throw refuse(`must have ${size} numbers in each step`);
  }
  const flat = (nested ? given.flat() : given) as unknown[];
  if (hasSteps ? flat.length % size !== 0 : flat.length !== size) {
    throw refuse(`has ${flat.length} numbers, the model takes ${size}${hasSteps ? ' a step' : ''}`);
  }
  const values = datatype === 'INT32' ? new Int32Array(flat.length) : new Float32Array(flat.length);
  for (let i = 0; i < flat.length; i++) {
    const value = datatype === 'FP32' && flat[i] === null ? NaN : numberFrom(flat[i]);
    // An id that does not fit would become another one.
    if (value === undefined || (datatype === 'INT32' ? (value | 0) !== value : !isFloat32(value))) {
      throw refuse(`has ${JSON.stringify(String(flat[i]))} as number ${i + 1}`);
    }
    values[i] = value;
  }
  return values;
}

/** What rounds to an infinity and is none is beyond what was meant. */
const isFloat32 = (value: number) => Number.isFinite(Math.fround(value)) || !Number.isFinite(value);

const numberFrom = (value: unknown) =>
  typeof value === 'number' ? value : typeof value === 'bigint' ? Number(value) : undefined;
