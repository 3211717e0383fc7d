import type { OnnxGraph, OnnxNode, OnnxTensor } from '../messages.ts';
import type { Constant } from '../value.ts';
import { makersOf } from '../nodes.ts';
import { Folding } from './folding.ts';
import { int, ints, readAs, scalar } from './made.ts';
import { attribute, type StepsTaken } from './steps.ts';

/** Whether two nodes do the same, and give two values at the same place. */
export function isAlike(p: OnnxNode, x: string, q: OnnxNode, y: string): boolean {
  return (
    p.op === q.op &&
    p.domain === q.domain &&
    p.inputs.length === q.inputs.length &&
    p.outputs.indexOf(x) === q.outputs.indexOf(y) &&
    JSON.stringify(p.attributes) === JSON.stringify(q.attributes)
  );
}

/** All steps of a state, put together again. */
interface Stack {
  track: Track;
  axis: number;
  isBackward: boolean;
  /** What the Scan gives, and the nodes that it replaces. */
  output: string;
  nodes: OnnxNode[];
  /** What follows: an axis of 1 is dropped that the states have already, or the steps are taken one by one. */
  behind: OnnxNode[];
}

/** One value of each step. */
type Track = string[];

/** The steps of one value, and the nodes that go from one to the next. */
export class Chain {
  readonly #nodes: readonly OnnxNode[];
  readonly #sequence: StepsTaken;
  readonly #makers: Map<string, OnnxNode>;
  /** By name: the last step that a value depends on. */
  readonly #levels = new Map<string, number>();
  readonly #outputs: Set<string>;
  readonly #tensors: Map<string, OnnxTensor>;
  /** Pairs of values that may still be compared. */
  #left: number;
  /** By value of step 1 and later: that of the step before. */
  readonly #before = new Map<string, string>();
  readonly #initial = new Map<string, string>();
  readonly #read: (tensor: OnnxTensor) => Constant;

  constructor(
    graph: OnnxGraph,
    nodes: readonly OnnxNode[],
    sequence: StepsTaken,
    read: (tensor: OnnxTensor) => Constant,
  ) {
    this.#read = read;
    this.#nodes = nodes;
    this.#sequence = sequence;
    this.#tensors = new Map(graph.initializers.map((tensor) => [tensor.name, tensor]));
    this.#left = 1000 + 64 * nodes.length;
    this.#outputs = new Set(graph.outputs.map(({ name }) => name));
    this.#makers = makersOf(nodes);
    sequence.steps.forEach((name, t) => this.#levels.set(name, t));
    for (const node of nodes) {
      const levels = node.inputs.flatMap((name) => this.#levels.get(name) ?? []);
      for (const name of node.outputs) {
        if (levels.length > 0 && !this.#levels.has(name))
          this.#levels.set(
            name,
            levels.reduce((a, b) => Math.max(a, b)),
          );
      }
    }
  }

  /** The nodes with a Scan in the place of the steps; undefined if they are no chain. */
  replaced(): OnnxNode[] | undefined {
    const tracks = this.#tracks();
    if (!tracks) return undefined;
    const initial = tracks.map((track) => this.#initial.get(track[0]!));
    const firsts = new Set(tracks.map(([first]) => first!));
    // what starts otherwise than by a state's initial value is another computation, or the same one done by the exporter
    if (initial.includes(undefined) || !this.#isFolded(firsts)) return undefined;
    const body = this.#body(tracks);
    const all = new Set(tracks.flat());
    const inside = new Set(tracks.flat().flatMap((name) => [...this.#cone(name, all)]));
    const whole = tracks.flatMap((track) => this.#stacks(track));
    const last = tracks.map((track) => track.at(-1)!);
    const dropped = new Set([...inside, ...whole.flatMap(({ nodes }) => nodes)]);
    const others = this.#nodes.filter((node) => !dropped.has(node));
    const read = new Set([...this.#outputs, ...others.flatMap(({ inputs }) => inputs)]);
    const apart = tracks.flatMap((track) => (track.some((state) => state !== track.at(-1) && read.has(state)) ? [this.#apart(track, read)] : [])); // prettier-ignore
    const stacks = [...whole, ...apart];
    // whatever else reads a value of a step would have nothing to read
    const given = new Set([...last, ...apart.flatMap(({ track }) => track)]);
    if ([...inside].some((node) => node.outputs.some((name) => read.has(name) && !given.has(name)))) return undefined;
    // a state that is taken from all of them is not given beside them
    const final = (name: string) => (apart.some(({ track }) => track.at(-1) === name) ? `${name} (last)` : name);
    const { data, axis } = this.#sequence;
    const g = { ...body, outputs: [...body.outputs, ...stacks.map(({ track }) => info(track[1]!))] };
    const scan: OnnxNode = {
      ...readAs(
        this.#makers.get(last[0]!)!,
        'Scan',
        [...(initial as string[]), data],
        [
          { name: 'body', type: 5, g },
          int('num_scan_inputs', 1),
          ints('scan_input_axes', [axis]),
          ints(
            'scan_output_axes',
            stacks.map((stack) => stack.axis),
          ),
          ints(
            'scan_output_directions',
            stacks.map((stack) => Number(stack.isBackward)),
          ),
        ],
      ),
      steps: this.#sequence.steps.length,
      outputs: [...last.map(final), ...stacks.map(({ output }) => output)],
    };
    const behind = stacks.flatMap((stack) => stack.behind);
    // by then all that the body reads is there; what reads a state comes after it
    const at = this.#nodes.findLastIndex((node) => inside.has(node)) + 1;
    const made = new Set(all);
    const isAfter = (node: OnnxNode, i: number) => {
      const reads = node.inputs.some((name) => made.has(name));
      if (reads) for (const name of node.outputs) made.add(name);
      return reads || i >= at;
    };
    const after = new Set(this.#nodes.filter(isAfter));
    return [...others.filter((node) => !after.has(node)), scan, ...behind, ...others.filter((node) => after.has(node))];
  }

  /** The states: values of one step that the next one reads. */
  #tracks(): Track[] | undefined {
    const count = this.#sequence.steps.length;
    const wanted = new Set<string>();
    for (const node of this.#nodes) {
      const isLast = node.outputs.some((name) => this.#levels.get(name) === count - 1);
      const isOfStep = isLast && this.#levels.has(node.outputs[0] ?? '');
      if (!isOfStep || this.#isStack(node)) continue;
      for (const name of node.inputs) if (this.#levels.get(name) === count - 2) wanted.add(name);
    }
    const tracks: Track[] = [];
    // a Set gives what is added while it is gone through, too
    for (const name of wanted) {
      if (wanted.size > 256 || tracks.length > 16) return undefined;
      const maker = this.#makers.get(name);
      const port = maker?.outputs.indexOf(name) ?? 0;
      const next = this.#nodes.find(
        (node) =>
          node.op === maker?.op &&
          this.#levels.get(node.outputs[port] ?? '') === count - 1 &&
          this.#same(name, node.outputs[port]!),
      );
      if (!next) {
        // computed for the next step already, from a state
        for (const from of maker?.inputs ?? []) if (this.#levels.get(from) === count - 2) wanted.add(from);
        continue;
      }
      const track = [next.outputs[port]!];
      for (let value = this.#before.get(track[0]!); value !== undefined; value = this.#before.get(track[0]!))
        track.unshift(value);
      if (track.length !== count) return undefined;
      tracks.push(track);
    }
    return tracks.length > 0 ? tracks : undefined;
  }

  #isStack(node: OnnxNode): boolean {
    return node.op === 'Concat' && node.inputs.length === this.#sequence.steps.length;
  }

  /** Whether a value is computed as the one of the next step is, from the step before. */
  #same(a: string, b: string): boolean {
    const tried = new Map<string, string>();
    const pending: [string, string][] = [[a, b]];
    for (let pair = pending.pop(); pair; pair = pending.pop()) {
      const [x, y] = pair;
      if (x === y && !this.#levels.has(x)) continue;
      const level = this.#levels.get(y);
      if (--this.#left < 0) return false;
      if (level === undefined) {
        if (this.#levels.has(x) || !this.#isSameConstant(x, y)) return false;
        continue;
      }
      if (this.#levels.get(x) === undefined) {
        if (level !== 0) return false;
        const [p, q] = [this.#makers.get(x), this.#makers.get(y)];
        // computed from the initial value of a state, or that value itself
        if (p && q && isAlike(p, x, q, y)) {
          p.inputs.forEach((name, i) => pending.push([name, q.inputs[i]!]));
          continue;
        }
        const before = tried.get(`initial ${y}`);
        if (before !== undefined && before !== x && !this.#isSameConstant(before, x)) return false;
        tried.set(`initial ${y}`, x);
        continue;
      }
      if (this.#levels.get(x) !== level - 1) return false;
      if (tried.has(y)) {
        if (tried.get(y) !== x) return false;
        continue;
      }
      tried.set(y, x);
      const { steps } = this.#sequence;
      if (y === steps[level] || x === steps[level - 1]) {
        if (y !== steps[level] || x !== steps[level - 1]) return false;
        continue;
      }
      const [p, q] = [this.#makers.get(x), this.#makers.get(y)];
      if (!p || !q || !isAlike(p, x, q, y)) return false;
      p.inputs.forEach((name, i) => pending.push([name, q.inputs[i]!]));
    }
    for (const [y, x] of tried) {
      if (y.startsWith('initial ')) this.#initial.set(y.slice('initial '.length), x);
      else this.#before.set(y, x);
    }
    return true;
  }

  /** Small constants that an exporter wrote for each step. */
  #isSameConstant(x: string, y: string): boolean {
    const of = (name: string) => {
      const node = this.#makers.get(name);
      const value = node?.op === 'Constant' ? attribute(node, 'value')?.t : this.#tensors.get(name);
      return value && (value.raw?.length ?? 0) <= 1024 ? JSON.stringify({ ...value, name: '' }) : undefined;
    };
    return of(x) !== undefined && of(x) === of(y);
  }

  /** Whether constants in the place of a value of the first step are what the initial values of the states make of it. */
  #isFolded(states: ReadonlySet<string>): boolean {
    const constant = (name: string) => {
      const node = this.#makers.get(name);
      const tensor = node?.op === 'Constant' ? attribute(node, 'value')?.t : this.#tensors.get(name);
      return tensor && this.#read(tensor);
    };
    const folding = new Folding(this.#makers, (name) =>
      constant(states.has(name) ? (this.#initial.get(name) ?? '') : name),
    );
    return [...this.#initial].every(([name, value]) => {
      const known = states.has(name) ? undefined : constant(value);
      return states.has(name) || (known !== undefined && folding.gives(name, known));
    });
  }

  /** The nodes of one step that a state needs: as far as the states of the step before. */
  #cone(name: string, states: ReadonlySet<string>): Set<OnnxNode> {
    const nodes = new Set<OnnxNode>();
    const pending = [name];
    for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
      const node = this.#makers.get(next);
      const isTaken = this.#sequence.steps[this.#levels.get(next) ?? -1] === next;
      if (!node || !this.#levels.has(next) || isTaken || nodes.has(node)) continue;
      nodes.add(node);
      for (const from of node.inputs) if (!states.has(from)) pending.push(from);
    }
    return nodes;
  }

  /** Step 1: the first that reads states of a step before it. */
  #body(tracks: Track[]): OnnxGraph {
    const cone = new Set(
      tracks.flatMap((track) => [...this.#cone(track[1]!, new Set(tracks.map(([before]) => before!)))]),
    );
    // a name of its own: the graph has a value of that name, which nothing is to read
    const step = this.#sequence.steps[1]!;
    const renamed = (name: string) => (name === step ? `${step} (of the loop)` : name);
    return {
      nodes: this.#nodes
        .filter((node) => cone.has(node))
        .map((node) => ({ ...node, inputs: node.inputs.map(renamed) })),
      initializers: [],
      inputs: [...tracks.map((track) => info(track[0]!)), info(renamed(step))],
      outputs: tracks.map((track) => info(track[1]!)),
    };
  }

  /** All steps of a state, of which others read some one by one: a layer that is written out too. */
  #apart(track: Track, read: ReadonlySet<string>): Stack {
    const { axis: along } = this.#sequence;
    const axis = along === 1 ? 1 : 0;
    const output = `${track.at(-1)!} (all)`;
    const behind = track.flatMap((state, t): OnnxNode[] => {
      if (!read.has(state)) return [];
      const node = this.#makers.get(state)!;
      const at = `${state} (step)`;
      return [
        { ...readAs(node, 'Constant', [], [scalar(t)]), outputs: [at] },
        { ...readAs(node, 'Gather', [output, at], [int('axis', axis)]), outputs: [state] },
      ];
    });
    return { track, axis, isBackward: false, output, nodes: [], behind };
  }

  /** All steps of a state as one value again. */
  #stacks(track: Track): Stack[] {
    return this.#nodes.flatMap<Stack>((node) => {
      if (!this.#isStack(node)) return [];
      const axis = attribute(node, 'axis')?.i ?? 0;
      const parts = node.inputs.map((name) => this.#makers.get(name));
      const isUnsqueezed = parts.every(
        (part, i) => part?.op === 'Unsqueeze' && track.includes(part.inputs[0]!) && !track.includes(node.inputs[i]!),
      );
      const names = isUnsqueezed ? parts.map((part) => part!.inputs[0]!) : node.inputs;
      const isBackward = names[0] === track.at(-1);
      const wanted = isBackward ? [...track].reverse() : track;
      if (names.some((name, i) => name !== wanted[i]) || axis < 0) return [];
      const output = node.outputs[0]!;
      const stack = { track, axis, isBackward };
      if (isUnsqueezed) return [{ ...stack, output, nodes: [node, ...(parts as OnnxNode[])], behind: [] }];
      const inner = `${output} (steps)`;
      return [{ ...stack, output: inner, nodes: [node], behind: [readAs(node, 'Squeeze', [inner], [])] }];
    });
  }
}

function info(name: string) {
  return { name, dtype: 1 };
}
