import type { ValueRef } from '../../../spec/spec.ts';
import type { Features } from '../values.ts';
import type { Call } from './call.ts';

/** Entries of an axis as Python writes them: `start:stop:step`. */
export interface Range {
  start: number | null;
  stop: number | null;
  step: number;
}

/** Most parts that tensors are cut into, and most entries that are taken one by one. */
export const MAX_PARTS = 1024;

/** Entries of an axis, `step` apart. */
interface Entries {
  first: number;
  count: number;
  step: number;
}

/** The entries that a range takes of an axis of `size`. */
function entries({ start, stop, step }: Range, size: number): Entries {
  const [low, high] = step > 0 ? [0, size] : [-1, size - 1];
  const at = (index: number | null, fallback: number) =>
    index === null ? fallback : Math.max(low, Math.min(index < 0 ? index + size : index, high));
  const [first, end] = step > 0 ? [at(start, low), at(stop, high)] : [at(start, high), at(stop, low)];
  return { first, count: Math.max(0, Math.ceil((end - first) / step)), step };
}

/** Whether a range takes an axis of any size (of at most `size`) as it is. */
export function isAll({ start, stop, step }: Range, size = Infinity): boolean {
  return step === 1 && (start === null || start === 0) && (stop === null || stop >= size);
}

/** Entries of the features of each row. */
export function takeFeatures(call: Call, x: Features, range: Range): Features {
  if (isAll(range, x.size)) return x;
  const taken = entries(range, x.size);
  if (taken.count === 0) throw call.fields.invalid('takes no features');
  const ref = columns(call, call.builder.exact(x), taken, 1, 'features');
  return { is: 'features', ref, kind: x.kind, size: taken.count };
}

/** Columns of rows, in blocks of `width`: one slice of neighbours, or one each. */
function columns(
  { builder, fields, name }: Call,
  ref: ValueRef,
  { first, count, step }: Entries,
  width: number,
  what: string,
): ValueRef {
  const [parts, each] = step === 1 ? [1, count] : [count, 1];
  if (parts > MAX_PARTS) throw fields.unsupported(`takes ${parts} ${what} one by one; at most ${MAX_PARTS}`);
  const slices = Array.from({ length: parts }, (_, i) => {
    const own = { start: (first + i * step) * width, size: each * width };
    return builder.add({ type: 'slice', name: builder.name(`${name}_${what}`), inputs: [ref], ...own });
  });
  if (slices.length === 1) return slices[0]!;
  return builder.add({ type: 'merge', name: builder.name(`${name}_${what}`), inputs: slices, merge: 'concat' });
}

/** One step as a vector: the first or the last, or, where the file fixes their number, any. */
export function takeStep(call: Call, x: Features, index: number): Features {
  const { builder, fields, name } = call;
  const count = builder.stepsOf(x.ref);
  const inputs = [builder.exact(x)];
  const vector = { is: 'features', kind: 'vector', size: x.size } as const;
  if (count !== undefined && (index >= count || index < -count))
    throw fields.invalid(`takes step ${index} of ${count} steps`);
  if (index === 0 || index === -1) {
    return { ...vector, ref: builder.add({ type: 'step', name: builder.name(`${name}_step`), inputs, index }) };
  }
  if (count === undefined) {
    throw fields.unsupported(
      `takes step ${index} of steps whose number the input shape does not fix; supported: x[:, 0], x[:, -1]`,
    );
  }
  const flat = builder.add({ type: 'flatten', name: builder.name(`${name}_flat`), inputs, steps: count });
  return {
    ...vector,
    ref: columns(call, flat, { first: index < 0 ? index + count : index, count: 1, step: 1 }, x.size, 'step'),
  };
}

/**
 * A part of the steps. Of any number of them: all but so many first and last ones, of those each nth, in either order; the first
 * or the last. Any other, where the file fixes their number.
 */
export function takeSteps(call: Call, x: Features, range: Range): Features {
  const { builder, fields, name } = call;
  const count = builder.stepsOf(x.ref);
  if (isAll(range, count)) return x;
  const taken = count === undefined ? undefined : entries(range, count);
  if (taken?.count === 0) throw fields.invalid('takes no steps');
  const sequence = (ref: ValueRef): Features => ({ is: 'features', ref, kind: 'sequence', size: x.size });
  const cut = cropOf(range);
  if (cut) {
    let ref = builder.exact(x);
    const { before, after, every, backwards } = cut;
    if (before > 0 || after > 0) {
      const part = { name: builder.name(`${name}_part`), before: 0 - before, after: 0 - after };
      ref = builder.add({ type: 'pad', inputs: [ref], ...part });
    }
    if (backwards) ref = builder.add({ type: 'reverse', name: builder.name(`${name}_reversed`), inputs: [ref] });
    if (every > 1) {
      const each = { name: builder.name(`${name}_every`), window: 1, stride: every };
      ref = builder.add({ type: 'pool', inputs: [ref], pool: 'max', ...each });
    }
    return sequence(ref);
  }
  const end = endOf(range);
  if (end !== undefined) {
    const inputs = [takeStep(call, x, end).ref];
    return sequence(builder.add({ type: 'unflatten', name: builder.name(name), inputs, steps: 1 }));
  }
  if (count === undefined || taken === undefined) {
    throw fields.unsupported(
      `takes steps ${text(range)}, of which there are as many as the sequence has; supported where the input shape does not fix the number of steps: x[:, a:], x[:, :-b], x[:, a:-b], with a step`,
    );
  }
  const flat = builder.add({
    type: 'flatten',
    name: builder.name(`${name}_flat`),
    inputs: [builder.exact(x)],
    steps: count,
  });
  const rows = columns(call, flat, taken, x.size, 'steps');
  const own = { name: builder.name(name), steps: taken.count, ...builder.like(taken.count) };
  return sequence(builder.add({ type: 'unflatten', inputs: [rows], ...own }));
}

/** Steps that are left out before the first and behind the last one that may be taken, whatever their number. */
function cropOf({ start, stop, step }: Range) {
  const [first, last] = step > 0 ? [start, stop] : [stop, start];
  // Forwards `start` is taken and `stop` is not; backwards it is the other way round.
  const shift = step > 0 ? 0 : 1;
  const before = first === null ? 0 : first + shift;
  const after = last === null ? 0 : -last - shift;
  // A number from the other end leaves as many as the sequence happens to have.
  if ((first !== null && first < 0) || (last !== null && last >= 0)) return undefined;
  return { before, after, every: Math.abs(step), backwards: step < 0 };
}

/** The step that is the only one of a range, where it is the first or the last. */
function endOf({ start, stop, step }: Range): 0 | -1 | undefined {
  if (step < 1) return undefined;
  if ((start === null || start === 0) && stop === 1) return 0;
  return start === -1 && stop === null ? -1 : undefined;
}

const text = ({ start, stop, step }: Range) => `${start ?? ''}:${stop ?? ''}${step === 1 ? '' : `:${step}`}`;
