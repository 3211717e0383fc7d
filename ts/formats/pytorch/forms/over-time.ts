import type { LayerSpec, PadSpec, PoolSpec } from '../../../spec/spec.ts';
import { ANY, BASE, isPair, isWhole } from './checks.ts';
import type { Form, Pending, Place, PytorchLayerBase } from './form.ts';

/** `nn.MaxPool1d(2)` over the steps. */
export interface PytorchMaxPool extends PytorchLayerBase {
  maxpool1d: number;
  stride?: number | undefined;
  padding?: number | undefined;
  dilation?: number | undefined;
  ceil?: boolean | undefined;
}

/** `nn.AvgPool1d(2)` over the steps. */
export interface PytorchAvgPool extends PytorchLayerBase {
  avgpool1d: number;
  stride?: number | undefined;
  padding?: number | undefined;
  ceil?: boolean | undefined;
  /** `count_include_pad`, by default true. */
  countPadding?: boolean | undefined;
}

/** `x.flatten(1)` of so many steps. */
export interface PytorchFlatten extends PytorchLayerBase {
  flatten: number;
}

/** `x[:, None].repeat(1, steps, 1)`. */
export interface PytorchRepeat extends PytorchLayerBase {
  repeat: number;
}

/** `nn.Upsample(scale_factor=2)` (nearest) over the steps. */
export interface PytorchUpsample extends PytorchLayerBase {
  upsample: number;
}

/** `nn.ConstantPad1d`, `nn.ReplicationPad1d`, `nn.ReflectionPad1d` over the steps: [before, after], below 0 to take away. */
export interface PytorchPad extends PytorchLayerBase {
  pad: readonly [number, number];
  /** `replicate` is what specs call `edge`. */
  mode?: PadSpec['mode'] | 'replicate';
  value?: number | undefined;
}

function layer(name: string, spec: object): Pending {
  // What the spec says is checked with the model.
  return { load: () => ({ name, ...JSON.parse(JSON.stringify(spec)) }) as LayerSpec };
}

function pooled(
  pool: PoolSpec['pool'],
  window: number,
  line: PytorchMaxPool | PytorchAvgPool,
  { name }: Place,
): Pending {
  const { stride = window, padding = 0, ceil } = line;
  return layer(name, {
    type: 'pool',
    pool,
    window,
    stride,
    padding: [padding, padding],
    ceil,
    ...('dilation' in line ? { dilation: line.dilation } : {}),
    ...(pool === 'mean' ? { countPadding: (line as PytorchAvgPool).countPadding ?? true } : {}),
  });
}

export const maxpool1d: Form<'maxpool1d', PytorchMaxPool> = {
  value: ANY,
  fields: { ...BASE, stride: ANY, padding: ANY, dilation: ANY, ceil: ANY },
  read: (line, place) => pooled('max', line.maxpool1d, line, place),
};

export const avgpool1d: Form<'avgpool1d', PytorchAvgPool> = {
  value: ANY,
  fields: { ...BASE, stride: ANY, padding: ANY, ceil: ANY, countPadding: ANY },
  read: (line, place) => pooled('mean', line.avgpool1d, line, place),
};

export const flatten: Form<'flatten', PytorchFlatten> = {
  value: ANY,
  fields: BASE,
  read: (line, { name }) => layer(name, { type: 'flatten', steps: line.flatten }),
};

export const repeat: Form<'repeat', PytorchRepeat> = {
  value: ANY,
  fields: BASE,
  read: (line, { name }) => layer(name, { type: 'repeat', steps: line.repeat }),
};

export const upsample: Form<'upsample', PytorchUpsample> = {
  value: ANY,
  fields: BASE,
  read: (line, { name }) => layer(name, { type: 'upsample', factor: line.upsample }),
};

export const pad: Form<'pad', PytorchPad> = {
  value: { is: (value) => isPair(value, isWhole), text: '[before, after], numbers of steps' },
  fields: { ...BASE, mode: ANY, value: ANY },
  read: ({ pad: [before, after], mode, value }, { name }) =>
    layer(name, { type: 'pad', before, after, mode: mode === 'replicate' ? 'edge' : mode, value }),
};
