import { expect } from 'vitest';
import type { Values } from '../../../ts/base/typed-array.ts';
import { runGroups, type StateGroup } from '../../../ts/spec/state-groups.ts';
import { alone, expectBits, flatStates, join, likeIt, stateName } from './sequence.ts';
import type { Live, World } from './world.ts';

/** Where the rows of one sequence lie in a padded array: their steps in order. */
interface Layout {
  form: 'packed' | 'lengths' | 'mask';
  /** Steps of the padded array. */
  longest: number;
  /** By sequence. */
  kept: number[][];
}

function layout(world: World, form: Layout['form'], lengths: readonly number[]): Layout {
  const { random } = world;
  const longest = Math.max(0, ...lengths) + (form === 'packed' ? 0 : random.int(0, 2));
  const kept = lengths.map((length) => {
    const steps = Array.from({ length: longest }, (_, t) => t);
    if (form !== 'mask') return steps.slice(0, length);
    while (steps.length > length) steps.splice(random.int(0, steps.length - 1), 1);
    return steps;
  });
  return { form, longest, kept };
}

/** Rows of sequences in a padded array, `rest` being what is left out. */
function padded(
  rows: readonly Values[],
  size: number,
  { longest, kept }: Layout,
  timeMajor: boolean,
  rest: number,
): Values {
  const array = new (rows[0]!.constructor as Float32ArrayConstructor)(rows.length * longest * size).fill(rest);
  rows.forEach((one, b) => {
    kept[b]!.forEach((t, row) => {
      const at = timeMajor ? t * rows.length + b : b * longest + t;
      array.set(one.subarray(row * size, (row + 1) * size), at * size);
    });
  });
  return array;
}

/** A run of several sequences in some form, each compared with itself alone. */
export function runBatch(world: World, live: Live): void {
  const { random } = world;
  const { family, model, on } = live;
  const { graph } = family;
  const count = random.int(1, 4);
  const single = count === 1 && random.chance(0.5);
  const form = single ? 'lengths' : random.pick(['packed', 'lengths', 'mask'] as const);
  const timeMajor = form !== 'packed' && random.chance(0.3);
  const padding = single ? 'zero' : random.pick(['zero', 'hold', 'none'] as const);
  const axes = graph.axes.map(() => {
    const lengths = Array.from({ length: count }, () => random.pick([0, 1, 2, 3, 8]));
    const made = layout(world, form, lengths);
    return single ? { ...made, longest: lengths[0]! } : made;
  });
  const perSequence = Array.from({ length: count }, (_, b) =>
    world.block(
      family,
      axes.map(({ kept }) => kept[b]!.length),
    ),
  );
  const inputs = graph.inputs.map(({ kind, axis, size, dtype }, i) => {
    const rows = perSequence.map((block) => block[i]!);
    const { longest } = axes[axis]!;
    const row = dtype === 'int32' ? [] : [size];
    if (kind === 'vector') return { data: world.odd(join(rows, rows[0]!)), shape: [...(single ? [] : [count]), size] };
    if (form === 'packed') return rows.map((one) => world.odd(one));
    if (single) return { data: world.odd(rows[0]!), shape: [longest, ...row] };
    const data = world.odd(padded(rows, size, axes[axis]!, timeMajor, dtype === 'int32' ? 0 : NaN));
    return { data, shape: timeMajor ? [longest, count, ...row] : [count, longest, ...row] };
  });
  // By axis: what says which steps are kept.
  const said = axes.map(({ kept, longest }) => {
    if (form === 'lengths') return kept.map(({ length }) => length);
    const mask = new Uint8Array(count * longest);
    kept.forEach((steps, b) => {
      for (const t of steps) mask[timeMajor ? t * count + b : b * longest + t] = 1;
    });
    return mask;
  });
  const options: Record<string, unknown> = { padding };
  if (timeMajor) options['timeMajor'] = true;
  if (form !== 'packed' && !single) {
    const record = Object.fromEntries(graph.axes.map((name, a) => [name, said[a]!]));
    options[form] = graph.axes.length === 1 && random.chance(0.5) ? said[0] : record;
  }
  const groups = runGroups(graph);
  const states = groups.map(({ size, count: directions, fromGraph }) =>
    fromGraph || random.chance(0.6) ? undefined : random.floats(directions * count * size),
  );
  if (states.some(Boolean)) {
    const record: Record<string, unknown> = {};
    groups.forEach(({ layer, slot, only, count: directions, size }, g) => {
      if (!states[g]) return;
      const state = { data: world.odd(states[g]), shape: single ? [directions, size] : [directions, count, size] };
      record[layer] = only ? state : { ...(record[layer] as object | undefined), [slot]: state };
    });
    options['initialStates'] = record;
  }
  const x = inputs.length === 1 && random.chance(0.5) && (form !== 'packed' || count > 0) ? inputs[0]! : Object.fromEntries(graph.inputs.map(({ name }, i) => [name, inputs[i]!])); // prettier-ignore
  const what = `run of ${count} (${axes.map(({ kept }) => kept.map(({ length }) => length).join()).join('; ')}) as ${form}${timeMajor ? ', time-major' : ''}, ${padding}${single ? ', single' : ''} on ${on.name}`;
  // Results of the same layout may be filled again.
  if (random.chance(0.3)) {
    world.attempt(`${what}: the first`, live, () => model.run(x as never, { ...options }), (first) => {
      options['out'] = first;
    }); // prettier-ignore
    if (!live.alive) return;
    if (random.chance(0.5)) {
      const key = random.pick(Object.keys(options));
      world.getter(options, key, options[key]);
    }
  }
  world.attempt(
    what,
    live,
    () => model.run(x as never, options),
    (result) => {
      if (options['out'] !== undefined && result !== options['out']) expect.fail(`${what}: another out`);
      const want = perSequence.map((block, b) => {
        const initial = states.map((all, g) => all && ofSequence(all, groups[g]!, count, b));
        return alone(family, likeIt(on, b), block, initial);
      });
      const got = flatStates(result.states);
      want.forEach((one, b) => {
        for (const group of groups) {
          const name = stateName(group);
          expectBits(
            ofSequence(got[name]!, group, count, b),
            one.states[name]!,
            `${what}: state ${name} of sequence ${b}`,
          );
        }
      });
      for (const port of graph.outputs) {
        const { data, shape } = result.outputs[port.name] as { data: Values; shape: number[] };
        const rows = want.map(({ outputs }) => outputs[port.name]!);
        const label = `${what}: '${port.name}'`;
        if (single || port.kind === 'vector' || padding === 'none') {
          expectBits(data, join(rows, data), label);
          continue;
        }
        // On an axis that a layer makes the rows of each sequence come first.
        const kept = port.axis < axes.length ? axes[port.axis]!.kept : rows.map(({ length }) => [...Array(length / port.size).keys()]); // prettier-ignore
        const longest = timeMajor ? shape[0]! : shape[1]!;
        const all = padded(rows, port.size, { form, longest, kept }, timeMajor, 0);
        if (padding === 'hold') hold(all, port.size, { form, longest, kept }, timeMajor);
        expectBits(data, all, label);
      }
    },
  );
}

/** The part of one sequence of states (directions, count, size). */
function ofSequence(
  all: Float32Array,
  { count: directions, size }: StateGroup,
  count: number,
  b: number,
): Float32Array {
  const at = (d: number) => (d * count + b) * size;
  return join(
    Array.from({ length: directions }, (_, d) => all.subarray(at(d), at(d) + size)),
    all,
  );
}

/** Fills what is left out with the row before. */
function hold(array: Values, size: number, { longest, kept }: Layout, timeMajor: boolean): void {
  kept.forEach((steps, b) => {
    const at = (t: number) => (timeMajor ? t * kept.length + b : b * longest + t) * size;
    for (let t = 1; t < longest; t++) if (!steps.includes(t)) array.copyWithin(at(t), at(t - 1), at(t - 1) + size);
  });
}
