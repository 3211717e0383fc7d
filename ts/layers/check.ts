import { GruError } from '../base/errors.ts';
import type { AnyLayer } from './spec.ts';
import { describe } from '../base/tensor.ts';
import type { ValueShape } from './kind.ts';

/** Builds the `invalid_spec` error for a layer. */
export function specError(layer: AnyLayer, message: string): GruError {
  return new GruError('invalid_spec', `${layer.type} layer '${layer.name}': ${message}`);
}

/** Largest size of a dimension: 2^24, so that products stay exact and offsets fit into 32 bits. */
export const MAX_SIZE = 2 ** 24;

export function checkSize(layer: AnyLayer, field: string, value: unknown): void {
  if (typeof value !== 'number' || !Number.isInteger(value) || value < 1 || value > MAX_SIZE) {
    throw specError(layer, `${field} must be a whole number from 1 to ${MAX_SIZE}, got ${describe(value)}`);
  }
}

export function checkFinite(layer: AnyLayer, field: string, value: unknown): void {
  if (!Number.isFinite(value)) throw specError(layer, `${field} must be a finite number, got ${describe(value)}`);
}

export function checkChoice(layer: AnyLayer, field: string, value: unknown, choices: readonly string[]): void {
  if (value !== undefined && !choices.includes(value as string)) {
    throw specError(layer, `${field} must be one of ${choices.join(', ')}, got ${describe(value)}`);
  }
}

export function checkFlag(layer: AnyLayer, field: string, value: unknown): void {
  if (value !== undefined && typeof value !== 'boolean') {
    throw specError(layer, `${field} must be true or false, got ${describe(value)}`);
  }
}

/** The one float input of a layer. */
export function onlyInput(layer: AnyLayer, inputs: ValueShape[], size?: number): ValueShape {
  const [input] = inputs;
  if (inputs.length !== 1 || !input) throw specError(layer, `takes one input, got ${inputs.length}`);
  if (input.dtype !== 'float32') throw specError(layer, 'takes float32 values, its input holds int32 ids');
  if (size !== undefined && input.size !== size) {
    throw specError(layer, `inputSize is ${size}, but its input has ${input.size} values a row`);
  }
  return input;
}

const bits = new Uint32Array(1);
const float = new Float32Array(bits.buffer);

/** The bits of a number as float32. */
export function floatBits(value: number): number {
  float[0] = value;
  return bits[0] ?? 0;
}
