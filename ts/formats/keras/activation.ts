import type { RowActivation } from '../../spec/spec.ts';
import { isRecord } from '../../base/tensor.ts';
import type { Dialect } from './dialect.ts';
import { Fields } from './fields.ts';
import { shown } from './shown.ts';

/** Names of Keras's functions that have no parameters here. */
const PLAIN: Record<string, RowActivation> = {
  linear: 'linear',
  sigmoid: 'sigmoid',
  tanh: 'tanh',
  relu: 'relu',
  softsign: 'softsign',
  softplus: 'softplus',
  elu: { name: 'elu', alpha: 1 },
  // keras.activations.leaky_relu's default, which differs from that of the layer.
  leaky_relu: { name: 'leaky_relu', alpha: 0.2 },
  softmax: 'softmax',
  log_softmax: 'log_softmax',
  relu6: { name: 'clip', alpha: 0, beta: 6 },
  selu: 'selu',
  celu: 'celu',
  gelu: 'gelu',
  // TensorFlow.js's name of the form by tanh.
  gelu_new: 'gelu_tanh',
  silu: 'swish',
  swish: 'swish',
  mish: 'mish',
  exponential: 'exp',
  hard_silu: 'hard_swish',
  hard_swish: 'hard_swish',
  hard_tanh: { name: 'clip', alpha: -1, beta: 1 },
  hard_shrink: { name: 'shrink', alpha: 0.5, beta: 0 },
  soft_shrink: { name: 'shrink', alpha: 0.5, beta: 0.5 },
  tanh_shrink: 'tanh_shrink',
  log_sigmoid: 'log_sigmoid',
  sparse_sigmoid: { name: 'hard_sigmoid', alpha: 0.5, beta: 0.5 },
  sparse_plus: 'sparse_plus',
  squareplus: 'squareplus',
};

/** Names in camel case, as TensorFlow.js writes them. */
const SPELLINGS: Record<string, string> = { hardSigmoid: 'hard_sigmoid', relu_6: 'relu6' };

/** Layers that are an elementwise function (or softmax). Each may stand as an activation too. */
export const ACTIVATION_LAYERS = ['ReLU', 'LeakyReLU', 'ELU', 'ThresholdedReLU', 'Softmax'] as const;

const ACTIVATION_NAMES = [...Object.keys(PLAIN), 'hard_sigmoid'];

/**
 * The value of a field `activation`: a name, null, or a serialised function or layer.
 *
 * @throws GruError `unsupported` for any other function, by name.
 */
export function readActivation(fields: Fields, name: string, dialect: Dialect): RowActivation {
  const value = fields.take(name);
  if (value === undefined) throw fields.invalid(`${name} is missing`);
  if (value === null) return 'linear';
  if (typeof value === 'string') return activationNamed(fields, name, value, dialect);
  if (isRecord(value)) {
    const { class_name: className, config, registered_name: registered } = value;
    if (className === 'function') {
      const custom = typeof registered === 'string' && registered !== config;
      const found = custom ? registered : config;
      if (typeof found === 'string') return activationNamed(fields, name, found, dialect);
    } else if (typeof className === 'string') {
      if (isRecord(config) && (ACTIVATION_LAYERS as readonly string[]).includes(className)) {
        const inner = new Fields(`${fields.layer}: ${name} ${className}`, config);
        return oneFunction(className, inner, undefined);
      }
      return activationNamed(fields, name, className, dialect);
    }
  }
  throw fields.invalid(`${name} must be the name of a function, got ${shown(value)}`);
}

/** {@link activationLayer} where there is room for one function alone. */
export function oneFunction(className: string, fields: Fields, rank: number | undefined): RowActivation {
  const [found, ...more] = activationLayer(className, fields, rank);
  if (found !== undefined && more.length === 0) return found;
  throw fields.unsupported('max_value with negative_slope is supported as a layer of features, not here');
}

/** One of Keras's functions, without parameters. @throws GruError `unsupported` */
export function activationNamed(fields: Fields, field: string, name: string, dialect: Dialect): RowActivation {
  const plain = Object.hasOwn(SPELLINGS, name) ? SPELLINGS[name]! : name;
  if (plain === 'hard_sigmoid') return { name: 'hard_sigmoid', alpha: dialect.hardSigmoidSlope, beta: 0.5 };
  if (Object.hasOwn(PLAIN, plain)) return PLAIN[plain]!;
  throw fields.unsupported(`${field} '${name}' is not supported; supported: ${ACTIVATION_NAMES.join(', ')}`);
}

/**
 * The function of one of {@link ACTIVATION_LAYERS}, or two of which one follows the other; `rank` of its input, where it is known, for the axis of
 * softmax.
 */
export function activationLayer(className: string, fields: Fields, rank: number | undefined): RowActivation[] {
  const activation = readLayer(className, fields, rank);
  fields.finish();
  return [activation].flat();
}

function readLayer(className: string, fields: Fields, rank: number | undefined): RowActivation | RowActivation[] {
  switch (className) {
    case 'Softmax': {
      const axis = fields.axis('axis', -1);
      if (axis === -1 || axis + 1 === rank) return 'softmax';
      throw fields.unsupported(`axis ${axis} is not supported; supported: -1, the last`);
    }
    case 'ELU':
      return { name: 'elu', alpha: fields.number('alpha', 1) };
    case 'LeakyReLU': {
      // Keras 2 calls it alpha.
      const alpha = fields.take('negative_slope') === undefined ? 'alpha' : 'negative_slope';
      return { name: 'leaky_relu', alpha: fields.number(alpha, 0.3) };
    }
    case 'ThresholdedReLU':
      return { name: 'thresholded_relu', alpha: fields.number('theta', 1) };
    default:
      return relu(fields);
  }
}

/** max_value where x >= max_value, x where x > threshold, else negative_slope (x - threshold). */
function relu(fields: Fields): RowActivation | RowActivation[] {
  const most = fields.take('max_value') == null ? Infinity : fields.number('max_value');
  const slope = fields.number('negative_slope', 0);
  const threshold = fields.number('threshold', 0);
  for (const [name, value] of Object.entries({ max_value: most, negative_slope: slope, threshold })) {
    if (value < 0) throw fields.invalid(`${name} must not be negative, got ${value}`);
  }
  const bounded = most < Infinity;
  if (threshold === 0 && slope === 0) return bounded ? { name: 'clip', alpha: 0, beta: most } : 'relu';
  const bent: RowActivation =
    slope === 0
      ? { name: 'thresholded_relu', alpha: threshold }
      : { name: 'leaky_relu', alpha: slope, ...(threshold === 0 ? {} : { beta: threshold }) };
  return bounded ? [bent, { name: 'clip', beta: most }] : bent;
}
