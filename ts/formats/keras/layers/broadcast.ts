import type { Features } from '../values.ts';
import type { Call } from './call.ts';

/** Tensors that are merged element by element, as a merge layer takes them: their values, and what comes out. */
export interface Broadcast extends Pick<Features, 'kind' | 'size'> {
  values: Features[];
}

/**
 * Tensors of as many steps, which the input shapes fix, on the axis of the first: steps that were halved and doubled again are those of before
 * where they were even.
 */
export function besideFirst({ builder, name }: Call, values: readonly Features[]): Features[] {
  const first = values.find(({ kind }) => kind === 'sequence');
  const steps = first && builder.stepsOf(first.ref);
  if (steps === undefined || builder.isForEachStep) return [...values];
  return values.map((value) => {
    const isBeside = value.kind === 'vector' || builder.areBeside(first!.ref, value.ref);
    if (isBeside || value.mask || builder.stepsOf(value.ref) !== steps) return value;
    const base = { name: builder.name(`${name}_flat`), inputs: [builder.exact(value)] };
    const flat = builder.add({ type: 'flatten', ...base, steps });
    const own = { name: builder.name(`${name}_beside`), inputs: [flat], steps, like: first!.ref };
    return { ...value, ref: builder.add({ type: 'unflatten', ...own }) };
  });
}

/** A tensor of one step, beside others of more, as the vector that it is: a merge layer puts that at every step. */
export function broadcast(call: Call, values: readonly Features[]): Broadcast {
  const { builder, fields } = call;
  const steps = values.filter(({ kind }) => kind === 'sequence');
  const isOne = ({ ref }: Features) => builder.stepsOf(ref) === 1;
  const repeats = steps.some(isOne) && !steps.every(isOne);
  const taken = values.map((value) =>
    repeats && value.kind === 'sequence' && isOne(value) ? asVector(call, value) : value,
  );
  const widest = values.reduce((most, { size }) => Math.max(most, size), 0);
  if (values.some(({ size }) => size !== 1 && size !== widest)) {
    throw fields.unsupported(`merges tensors of differing sizes (${values.map(({ size }) => size).join(', ')})`);
  }
  return { values: besideFirst(call, taken), kind: steps.length > 0 ? 'sequence' : 'vector', size: widest };
}

function asVector({ builder, fields, name }: Call, value: Features): Features {
  if (value.mask) throw fields.unsupported('repeats a step that is masked');
  const inputs = [builder.exact(value)];
  const ref = builder.add({ type: 'step', name: builder.name(`${name}_step`), inputs, index: 0 });
  return { is: 'features', ref, kind: 'vector', size: value.size };
}

/** The steps of tensors, one after another. */
export function joinSteps(call: Call, values: readonly Features[]): Features {
  const { builder, fields, name } = call;
  const [{ size }] = values as [Features];
  if (values.some((value) => value.size !== size)) throw fields.invalid('joins steps of differing sizes');
  const counts = values.map(({ ref }) => builder.stepsOf(ref));
  if (!counts.every((count) => count !== undefined)) {
    throw fields.unsupported('joins the steps of tensors, whose number the input shapes have to fix');
  }
  const inputs = values.map((value, i) =>
    builder.add({
      type: 'flatten',
      name: builder.name(`${name}_flat`),
      inputs: [builder.exact(value)],
      steps: counts[i]!,
    }),
  );
  const flat = builder.add({ type: 'merge', name: builder.name(`${name}_joined`), inputs, merge: 'concat' });
  const steps = counts.reduce((sum, count) => sum + count, 0);
  const ref = builder.add({ type: 'unflatten', name, inputs: [flat], steps, ...builder.like(steps) });
  return { is: 'features', ref, kind: 'sequence', size };
}
