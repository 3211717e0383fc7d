import type { LayerSpec, PadSpec, PoolSpec } from '../../../spec/spec.ts';
import { ANY, BASE, isPair, isWhole, oneOf } from './checks.ts';
import type { Form, Pending, Place, PytorchLayerBase } from './form.ts';

/** Over time or features, by name, or by their dimension of a (batch, steps, features) tensor. Of features one number a row is left. */
type Over = 'time' | 1 | 'features' | 2 | -1;

/** `x.mean(1)` (batch first), `nn.AdaptiveAvgPool1d(1)` over (batch, features, steps). */
export interface PytorchMean extends PytorchLayerBase {
  mean: Over;
}

/** `x.max(1).values`, `x.amax(1)`, `nn.AdaptiveMaxPool1d(1)`. */
export interface PytorchMax extends PytorchLayerBase {
  max: Over;
}

/** `x.min(1).values`, `x.amin(1)`. */
export interface PytorchMin extends PytorchLayerBase {
  min: Over;
}

/** `x.std(1)`; `correction: 0` for `x.std(1, correction=0)`. */
export interface PytorchStd extends PytorchLayerBase {
  std: 'time' | 1;
  correction?: 0 | 1 | undefined;
}

/** `x.norm(dim=1)`; `x.norm(dim=-1, keepdim=True)`, by which `div` divides each row. */
export interface PytorchL2 extends PytorchLayerBase {
  l2: Over;
}

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
  mode?: PadSpec['mode'];
  value?: number | undefined;
}

function layer(name: string, spec: object): Pending {
  // What the spec says is checked with the model.
  return { load: () => ({ name, ...JSON.parse(JSON.stringify(spec)) }) as LayerSpec };
}

const OVER: Record<string, 'reduce' | 'reduceFeatures'> = {
  ...{ time: 'reduce', 1: 'reduce' },
  ...{ features: 'reduceFeatures', 2: 'reduceFeatures', '-1': 'reduceFeatures' },
};

function reduction<K extends 'mean' | 'max' | 'min' | 'l2', L extends PytorchLayerBase & Record<K, Over>>(
  reduce: K,
): Form<K, L> {
  return {
    value: oneOf('time', 1, 'features', 2, -1),
    fields: BASE as Form<K, L>['fields'],
    read: (line, { name }) => {
      const over: Over = line[reduce];
      return layer(name, { type: OVER[over], reduce });
    },
  };
}

export const mean = reduction<'mean', PytorchMean>('mean');
export const max = reduction<'max', PytorchMax>('max');
export const min = reduction<'min', PytorchMin>('min');
export const l2 = reduction<'l2', PytorchL2>('l2');

export const std: Form<'std', PytorchStd> = {
  value: oneOf('time', 1),
  fields: { ...BASE, correction: ANY },
  read: (line, { name }) => layer(name, { type: 'reduce', reduce: 'std', correction: line.correction }),
};

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
  read: ({ pad: [before, after], mode, value }, { name }) => layer(name, { type: 'pad', before, after, mode, value }),
};
