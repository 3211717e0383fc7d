import { GruError } from '../../../base/errors.ts';
import type { LayerSpec } from '../../../spec/spec.ts';
import { convOfParts, extentOf } from '../../transposed-conv.ts';
import { shapeOf } from '../names.ts';
import { torchActivation, type TorchActivation } from './activation.ts';
import { ANY, BASE, type Check, COUNT, isAmount, MODULE } from './checks.ts';
import type { Form, PytorchLayerBase } from './form.ts';
import { moduleTensors, type PytorchModule } from './module.ts';

/**
 * `nn.ConvTranspose1d`, with the arguments that it was made with. It reads and gives (batch, steps, channels), and makes of T steps
 * (T - 1) stride - 2 padding + dilation (taps - 1) + output_padding + 1.
 */
export interface PytorchConvTranspose1d extends PytorchLayerBase {
  convtranspose1d: PytorchModule;
  /** Default 1. */
  stride?: number | undefined;
  /** Steps that are taken off on both sides. Default 0. */
  padding?: number | undefined;
  /** Steps that are put behind. Default 0. */
  output_padding?: number | undefined;
  /** Default 1; more with a stride of 1 only. */
  dilation?: number | undefined;
  /** Default 1. */
  groups?: number | undefined;
  /** What follows it. Default none. */
  activation?: TorchActivation | undefined;
}

const STEPS: Check = { is: isAmount, text: 'a whole number from 0' };

export const convtranspose1d: Form<'convtranspose1d', PytorchConvTranspose1d> = {
  value: MODULE,
  fields: {
    ...BASE,
    stride: COUNT,
    padding: STEPS,
    output_padding: STEPS,
    dilation: COUNT,
    groups: COUNT,
    activation: ANY,
  },
  looks(tensors) {
    const [weight, bias] = [shapeOf(tensors, 'weight'), shapeOf(tensors, 'bias')];
    const isOne = weight?.length === 3 && tensors.size === 2 && bias?.[0] === weight[1] && bias?.[0] !== weight[0];
    return isOne ? 'ConvTranspose1d' : undefined;
  },
  read(line, { name, source, tensors, takes, add }) {
    const { convtranspose1d: module, stride = 1, padding: left = 0, output_padding: put = 0, dilation = 1, groups = 1 } = line; // prettier-ignore
    const refuse = (why: string) => new GruError('unsupported', `convtranspose1d '${name}': ${why}`);
    if (stride > 1 && dilation > 1) throw refuse(`stride ${stride} and dilation ${dilation} together`);
    if (put >= Math.max(stride, dilation))
      throw refuse(`output_padding ${put} must be below stride ${stride} or dilation ${dilation}, as in PyTorch`);
    const found = moduleTensors('convtranspose1d', module, tensors, ['weight'], ['bias']);
    const kernel = tensors.take(found.weight, `${name}/kernel`, [-1, -1, -1]);
    const [inputSize, own, kernelSize] = kernel.shape as [number, number, number];
    if (inputSize % groups !== 0) throw refuse(`groups ${groups} do not divide its ${inputSize} inputs`);
    const [outputSize, channels] = [own * groups, inputSize / groups];
    const bias = found.bias === undefined ? undefined : tensors.take(found.bias, `${name}/bias`, [outputSize]);
    takes(inputSize);
    const more = (kernelSize - 1) * dilation + 1 - stride - 2 * left + put;
    const { crop } = extentOf({ stride, left, more });
    const load = async (): Promise<LayerSpec> => {
      const floats = await kernel.floats();
      const weight = (tap: number, o: number, c: number) =>
        Math.floor(o / own) === Math.floor(c / channels) ? floats[(c * own + (o % own)) * kernelSize + tap]! : 0;
      const given = { inputSize, outputSize, kernelSize, stride, dilation, left, more, weight };
      const { conv } = convOfParts({ ...given, bias: bias && (await bias.floats()) });
      return { name, type: 'conv1d', ...conv };
    };
    const parts = add({ name: `${name}_parts`, inputs: [source], load });
    const isCut = crop.before !== 0 || crop.after !== 0;
    const after: { suffix: string; layer: LayerSpec }[] = [
      { suffix: 'steps', layer: { name, type: 'upsample', factor: stride, split: true } },
      ...(isCut ? [{ suffix: 'cut', layer: { name, type: 'pad', ...crop } as const }] : []),
    ];
    if (line.activation !== undefined)
      after.push({ suffix: '', layer: { name, type: 'activation', activation: torchActivation(line.activation) } });
    const last = after.pop()!.layer;
    const from = after.reduce(
      (input, { suffix, layer }) => add({ name: `${name}_${suffix}`, inputs: [input], load: () => layer }),
      parts,
    );
    return { inputs: [from], load: () => last };
  },
};
