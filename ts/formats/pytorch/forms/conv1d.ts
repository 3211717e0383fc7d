import { GruError } from '../../../base/errors.ts';
import type { WindowPadding } from '../../../spec/spec.ts';
import { shapeOf } from '../names.ts';
import { torchActivation, type TorchActivation } from './activation.ts';
import { ANY, BASE, type Check, COUNT, isAmount, isPair, MODULE } from './checks.ts';
import type { Form, PytorchLayerBase } from './form.ts';
import { moduleTensors, type PytorchModule } from './module.ts';

/** `nn.Conv1d`, with the arguments that it was made with: a state dict does not say them. It reads and gives (batch, steps, channels). */
export interface PytorchConv1d extends PytorchLayerBase {
  conv1d: PytorchModule;
  /** Default 1. */
  stride?: number | undefined;
  /** Steps of zeros on both sides, on each, `same`, `valid`, or `causal`: all before the first, as `F.pad(x, (p, 0))` puts them. Default 0. */
  padding?: number | WindowPadding | undefined;
  /** Default 1. */
  dilation?: number | undefined;
  /** Default 1. */
  groups?: number | undefined;
  /** `zeros` (the default). Others are refused. */
  padding_mode?: string | undefined;
  /** What follows it. Default none. */
  activation?: TorchActivation | undefined;
}

const PADDING: Check = {
  is: (value) => isAmount(value) || ['same', 'valid', 'causal'].includes(value as string) || isPair(value),
  text: "a whole number, two of them, 'same', 'valid' or 'causal'",
};

export const conv1d: Form<'conv1d', PytorchConv1d> = {
  value: MODULE,
  fields: {
    ...BASE,
    stride: COUNT,
    padding: PADDING,
    dilation: COUNT,
    groups: COUNT,
    padding_mode: ANY,
    activation: ANY,
  },
  looks(tensors) {
    const weight = shapeOf(tensors, 'weight');
    if (weight?.length !== 3) return undefined;
    return tensors.size === 1 || (tensors.size === 2 && shapeOf(tensors, 'bias')?.[0] === weight[0])
      ? 'Conv1d'
      : undefined;
  },
  read(line, { name, tensors, takes }) {
    const { conv1d: module, stride = 1, padding = 0, dilation = 1, groups = 1, padding_mode: mode = 'zeros' } = line;
    const refuse = (why: string) => new GruError('unsupported', `conv1d '${name}': ${why}`);
    if (mode !== 'zeros') throw refuse(`padding_mode ${JSON.stringify(mode)} is not supported; supported: 'zeros'`);
    if (padding === 'same' && stride > 1) throw refuse("padding 'same' is for stride 1, as in PyTorch");
    const { weight, bias } = moduleTensors('conv1d', module, tensors, ['weight'], ['bias']);
    const kernel = tensors.take(weight, `${name}/kernel`, [-1, -1, -1]);
    const [outputSize, own, kernelSize] = kernel.shape as [number, number, number];
    const added = bias === undefined ? undefined : tensors.take(bias, `${name}/bias`, [outputSize]);
    const inputSize = own * groups;
    takes(inputSize);
    const { activation } = line;
    return {
      load: async () => ({
        name,
        type: 'conv1d',
        inputSize,
        outputSize,
        kernelSize,
        stride,
        dilation,
        groups,
        padding: typeof padding === 'number' ? [padding, padding] : padding,
        ...(activation === undefined ? {} : { activation: torchActivation(activation) }),
        weights: {
          kernel: tapsFirst(await kernel.floats(), own, kernelSize),
          ...(added ? { bias: (await added.floats()).slice() } : {}),
        },
      }),
    };
  },
};

/** (outputs, channels, taps) -> (outputs, taps, channels). */
function tapsFirst(weight: Float32Array, channels: number, taps: number): Float32Array {
  const out = new Float32Array(weight.length);
  const size = channels * taps;
  for (let o = 0; o < weight.length; o += size) {
    for (let c = 0; c < channels; c++) {
      for (let tap = 0; tap < taps; tap++) out[o + tap * channels + c] = weight[o + c * taps + tap]!;
    }
  }
  return out;
}
