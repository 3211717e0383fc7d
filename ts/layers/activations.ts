import type { Activation, ActivationName, AnyLayer, RowActivation } from './spec.ts';
import { describe } from '../base/tensor.ts';
import { checkChoice, checkFinite, floatBits, specError } from './check.ts';

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
 * | softplus | log(1 + e^(alpha x)) / alpha |
 * | elu | x where x >= 0, else alpha (e^x - 1) |
 * | leaky_relu | x where x > beta, else alpha (x - beta) |
 * | thresholded_relu | x where x > alpha, else beta |
 * | scaled_tanh | alpha tanh(beta x) |
 * | affine | alpha x + beta |
 * | swish | x / (1 + e^(-alpha x)) |
 * | gelu | x (1 + erf(x / sqrt(2))) / 2 |
 * | gelu_tanh | x (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))) / 2 |
 * | selu | beta x where x >= 0, else beta alpha (e^x - 1) |
 * | celu | x where x >= 0, else alpha (e^(x / alpha) - 1) |
 * | mish | x tanh(log(1 + e^x)) |
 * | hard_swish | x min(1, max(0, alpha x + beta)) |
 * | clip | max(alpha, min(beta, x)); left out: no bound |
 * | shrink | x + beta where x < -alpha, x - beta where x > alpha, else 0 |
 * | tanh_shrink | x - tanh(x) |
 * | log_sigmoid | -log(1 + e^-x) |
 * | exp, log, erf, sqrt, abs, sign | |
 * | square | x^2 |
 * | reciprocal | 1 / x |
 * | round | the nearest whole number, the even one of two |
 * | floor, ceil | |
 * | squareplus | (x + sqrt(x^2 + alpha)) / 2 |
 * | sparse_plus | 0 where x <= -1, x where x >= 1, else (x + 1)^2 / 4 |
 */
export const ACTIVATIONS: Record<ActivationName, { code: number; alpha?: number; beta?: number }> = {
  linear: { code: 0 },
  sigmoid: { code: 1 },
  tanh: { code: 2 },
  relu: { code: 3 },
  hard_sigmoid: { code: 4, alpha: 0.2, beta: 0.5 },
  softsign: { code: 5 },
  softplus: { code: 6, alpha: 1 },
  elu: { code: 7, alpha: 1 },
  leaky_relu: { code: 8, alpha: 0.01, beta: 0 },
  thresholded_relu: { code: 9, alpha: 1, beta: 0 },
  scaled_tanh: { code: 10, alpha: 1, beta: 1 },
  affine: { code: 11, alpha: 1, beta: 0 },
  swish: { code: 14, alpha: 1 },
  gelu: { code: 15 },
  gelu_tanh: { code: 16 },
  selu: { code: 17, alpha: 1.6732632423543772, beta: 1.0507009873554805 },
  celu: { code: 18, alpha: 1 },
  mish: { code: 19 },
  hard_swish: { code: 20, alpha: 1 / 6, beta: 0.5 },
  clip: { code: 21, alpha: -Infinity, beta: Infinity },
  shrink: { code: 22, alpha: 0.5, beta: 0 },
  tanh_shrink: { code: 23 },
  log_sigmoid: { code: 24 },
  exp: { code: 25 },
  log: { code: 26 },
  erf: { code: 27 },
  sqrt: { code: 28 },
  square: { code: 29 },
  abs: { code: 30 },
  reciprocal: { code: 31 },
  sign: { code: 32 },
  round: { code: 33 },
  floor: { code: 34 },
  ceil: { code: 35 },
  squareplus: { code: 36, alpha: 4 },
  sparse_plus: { code: 37 },
};

/** Functions of a whole row, where a layer allows them. */
const OF_ROWS = { softmax: 12, log_softmax: 13 } as const;

/** Whether this is the number of a function of whole rows. */
export function isOfRows(code: number): boolean {
  return code === OF_ROWS.softmax || code === OF_ROWS.log_softmax;
}

function rowCode(activation: unknown): number | undefined {
  return typeof activation === 'string' && Object.hasOwn(OF_ROWS, activation)
    ? OF_ROWS[activation as keyof typeof OF_ROWS]
    : undefined;
}

/** An activation with its parameters filled in. */
export interface ResolvedActivation {
  code: number;
  alpha: number;
  beta: number;
}

/** Fills in defaults. */
export function resolveActivation(activation: RowActivation): ResolvedActivation {
  const code = rowCode(activation);
  if (code !== undefined) return { code, alpha: 0, beta: 0 };
  const given = activation as Activation;
  const { name, alpha, beta } = typeof given === 'string' ? { name: given } : given;
  const known = ACTIVATIONS[name];
  return { code: known.code, alpha: alpha ?? known.alpha ?? 0, beta: beta ?? known.beta ?? 0 };
}

/** The three words that tell the core of an activation: code, alpha, beta. */
export function activationWords(activation: RowActivation): number[] {
  const { code, alpha, beta } = resolveActivation(activation);
  return [code, floatBits(alpha), floatBits(beta)];
}

/** @throws GruError `invalid_spec` for an unknown name, or a parameter that the function does not have. */
export function checkActivation(layer: AnyLayer, field: string, activation: unknown, ofRows = false): void {
  if (activation === undefined || (ofRows && rowCode(activation) !== undefined)) return;
  if (typeof activation === 'string') {
    if (Object.hasOwn(ACTIVATIONS, activation)) return;
    checkChoice(layer, field, activation, [...Object.keys(ACTIVATIONS), ...(ofRows ? Object.keys(OF_ROWS) : [])]);
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
    checkFinite(layer, `${field}.${key}`, value);
  }
  const [unknown] = Object.keys(rest);
  if (unknown !== undefined) throw specError(layer, `${field} has an unknown field '${unknown}'`);
}
