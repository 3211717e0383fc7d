import type { RowActivation } from '../../../spec/spec.ts';
import { isRecord } from '../../../base/tensor.ts';
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
  activation: TorchActivation;
}

export const activation: Form<'activation', PytorchActivation> = {
  value: ANY,
  fields: BASE,
  read: (line, { name }) => ({
    load: () => ({ name, type: 'activation', activation: torchActivation(line.activation) }),
  }),
};

/** As the spec has it, with PyTorch's parameters where they differ: nn.Hardsigmoid is clip(x / 6 + 0.5). */
export function torchActivation(given: TorchActivation): RowActivation {
  // whatever it is: those who check the spec say so
  const { name, ...own } = isRecord(given) ? given : { name: given };
  if (name === 'hard_sigmoid') return { name, alpha: 1 / 6, beta: 0.5, ...own };
  if (!Object.hasOwn(NAMES, name)) return given as RowActivation;
  const known = NAMES[name as keyof typeof NAMES];
  return { ...(typeof known === 'object' ? known : { name: known }), ...own };
}
