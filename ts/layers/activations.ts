import type { Activation, ActivationName, AnyLayer } from './spec.ts';
import { describe } from '../base/tensor.ts';
import { checkChoice, floatBits, specError } from './check.ts';

/**
 * Elementwise functions: their number in crate/src/kernels/activation.rs and the defaults of alpha and beta (undefined: the
 * function has no such parameter). Source of names, equations and defaults: the ONNX operator specification (RNN, GRU).
 *
 * | name | f(x) |
 * |---|---|
 * | linear | x |
 * | sigmoid | 1 / (1 + e^-x) |
 * | tanh | (e^2x - 1) / (e^2x + 1) |
 * | relu | max(0, x) |
 * | hard_sigmoid | min(1, max(0, alpha x + beta)) |
 * | softsign | x / (1 + abs(x)) |
 * | softplus | log(1 + e^x) |
 * | elu | x where x >= 0, else alpha (e^x - 1) |
 * | leaky_relu | x where x >= 0, else alpha x |
 * | thresholded_relu | x where x > alpha, else 0 |
 * | scaled_tanh | alpha tanh(beta x) |
 * | affine | alpha x + beta |
 */
export const ACTIVATIONS: Record<ActivationName, { code: number; alpha?: number; beta?: number }> = {
  linear: { code: 0 },
  sigmoid: { code: 1 },
  tanh: { code: 2 },
  relu: { code: 3 },
  hard_sigmoid: { code: 4, alpha: 0.2, beta: 0.5 },
  softsign: { code: 5 },
  softplus: { code: 6 },
  elu: { code: 7, alpha: 1 },
  leaky_relu: { code: 8, alpha: 0.01 },
  thresholded_relu: { code: 9, alpha: 1 },
  scaled_tanh: { code: 10, alpha: 1, beta: 1 },
  affine: { code: 11, alpha: 1, beta: 0 },
};

/** The number that stands for softmax where a layer allows it. */
export const SOFTMAX = 12;

/** An activation with its parameters filled in. */
export interface ResolvedActivation {
  code: number;
  alpha: number;
  beta: number;
}

/** Fills in defaults. */
export function resolveActivation(activation: Activation | 'softmax'): ResolvedActivation {
  if (activation === 'softmax') return { code: SOFTMAX, alpha: 0, beta: 0 };
  const { name, alpha, beta } = typeof activation === 'string' ? { name: activation } : activation;
  const known = ACTIVATIONS[name];
  return { code: known.code, alpha: alpha ?? known.alpha ?? 0, beta: beta ?? known.beta ?? 0 };
}

/** The three words that tell the core of an activation: code, alpha, beta. */
export function activationWords(activation: Activation | 'softmax'): number[] {
  const { code, alpha, beta } = resolveActivation(activation);
  return [code, floatBits(alpha), floatBits(beta)];
}

/** @throws GruError `invalid_spec` for an unknown name, or a parameter that the function does not have. */
export function checkActivation(layer: AnyLayer, field: string, activation: unknown, softmax = false): void {
  if (activation === undefined || (softmax && activation === 'softmax')) return;
  if (typeof activation === 'string') {
    if (Object.hasOwn(ACTIVATIONS, activation)) return;
    checkChoice(layer, field, activation, [...Object.keys(ACTIVATIONS), ...(softmax ? ['softmax'] : [])]);
  }
  if (typeof activation !== 'object' || activation === null) {
    throw specError(layer, `${field} must be a name or { name, alpha, beta }, got ${describe(activation)}`);
  }
  const { name, alpha, beta, ...rest } = activation as Record<string, unknown>;
  if (name === undefined) throw specError(layer, `${field} has no name`);
  checkChoice(layer, `${field}.name`, name, Object.keys(ACTIVATIONS));
  const known = ACTIVATIONS[name as ActivationName];
  for (const [key, value, exists] of [
    ['alpha', alpha, known.alpha !== undefined],
    ['beta', beta, known.beta !== undefined],
  ] as const) {
    if (value === undefined) continue;
    if (!exists) throw specError(layer, `${field}: ${name as ActivationName} has no ${key}`);
    if (typeof value !== 'number' || !Number.isFinite(value)) {
      throw specError(layer, `${field}.${key} must be a finite number, got ${describe(value)}`);
    }
  }
  const [unknown] = Object.keys(rest);
  if (unknown !== undefined) throw specError(layer, `${field} has an unknown field '${unknown}'`);
}
