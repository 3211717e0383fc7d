import { GruError } from '../../../base/errors.ts';
import type { LayerSpec } from '../../../spec/spec.ts';
import { ANY, BASE, oneOf } from './checks.ts';
import type { Form, PytorchLayerBase } from './form.ts';
import { merged, type Operand, OPERANDS } from './merge.ts';

/** Over time or features, by name, or by their dimension of a (batch, steps, features) tensor. Of features one number a row is left. */
type Over = 'time' | 1 | 'features' | 2 | -1;

/** `x.mean(1)` (batch first), `nn.AdaptiveAvgPool1d(1)` over (batch, features, steps). */
export interface PytorchMean extends PytorchLayerBase {
  mean: Over;
}

/** `x.sum(1)`, `x.sum(-1, keepdim=True)`; of several values `a + b`. */
export interface PytorchSum extends PytorchLayerBase {
  sum: Over | Operand[];
}

/** `x.max(1).values`, `x.amax(1)`, `nn.AdaptiveMaxPool1d(1)`; of several values `torch.maximum(a, b)`, `x.clamp(min=0)`. */
export interface PytorchMax extends PytorchLayerBase {
  max: Over | Operand[];
}

/** `x.min(1).values`, `x.amin(1)`; of several values `torch.minimum(a, b)`. */
export interface PytorchMin extends PytorchLayerBase {
  min: Over | Operand[];
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

/** `x.argmax(-1)`: ids, as an output. */
export interface PytorchArgmax extends PytorchLayerBase {
  argmax: 'features' | 2 | -1;
}

const TYPES: Record<string, 'reduce' | 'reduceFeatures'> = {
  ...{ time: 'reduce', 1: 'reduce' },
  ...{ features: 'reduceFeatures', 2: 'reduceFeatures', '-1': 'reduceFeatures' },
};

const OVER = oneOf('time', 1, 'features', 2, -1);
const OVER_OR_VALUES = {
  is: (value: unknown) => OPERANDS.is(value) || OVER.is(value),
  text: `${OVER.text}, or ${OPERANDS.text}`,
};

function overAxis(name: string, reduce: string, over: Over) {
  return { load: () => ({ name, type: TYPES[over], reduce }) as LayerSpec };
}

function reduction<K extends 'mean' | 'l2', L extends PytorchLayerBase & Record<K, Over>>(reduce: K): Form<K, L> {
  return {
    value: OVER,
    fields: BASE as Form<K, L>['fields'],
    read: (line, { name }) => overAxis(name, reduce, line[reduce]),
  };
}

/** Over an axis of one value, or of several values element by element. */
function reductionOrMerge<K extends 'sum' | 'max' | 'min', L extends PytorchLayerBase & Record<K, Over | Operand[]>>(
  reduce: K,
): Form<K, L> {
  return {
    value: OVER_OR_VALUES,
    fields: BASE as Form<K, L>['fields'],
    read(line, place) {
      const given = line[reduce];
      if (!Array.isArray(given)) return overAxis(place.name, reduce, given);
      if (line.from !== undefined) {
        throw new GruError(
          'invalid_argument',
          `${reduce} '${place.name}' of several values has no 'from': name it with them`,
        );
      }
      return merged(reduce, given, place);
    },
  };
}

export const mean = reduction<'mean', PytorchMean>('mean');
export const l2 = reduction<'l2', PytorchL2>('l2');
export const sum = reductionOrMerge<'sum', PytorchSum>('sum');
export const max = reductionOrMerge<'max', PytorchMax>('max');
export const min = reductionOrMerge<'min', PytorchMin>('min');

export const std: Form<'std', PytorchStd> = {
  value: oneOf('time', 1),
  fields: { ...BASE, correction: ANY },
  read: ({ correction }, { name }) => ({
    load: () => ({ name, type: 'reduce', reduce: 'std', ...(correction === undefined ? {} : { correction }) }),
  }),
};

export const argmax: Form<'argmax', PytorchArgmax> = {
  value: oneOf('features', 2, -1),
  fields: BASE,
  read: (_, { name }) => ({ load: () => ({ name, type: 'argmax' }) }),
};
