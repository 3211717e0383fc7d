import { GruError } from '../../../base/errors.ts';
import type { LayerSpec, PadSpec, PoolSpec, ReduceSpec } from '../../../spec/spec.ts';
import { ANY, BASE } from './checks.ts';
import type { Form, Pending, Place, PytorchLayerBase } from './form.ts';

/** Over time: `'time'`, or the dimension of time of a (batch, steps, features) tensor. */
type Time = 'time' | 1;

/** `x.mean(1)` (batch first), `nn.AdaptiveAvgPool1d(1)` over (batch, features, steps). */
export interface PytorchMean extends PytorchLayerBase {
  mean: Time;
}

/** `x.max(1).values`, `x.amax(1)`, `nn.AdaptiveMaxPool1d(1)`. */
export interface PytorchMax extends PytorchLayerBase {
  max: Time;
}

/** `x.min(1).values`, `x.amin(1)`. */
export interface PytorchMin extends PytorchLayerBase {
  min: Time;
}

/** `x.std(1)`; `correction: 0` for `x.std(1, correction=0)`. */
export interface PytorchStd extends PytorchLayerBase {
  std: Time;
  correction?: 0 | 1 | undefined;
}

/** `x.norm(dim=1)`. */
export interface PytorchL2 extends PytorchLayerBase {
  l2: Time;
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

function reduction<K extends string, L extends PytorchLayerBase>(kind: K, reduce: ReduceSpec['reduce']): Form<K, L> {
  return {
    value: ANY,
    fields: BASE as Form<K, L>['fields'],
    read: (line, { name }) => {
      const over: unknown = (line as Record<string, unknown>)[kind];
      if (over !== 'time' && over !== 1) {
        throw new GruError(
          'invalid_argument',
          `pytorch.layers: ${kind} is over 'time' (dimension 1), got ${String(over)}`,
        );
      }
      return layer(name, { type: 'reduce', reduce });
    },
  };
}

export const mean = reduction<'mean', PytorchMean>('mean', 'mean');
export const max = reduction<'max', PytorchMax>('max', 'max');
export const min = reduction<'min', PytorchMin>('min', 'min');
export const l2 = reduction<'l2', PytorchL2>('l2', 'l2');

export const std: Form<'std', PytorchStd> = {
  value: ANY,
  fields: { ...BASE, correction: ANY },
  read: (line, place) => {
    reduction<'std', PytorchStd>('std', 'std').read(line, place);
    return layer(place.name, { type: 'reduce', reduce: 'std', correction: line.correction });
  },
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
  value: ANY,
  fields: { ...BASE, mode: ANY, value: ANY },
  read: ({ pad: sides, mode, value }, { name }) => {
    if (!Array.isArray(sides) || (sides as unknown[]).length !== 2) {
      throw new GruError('invalid_argument', 'pytorch.layers: pad is [before, after], numbers of steps');
    }
    return layer(name, { type: 'pad', before: sides[0], after: sides[1], mode, value });
  },
};
