import type { ReduceSpec } from '../../../spec/spec.ts';
import type { Features } from '../values.ts';
import type { Translate } from './call.ts';
import { asRow } from './axes.ts';
import { asTensor, axisOf, flag, operand, operandsOf, rankOf, setting, tensor } from './operands.ts';
import { shown } from '../shown.ts';

type Reduction = Extract<ReduceSpec['reduce'], 'sum' | 'mean' | 'max' | 'min' | 'l2'>;

const SETTINGS = ['axis', 'keepdims', 'initial'] as const;

/** The sum (mean, ...) over steps, or over features: of all that there are, for operations know no masks. */
function reduction(reduce: Reduction): Translate {
  return (call) => {
    const { fields, builder, name } = call;
    const axis = axisOf(call, 1, NaN);
    const keeps = flag(call, 'keepdims', 2);
    const initial = setting(call, 'initial', 3) ?? null;
    if (initial !== null) {
      throw fields.unsupported(
        `initial ${shown(initial)} is not supported: the least that there may be is no setting here`,
      );
    }
    const [argument] = operandsOf(call, SETTINGS, 1);
    const value = asTensor(call, argument);
    if (value.is === 'transposed' && value.flat && keeps && (axis === 1 || axis === -1)) {
      const ref = builder.add({ type: 'reduce', name, inputs: [value.ref], reduce });
      return [{ is: 'features', ref, kind: 'vector', size: 1 }];
    }
    const x = tensor(call, operand(call, argument));
    const rank = rankOf(x);
    const place = axis < 0 ? axis + rank : axis;
    const inputs = [builder.exact(x)];
    if (place === rank - 1) {
      if (!keeps && x.kind === 'vector')
        throw fields.unsupported('leaves no axis but the batch; supported: over features with keepdims, or of steps');
      const ref = builder.add({ type: 'reduceFeatures', name, inputs, reduce });
      const made = { is: 'features', ref, kind: x.kind, size: 1 } satisfies Features;
      return [keeps ? made : asRow(made)];
    }
    if (place !== 1) throw fields.unsupported(`axis ${shown(axis)} is not supported; supported: 1 (steps), -1`);
    builder.add({ type: 'reduce', name, inputs, reduce });
    if (!keeps) return [{ is: 'features', ref: name, kind: 'vector', size: x.size } satisfies Features];
    const ref = builder.add({ type: 'unflatten', name: builder.name(`${name}_step`), inputs: [name], steps: 1 });
    return [{ is: 'features', ref, kind: 'sequence', size: x.size } satisfies Features];
  };
}

/** The length of vectors. */
const norm: Translate = (call) => {
  const order = setting(call, 'ord', NaN) ?? null;
  if (![null, 2, 'euclidean'].includes(order as null))
    throw call.fields.unsupported(`ord ${shown(order)} is not supported; supported: 2`);
  return reduction('l2')({ ...call, kwargs: new Map([...call.kwargs].filter(([name]) => name !== 'ord')) });
};

/** The standard deviation over steps, of all that there are; its square is the variance. */
function deviation(after?: 'square'): Translate {
  return (call) => {
    const { fields, builder, name } = call;
    const axis = axisOf(call, 1, NaN);
    const keeps = flag(call, 'keepdims', 2);
    const [argument] = operandsOf(call, ['axis', 'keepdims'], 1);
    const x = tensor(call, operand(call, argument));
    if (x.kind !== 'sequence' || (axis < 0 ? axis + rankOf(x) : axis) !== 1 || rankOf(x) !== 3)
      throw fields.unsupported(`axis ${shown(axis)} is not supported; supported: 1 (steps)`);
    const made = after ? builder.name(`${name}_std`) : name;
    builder.add({ type: 'reduce', name: made, inputs: [builder.exact(x)], reduce: 'std', correction: 0 });
    if (after) builder.add({ type: 'activation', name, inputs: [made], activation: after });
    if (!keeps) return [{ is: 'features', ref: name, kind: 'vector', size: x.size } satisfies Features];
    const ref = builder.add({ type: 'unflatten', name: builder.name(`${name}_step`), inputs: [name], steps: 1 });
    return [{ is: 'features', ref, kind: 'sequence', size: x.size } satisfies Features];
  };
}

/** Reductions, by the name of their class in keras.ops. */
export const REDUCTIONS: Record<string, Translate> = {
  Sum: reduction('sum'),
  Mean: reduction('mean'),
  Max: reduction('max'),
  Min: reduction('min'),
  Norm: norm,
  Amax: reduction('max'),
  Amin: reduction('min'),
  Std: deviation(),
  Var: deviation('square'),
};
