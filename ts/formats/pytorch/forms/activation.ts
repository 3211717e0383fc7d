import type { RowActivation } from '../../../spec/spec.ts';
import { GruError } from '../../../base/errors.ts';
import { describe, isRecord } from '../../../base/tensor.ts';
import { ACTIVATIONS } from '../../../layers/activations.ts';
import { ANY, BASE } from './checks.ts';
import type { Form, PytorchLayerBase } from './form.ts';

/** Functions that have another name in PyTorch (of `torch.nn.functional`), or have only there one. */
const NAMES = {
  relu6: { name: 'clip', alpha: 0, beta: 6 },
  hardtanh: { name: 'clip', alpha: -1, beta: 1 },
  hardsigmoid: { name: 'hard_sigmoid', alpha: 1 / 6, beta: 0.5 },
  hardswish: 'hard_swish',
  silu: 'swish',
  logsigmoid: 'log_sigmoid',
  tanhshrink: 'tanh_shrink',
} as const satisfies Record<string, RowActivation>;

/** A function by the name of ours or of PyTorch's; `alpha` and `beta` of `hardtanh` are its bounds. */
export type TorchActivation =
  RowActivation | keyof typeof NAMES | { name: keyof typeof NAMES; alpha?: number; beta?: number };

/** `nn.ReLU`, `nn.Tanh`, `nn.Softmax(dim=-1)`, ... */
export interface PytorchActivation extends PytorchLayerBase {
  /** The function. */
  activation: TorchActivation;
}

export const activation: Form<'activation', PytorchActivation> = {
  value: ANY,
  fields: BASE,
  read: (line, { name }) => ({
    load: () => ({ name, type: 'activation', activation: torchActivation(line.activation) }),
  }),
};

/** All names that are read. */
const KNOWN: readonly string[] = [
  ...new Set([...Object.keys(ACTIVATIONS), ...Object.keys(NAMES), 'softmax', 'log_softmax']),
];

/** The function that is called so, in whatever case, with or without underscores: `LeakyReLU`. */
export function activationNamed(name: string): string | undefined {
  const plain = (text: string) => text.toLowerCase().replaceAll('_', '');
  return KNOWN.find((known) => plain(known) === plain(name));
}

/**
 * As the spec has it, with PyTorch's parameters where they differ: nn.Hardsigmoid is clip(x / 6 + 0.5).
 *
 * @throws GruError `invalid_argument` for a name or a parameter that is not known.
 */
export function torchActivation(given: TorchActivation): RowActivation {
  const { name, ...own } = isRecord(given) ? given : { name: given };
  if (typeof name !== 'string' || !KNOWN.includes(name)) {
    const like = typeof name === 'string' ? activationNamed(name.slice(name.lastIndexOf('.') + 1)) : undefined;
    const instead = like === undefined ? `known: ${KNOWN.join(', ')}` : `write '${like}'`;
    throw new GruError('invalid_argument', `pytorch.layers: no activation is ${describe(name)}; ${instead}`);
  }
  const isWhole = name === 'softmax' || name === 'log_softmax';
  const stray = Object.keys(own).find((key) => isWhole || (key !== 'alpha' && key !== 'beta'));
  if (stray !== undefined) {
    const has = isWhole ? 'none: it is over the last dimension' : 'alpha and beta, such as alpha for a negative_slope';
    throw new GruError(
      'invalid_argument',
      `pytorch.layers: activation '${name}' has no parameter '${stray}'; it has ${has}`,
    );
  }
  if (isWhole) return name;
  if (name === 'hard_sigmoid') return { name, alpha: 1 / 6, beta: 0.5, ...own };
  if (!Object.hasOwn(NAMES, name)) return given as RowActivation;
  const known = NAMES[name as keyof typeof NAMES];
  return { ...(typeof known === 'object' ? known : { name: known }), ...own };
}
