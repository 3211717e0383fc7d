import type { Activation, ActivationName } from '../../../../spec/spec.ts';
import { nodeError } from '../../attributes.ts';
import type { NodeContext } from '../../context.ts';

interface Known {
  name: ActivationName;
  /** It takes an alpha, a beta: the default, or null where runtimes disagree about it. */
  alpha?: number | null;
  beta?: number | null;
}

/**
 * The functions that the operator lists, in lower case (names are compared so). Where the specification refers to the
 * operator of the same name for a default and onnxruntime takes 0 instead, there is none: such a model is refused.
 */
const FUNCTIONS: Record<string, Known> = {
  relu: { name: 'relu' },
  tanh: { name: 'tanh' },
  sigmoid: { name: 'sigmoid' },
  affine: { name: 'affine', alpha: null, beta: null },
  leakyrelu: { name: 'leaky_relu', alpha: 0.01 },
  thresholdedrelu: { name: 'thresholded_relu', alpha: null },
  scaledtanh: { name: 'scaled_tanh', alpha: null, beta: null },
  hardsigmoid: { name: 'hard_sigmoid', alpha: 0.2, beta: 0.5 },
  elu: { name: 'elu', alpha: 1 },
  softsign: { name: 'softsign' },
  softplus: { name: 'softplus' },
};

/** Names as the operator's specification spells them. */
const NAMES =
  'Relu, Tanh, Sigmoid, Affine, LeakyRelu, ThresholdedRelu, ScaledTanh, HardSigmoid, Elu, Softsign, Softplus';

/** How many functions a direction has. */
const COUNTS = ['none', 'one', 'two', 'three'];

/**
 * The functions f, g, h of each direction. activation_alpha and activation_beta are lists that the functions which have such a
 * parameter take their value from in turn: [HardSigmoid, ScaledTanh] takes two, [Sigmoid, ScaledTanh] one.
 *
 * @param defaults those of one direction
 */
export function readActivations(
  { attributes, node }: NodeContext,
  defaults: readonly string[],
  directions: number,
): Activation[][] {
  const count = defaults.length;
  const listed = attributes.texts('activations') ?? Array.from({ length: directions }, () => defaults).flat();
  // of RNN the specification's default is a list of two, whatever the direction
  const isOfTwo =
    count === 1 &&
    directions === 1 &&
    listed.length === 2 &&
    listed.every((name) => name.toLowerCase() === defaults[0]!.toLowerCase());
  const names = isOfTwo ? defaults : listed;
  const lists = {
    alpha: attributes.floats('activation_alpha') ?? [],
    beta: attributes.floats('activation_beta') ?? [],
  };
  if (names.length !== count * directions) {
    throw nodeError(
      node,
      `attribute 'activations' lists ${names.length} functions; expected ${count * directions}, ${COUNTS[count]!} a direction`,
      'invalid_file',
    );
  }
  const taken = { alpha: 0, beta: 0 };
  const functions = names.map((given): Activation => {
    const key = given.toLowerCase();
    const known = Object.hasOwn(FUNCTIONS, key) ? FUNCTIONS[key] : undefined;
    if (!known)
      throw nodeError(node, `attribute 'activations' has the unknown function '${given}'; supported: ${NAMES}`);
    const parameters: { alpha?: number; beta?: number } = {};
    for (const parameter of ['alpha', 'beta'] as const) {
      const fallback = known[parameter];
      if (fallback === undefined) continue;
      const value = lists[parameter][taken[parameter]++] ?? fallback;
      if (value === null) {
        throw nodeError(
          node,
          `attribute 'activation_${parameter}' gives no value for ${given}, and runtimes disagree about its default ` +
            `(onnxruntime: 0; the operator ${given}: another): write it into the file`,
        );
      }
      if (!Number.isFinite(value))
        throw nodeError(node, `attribute 'activation_${parameter}' holds ${value}`, 'invalid_file');
      parameters[parameter] = value;
    }
    return Object.keys(parameters).length === 0 ? known.name : { name: known.name, ...parameters };
  });
  for (const parameter of ['alpha', 'beta'] as const) {
    const surplus = lists[parameter].length - taken[parameter];
    if (surplus <= 0) continue;
    throw nodeError(
      node,
      `attribute 'activation_${parameter}' has ${lists[parameter].length} values, but the functions ${names.join(', ')} take ` +
        `${taken[parameter]}: which belongs to which is not said`,
    );
  }
  return Array.from({ length: directions }, (_, d) => functions.slice(d * count, (d + 1) * count));
}
