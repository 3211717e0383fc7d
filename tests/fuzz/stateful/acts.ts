import { expect } from 'vitest';
import type { Values } from '../../../ts/base/typed-array.ts';
import type { Family } from './families.ts';
import { begin, copyOf, feed, join, sideBySide } from './sequence.ts';
import type { Many, One, World } from './world.ts';

export function advance(world: World): void {
  const of = world.pickHeld();
  if (of.kind === 'one') advanceOne(world, of);
  else advanceMany(world, of);
}

/** Whether no step will do: an output has no row for each. */
function isRowless({ graph }: Family): boolean {
  return graph.outputs.some(({ kind, axis }) => kind === 'sequence' && axis >= graph.axes.length);
}

function advanceOne(world: World, one: One): void {
  const { random } = world;
  const { live, sequences, stream } = one;
  const { family } = live;
  const { graph } = family;
  const single = random.chance(0.5) && !isRowless(family);
  const steps = graph.axes.map(() => (single ? 1 : random.pick([0, 1, 1, 2, 3, 9])));
  const blocks = sequences.map(() => world.block(family, steps));
  const x = world.given(
    family,
    graph.inputs.map((_, i) =>
      world.odd(
        join(
          blocks.map((block) => block[i]!),
          blocks[0]![i]!,
        ),
      ),
    ),
  );
  const what = `${single ? 'step' : `run of ${steps.join()} steps`} of a stream of ${sequences.length} on ${live.on.name}`;
  const names = graph.outputs.map(({ name }) => name);
  let out: Values | Record<string, Values> | undefined;
  // How large a block is, of layers that make steps of their own, its getters may change.
  const sized = graph.derivedAxes.length === 0 || single;
  if (sized && random.chance(0.6)) {
    const arrays = Object.fromEntries(
      graph.outputs
        .filter(() => random.chance(0.7))
        .map(({ name, dtype, size, kind, axis }) => {
          const length = sequences.length * size * (kind === 'vector' ? 1 : steps[axis]!);
          return [name, dtype === 'int32' ? new Int32Array(length) : new Float32Array(length)];
        }),
    );
    const first = arrays[names[0]!];
    out = first && random.chance(0.4) ? first : arrays;
  }
  const call = () => {
    if (single) return out ? stream.step(x, out as Values) : stream.step(x);
    return out ? stream.run(x, out as Values) : stream.run(x);
  };
  world.attempt(what, one, call, (result) => {
    sequences.forEach((sequence, b) => {
      feed(graph, sequence, blocks[b]!);
    });
    if (out !== undefined && result !== out) expect.fail(`${what}: another out`);
    const arrays = ArrayBuffer.isView(result) ? { [names[0]!]: result } : (result as Record<string, Values>);
    world.gave(one, sequences, arrays, what);
  });
}

function advanceMany(world: World, many: Many): void {
  const { random } = world;
  const { live, sequences, streams } = many;
  const { family } = live;
  const { graph } = family;
  const order = sequences.map((_, i) => [random.next(), i] as const).sort(([a], [b]) => a - b);
  const chosen = order.map(([, i]) => i).filter(() => random.chance(0.6));
  const which = world.odd(Int32Array.from(chosen));
  const single = random.chance(0.4) && !isRowless(family);
  const blocks = chosen.map(() =>
    world.block(
      family,
      graph.axes.map(() => (single ? 1 : random.pick([0, 1, 2, 5]))),
    ),
  );
  const first = graph.outputs[0]!.name;
  const what = `${single ? 'stepMany' : 'runMany'} of [${chosen.join()}] on ${live.on.name}`;
  const fed = () =>
    chosen.map((i, k) => {
      feed(graph, sequences[i]!, blocks[k]!);
      return sequences[i]!;
    });
  if (single) {
    const like = world.block(
      family,
      graph.axes.map(() => 0),
    );
    const x = world.given(
      family,
      graph.inputs.map((_, i) =>
        world.odd(
          join(
            blocks.map((block) => block[i]!),
            like[i]!,
          ),
        ),
      ),
    );
    world.attempt(what, many, () => streams.stepMany(which, x as never), (result) => {
      world.gave(many, fed(), { [first]: result }, what);
    }); // prettier-ignore
    return;
  }
  const x = world.given(
    family,
    graph.inputs.map((_, i) => blocks.map((block) => world.odd(block[i]!))),
  );
  world.attempt(what, many, () => streams.runMany(which, x as never), (results) => {
    const some = fed();
    results.forEach((rows, k) => {
      world.gave(many, [some[k]!], { [first]: rows }, what);
    });
  }); // prettier-ignore
}

export function snapshot(world: World): void {
  const of = world.pickHeld();
  const index = world.random.int(0, of.sequences.length - 1);
  const what = `snapshot of ${of.kind} on ${of.live.on.name}`;
  const take = () => (of.kind === 'one' ? of.stream.snapshot() : of.streams.snapshot(index));
  world.attempt(what, of, take, (bytes) => {
    const of1 = of.kind === 'one' ? of.sequences : [of.sequences[index]!];
    const { live } = of;
    world.snapshots.push({ bytes, family: live.family, exact: live.on.exact, sequences: of1.map(copyOf) });
  });
}

export function restore(world: World): void {
  const { random, snapshots } = world;
  const of = world.pickHeld();
  if (snapshots.length === 0) return;
  const { bytes, family, exact, sequences } = random.pick(snapshots);
  const { live } = of;
  // Of relaxed arithmetic no exact backend makes the same.
  if (exact !== live.on.exact) return;
  // Without states that of three is that of two.
  if (family.graph.states.length === 0) return;
  const index = random.int(0, of.sequences.length - 1);
  const what = `restore on ${of.kind} on ${live.on.name}`;
  const restore = () => {
    if (of.kind === 'one') of.stream.restore(bytes);
    else of.streams.restore(index, bytes);
  };
  const count = of.kind === 'one' ? of.sequences.length : 1;
  if (family !== live.family || sequences.length !== count) {
    world.refusedOn(of, what, restore);
    return;
  }
  world.attempt(what, of, restore, () => {
    if (of.kind === 'one') of.sequences.splice(0, count, ...sequences.map(copyOf));
    else of.sequences[index] = copyOf(sequences[0]!);
  });
}

/** States of other sequences, or any numbers. */
export function setState(world: World): void {
  const { random } = world;
  const of = world.pickHeld();
  const { graph, cells } = of.live.family;
  const length = graph.states.reduce((sum, { size }) => sum + size, 0);
  if (!cells || length === 0) return;
  const at = of.kind === 'one' ? of.sequences.map((_, i) => i) : [random.int(0, of.sequences.length - 1)];
  const each = at.map(() => random.floats(length));
  const given = world.odd(sideBySide(graph, each));
  const set = () => {
    if (of.kind === 'one') of.stream.hiddenState = given;
    else of.streams.setHiddenState(at[0]!, given);
  };
  world.attempt(`states of ${of.kind} on ${of.live.on.name}`, of, set, () => {
    at.forEach((i, k) => (of.sequences[i] = begin(graph, each[k])));
  });
}

export function reset(world: World): void {
  const { random } = world;
  const of = world.pickHeld();
  const index = of.kind === 'many' && random.chance(0.7) ? random.int(0, of.sequences.length - 1) : undefined;
  const reset = () => {
    if (of.kind === 'one') of.stream.reset();
    else of.streams.reset(index);
  };
  world.attempt(`reset ${of.kind} ${index ?? 'whole'}`, of, reset, () => {
    of.sequences.forEach((_, i) => {
      if (index === undefined || index === i) of.sequences[i] = begin(of.live.family.graph);
    });
  });
}

export function dispose(world: World): void {
  const { random } = world;
  if (random.chance(0.3)) {
    const live = world.pickModel();
    world.log.push(`dispose of a model on ${live.on.name}`);
    live.model.dispose();
    live.alive = false;
    return;
  }
  const of = world.pickHeld();
  world.log.push(`dispose of ${of.kind} on ${of.live.on.name}`);
  if (of.kind === 'one') of.stream.dispose();
  else of.streams.dispose();
  of.alive = false;
}
