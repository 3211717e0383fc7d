import type { Values } from '../../../ts/base/typed-array.ts';
import { join } from './sequence.ts';
import type { Live, Many, One, World } from './world.ts';

/** An array whose buffer is gone. */
function gone(length: number): Float32Array {
  const array = new Float32Array(length);
  structuredClone(array.buffer, { transfer: [array.buffer] });
  return array;
}

const longer = (values: Values) => join([values, new Float32Array(1) as Values], values);

/** What no input takes, made of what one takes. */
function wrongInput(world: World, values: Values, vocabulary: number): unknown {
  const { random } = world;
  const odd: (() => unknown)[] = [
    () => 'x',
    () => null,
    () => ({ data: values }),
    () => ({ nobody: values }),
    () => gone(values.length),
    () => Array.from(values, () => 'x'),
    () => Array.from(values, () => undefined),
    () => Array.from(values, () => Symbol('odd')),
    () => world.odd(values, true),
  ];
  if (values instanceof Int32Array) {
    odd.push(
      () => values.map(() => vocabulary),
      () => values.map(() => -1),
      () => Array.from(values, () => 0.5),
      () => Array.from(values, () => NaN),
      () => Array.from(values, () => 2n ** 64n),
    );
  }
  return random.pick(odd)();
}

/** Calls of a model that must be refused. */
function refuseModel(world: World, live: Live): void {
  const { random } = world;
  const { family, model, on } = live;
  const { graph } = family;
  const steps = graph.axes.map(() => 2);
  const block = world.block(family, steps);
  const given = Object.fromEntries(graph.inputs.map(({ name }, i) => [name, block[i]!]));
  const at = random.int(0, block.length - 1);
  const port = graph.inputs[at]!;
  const run = (change: object, options: object = {}) => model.run({ ...given, ...change }, options);
  const calls: Record<string, () => unknown> = {
    'an odd input': () => run({ [port.name]: wrongInput(world, block[at]!, port.vocabularySize) }),
    'an input more': () => run({ nobody: block[0] }),
    'an input less': () => model.run(Object.fromEntries(Object.entries(given).slice(1))),
    'an unknown option': () => run({}, { mass: 1 }),
    'odd padding': () => run({}, { padding: 'middle' }),
    'padding of nothing': () => run({}, { padding: 'none' }),
    'odd timeMajor': () => run({}, { timeMajor: 1 }),
    'too many lengths': () => run({}, { lengths: { [graph.axes[0]!]: [1, 1] } }),
    'a length too long': () => run({}, { lengths: { [graph.axes[0]!]: [99] } }),
    'lengths of no axis': () => run({}, { lengths: { nobody: [1] } }),
    'lengths and a mask': () => run({}, { lengths: { [graph.axes[0]!]: [1] }, mask: { [graph.axes[0]!]: [1, 1] } }),
    'an odd mask': () => run({}, { mask: { [graph.axes[0]!]: [1, NaN] } }),
    'a mask too short': () => run({}, { mask: { [graph.axes[0]!]: [1] } }),
    'states of nobody': () => run({}, { initialStates: { nobody: [1] } }),
    'odd states': () => run({}, { initialStates: 'zeros' }),
    'an out that is none': () => run({}, { out: {} }),
    'an option that throws': () => {
      const options = {};
      world.getter(options, random.pick(['padding', 'out', 'lengths', 'mask', 'initialStates']), undefined, true);
      return run({}, options);
    },
    'an out of another shape': () => {
      const longer = world.block(family, graph.axes.map(() => 5)); // prettier-ignore
      const out = model.run(Object.fromEntries(graph.inputs.map(({ name }, i) => [name, longer[i]!])));
      const shapes = ({ outputs }: typeof out) => JSON.stringify(Object.values(outputs).map(({ shape }) => shape));
      const isSame = shapes(out) === shapes(model.run(given));
      return run({}, { out: isSame ? { ...out, output: undefined } : out });
    },
    'an out that overlaps': () => {
      const out = model.run(given);
      const [state] = Object.values(out.states);
      const data = state && 'data' in state ? state.data : undefined;
      const { output } = out;
      if (!data || data.length === 0 || output.data.length !== data.length) return run({}, { out: 1 });
      return run({}, { out: { ...out, outputs: { ...out.outputs, [graph.outputs[0]!.name]: { ...output, data } } } });
    },
    'a stream of none': () => model.createStream({ batch: 0 }),
    'a stream of half': () => model.createStream({ batch: 0.5 }),
    'too large a stream': () => model.createStream({ batch: 2 ** 32 }),
    'streams of none': () => model.createStreams(0),
    'too many streams': () => model.createStreams(2 ** 40),
    'an odd dtype': () => model.save({ dtype: 'i4' as never }),
  };
  const name = random.pick(Object.keys(calls));
  world.refusedOn(live, `${name} of a model on ${on.name}`, calls[name]!);
}

/** Bytes of which one bit is another. */
function flipped(world: World, bytes: Uint8Array): Uint8Array {
  const copy = bytes.slice();
  copy[world.random.int(0, copy.length - 1)]! ^= 1 << world.random.int(0, 7);
  return copy;
}

/** Calls of a stream that must be refused. */
function refuseStream(world: World, one: One): void {
  const { random } = world;
  const { live, stream, sequences } = one;
  const { family, on } = live;
  const { graph } = family;
  const batch = sequences.length;
  const block = (steps: number) => {
    const each = sequences.map(() =>
      world.block(
        family,
        graph.axes.map(() => steps),
      ),
    );
    return Object.fromEntries(
      graph.inputs.map(({ name }, i) => [
        name,
        join(
          each.map((of) => of[i]!),
          each[0]![i]!,
        ),
      ]),
    );
  };
  const x = block(1);
  const at = random.int(0, graph.inputs.length - 1);
  const port = graph.inputs[at]!;
  const [first] = graph.outputs;
  const go = (input: unknown, out?: unknown) =>
    random.chance(0.5) ? stream.step(input as never, out as never) : stream.run(input as never, out as never);
  const calls: Record<string, () => unknown> = {
    'an odd input': () => go({ ...x, [port.name]: wrongInput(world, x[port.name]!, port.vocabularySize) }),
    'an input too long': () => stream.step({ ...x, [port.name]: longer(x[port.name]!) }),
    'an input more': () => go({ ...x, nobody: x[port.name] }),
    'an input less': () => go(Object.fromEntries(Object.entries(x).slice(1))),
    'an out too large': () => go(x, { [first!.name]: first!.dtype === 'int32' ? new Int32Array(999) : new Float32Array(999) }),
    'an out of another type': () => go(x, new Float64Array(batch * first!.size)),
    'an out of nobody': () => go(x, { nobody: new Float32Array(1) }),
    'an out that is gone': () => go(x, gone(batch * first!.size)),
    'an out that throws': () => {
      const out = {};
      world.getter(out, first!.name, undefined, true);
      return go(x, out);
    },
    'no snapshot': () => { stream.restore(new Uint8Array(random.int(0, 90))); },
    'another snapshot': () => { stream.restore(flipped(world, stream.snapshot())); },
    'a shorter snapshot': () => { stream.restore(stream.snapshot().slice(0, -random.int(1, 9))); },
    'states too long': () => (stream.hiddenState = longer(stream.hiddenState) as Float32Array),
    'states in words': () => (stream.hiddenState = ['x'] as never),
    'states that throw': () => (stream.hiddenState = world.odd(new Float32Array(stream.hiddenState.length + 1), true)),
  }; // prettier-ignore
  const name = random.pick(Object.keys(calls));
  world.refusedOn(one, `${name} of a stream on ${on.name}`, calls[name]!);
}

/** Calls of many streams that must be refused. */
function refuseStreams(world: World, many: Many): void {
  const { random } = world;
  const { live, streams, sequences } = many;
  const { family, on } = live;
  const { graph } = family;
  const count = sequences.length;
  const all = sequences.map((_, i) => i);
  const steps = graph.axes.map(() => 1);
  const blocks = Object.fromEntries(graph.inputs.map(({ name }, i) => [name, all.map(() => world.rows(family, i, 1))]));
  const joined = Object.fromEntries(Object.entries(blocks).map(([name, each]) => [name, join(each, each[0]!)]));
  const at = random.int(0, graph.inputs.length - 1);
  const port = graph.inputs[at]!;
  const [first] = graph.outputs;
  const go = (which: unknown) =>
    random.chance(0.5) ? streams.stepMany(which as never, joined) : streams.runMany(which as never, blocks);
  const odd = (index: unknown) => Object.assign([...all], { [random.int(0, count - 1)]: index });
  const array = (length: number) => (first!.dtype === 'int32' ? new Int32Array(length) : new Float32Array(length));
  const calls: Record<string, () => unknown> = {
    'a stream twice': () => go(count > 1 ? [...all.slice(1), 1] : [0, 0]),
    'a stream too many': () => go([...all, 0]),
    'a stream that is not there': () => go(odd(random.pick([count, -1, 0.5, NaN, 2 ** 32, 'x', undefined, null, {}]))),
    'no array of streams': () => go(random.pick([0, 'x', null, undefined, {}, new Set(all)])),
    'a stream that throws': () => go(world.odd(Int32Array.from(all), true)),
    'an odd input': () => streams.stepMany(all, { ...joined, [port.name]: wrongInput(world, joined[port.name]!, port.vocabularySize) } as never),
    'an odd block': () => streams.runMany(all, { ...blocks, [port.name]: all.map((i) => i < count - 1 ? blocks[port.name]![i]! : wrongInput(world, blocks[port.name]![i]!, port.vocabularySize)) } as never),
    'a block less': () => streams.runMany(all, { ...blocks, [port.name]: blocks[port.name]!.slice(1) }),
    'no blocks': () => streams.runMany(all, random.pick([undefined, null, 0, 'x']) as never),
    'an input more': () => streams.runMany(all, { ...blocks, nobody: [] }),
    'an out too large': () => streams.runMany(all, blocks, all.map(() => array(777)) as never),
    'an out less': () => streams.runMany(all, blocks, [] as never),
    'outs that are one': () => {
      const one = array(first!.size);
      return streams.runMany(count > 1 ? all : [0, 0], blocks, all.map(() => one) as never);
    },
    'an out that throws': () => {
      const out: unknown[] = all.map(() => array(first!.size));
      world.getter(out, count - 1, undefined, true);
      return streams.runMany(all, blocks, out as never);
    },
    'a reset of nobody': () => { streams.reset(random.pick([count, -1, 0.5, 'x', null]) as never); },
    'a snapshot of nobody': () => streams.snapshot(random.pick([count, -1, 0.5, undefined]) as never),
    'a state of nobody': () => streams.hiddenState(random.pick([count, -1, 0.5, undefined]) as never),
    'states of nobody': () => streams.hiddenStates(odd(count)),
    'another snapshot': () => { streams.restore(count - 1, flipped(world, streams.snapshot(0))); },
    'a snapshot for nobody': () => { streams.restore(count, streams.snapshot(0)); },
    'a state too long': () => { streams.setHiddenState(0, longer(streams.hiddenState(0))); },
    'a state that throws': () => { streams.setHiddenState(0, world.odd(new Float32Array(steps.length + 1), true)); },
  }; // prettier-ignore
  const name = random.pick(Object.keys(calls));
  world.refusedOn(many, `${name} of ${count} streams on ${on.name}`, calls[name]!);
}

/** A call that must be refused. */
export function refuse(world: World): void {
  if (world.random.chance(0.3)) refuseModel(world, world.pickModel());
  else {
    const of = world.pickHeld();
    if (of.kind === 'one') refuseStream(world, of);
    else refuseStreams(world, of);
  }
}
