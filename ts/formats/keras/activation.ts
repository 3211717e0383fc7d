import type { Activation } from '../../spec/spec.ts';
import { isRecord } from '../../base/tensor.ts';
import type { Dialect } from './dialect.ts';
import { Fields } from './fields.ts';

/** Names of Keras's functions that have no parameters here. */
const PLAIN: Record<string, Activation | 'softmax'> = {
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
};

/** Layers that are an elementwise function (or softmax). Each may stand as an activation too. */
export const ACTIVATION_LAYERS = ['ReLU', 'LeakyReLU', 'ELU', 'ThresholdedReLU', 'Softmax'] as const;

export const ACTIVATION_NAMES = [...Object.keys(PLAIN), 'hard_sigmoid'];

/**
 * The value of a field `activation`: a name, null, or a serialised function or layer.
 *
 * @throws GruError `unsupported` for any other function, by name.
 */
export function readActivation(fields: Fields, name: string, dialect: Dialect): Activation | 'softmax' {
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
        return activationLayer(className, inner, undefined);
      }
      return activationNamed(fields, name, className, dialect);
    }
  }
  throw fields.invalid(`${name} must be the name of a function, got ${JSON.stringify(value).slice(0, 100)}`);
}

/** One of Keras's functions, without parameters. @throws GruError `unsupported` */
export function activationNamed(fields: Fields, field: string, name: string, dialect: Dialect): Activation | 'softmax' {
  const plain = name === 'hardSigmoid' ? 'hard_sigmoid' : name;
  if (plain === 'hard_sigmoid') return { name: 'hard_sigmoid', alpha: dialect.hardSigmoidSlope, beta: 0.5 };
  if (Object.hasOwn(PLAIN, plain)) return PLAIN[plain]!;
  throw fields.unsupported(`${field} '${name}' is not supported; supported: ${ACTIVATION_NAMES.join(', ')}`);
}

/** The function of one of {@link ACTIVATION_LAYERS}; `rank` of its input, where it is known, for the axis of softmax. */
export function activationLayer(className: string, fields: Fields, rank: number | undefined): Activation | 'softmax' {
  const activation = readLayer(className, fields, rank);
  fields.finish();
  return activation;
}

function readLayer(className: string, fields: Fields, rank: number | undefined): Activation | 'softmax' {
  switch (className) {
    case 'Softmax': {
      const axis = fields.number('axis', -1);
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
    default: {
      fields.expect('max_value', [null], 'relu has no upper bound here');
      const slope = fields.number('negative_slope', 0);
      const threshold = fields.number('threshold', 0);
      if (threshold === 0) return slope === 0 ? 'relu' : { name: 'leaky_relu', alpha: slope };
      if (slope === 0 && threshold > 0) return { name: 'thresholded_relu', alpha: threshold };
      throw fields.unsupported(`threshold ${threshold} with negative_slope ${slope} is not supported`);
    }
  }
}
