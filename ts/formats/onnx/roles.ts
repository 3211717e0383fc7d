import { GruError } from '../../base/errors.ts';
import { nodeText } from './attributes.ts';
import type { OnnxNode, OnnxValueInfo } from './messages.ts';
import { dtypeClass, dtypeName } from './tensor.ts';
import { RolesChanged, role, type Factor, type Rows } from './value.ts';

export type Role = Factor['role'];

/** An input of the graph that is given at each run, and what its axes are taken to be. */
export interface GraphInput {
  info: OnnxValueInfo;
  shape: (number | string)[];
  dtype: 'float32' | 'int32';
  /** Roles that the graph demands. */
  fixed: Map<number, { role: Role; by?: OnnxNode | undefined }>;
  /** Axes that are features unless the graph demands another role: parts of them are taken. */
  parted: Set<number>;
  first: Assumed['first'];
  /** What gives lengths is read as numbers too: then it is a value as any other, and the lengths are computed of it. */
  isNumbers: boolean;
  /** It has no time axis, but is a sequence: of one step. */
  isStep: boolean;
  /** The axis of its one step, which no steps of others are: an axis of one, as those are that an Unsqueeze makes. */
  oneStep: number | undefined;
  roles: Role[];
}

const BATCH_NAME = /batch|^bs?$|^n$/i;
const TIME_NAME = /time|seq|step|len|frame|^t$|^l$/i;

/** What is assumed of the axes of inputs where nothing says otherwise. */
export interface Assumed {
  /** Which of the two comes first. For ids it is the other one: the batch, unless that fails; or the batch for all. */
  first: 'time' | 'batch' | 'batch of all';
  /**
   * What parts are taken of. `numbered`: of features, and of steps by their numbers, see `GraphContext.numbersSteps`. `steps`: the same; and steps
   * may be features, see `GraphContext.flattensSteps`. `fixed`: the same, and all axes are features that the file fixes beside free ones, as
   * those of several states are beside free steps.
   */
  parts: 'feature' | 'any' | 'numbered' | 'steps' | 'fixed';
  /** Inputs whose steps have another name in the file than those of the first have their own: what a Shape counts says whose. */
  own?: boolean;
}

/** Each of them allows what those before it do. */
const PARTS: readonly Assumed['parts'][] = ['feature', 'any', 'numbered', 'steps', 'fixed'];

/**
 * What the axes of the graph's inputs mean is not in the file: it follows from what reads them. Roles are assumed first
 * (for three axes [time, batch, features]); where an operator needs other ones, they are changed and the graph is read anew.
 */
export class InputRoles {
  readonly inputs: GraphInput[];

  readonly assumed: Assumed;

  constructor(infos: OnnxValueInfo[], assumed: Assumed) {
    this.assumed = assumed;
    const { first, parts } = assumed;
    const parted = (shape: GraphInput['shape']) => {
      const fixed = shape.flatMap((size, axis) => (typeof size === 'number' ? [axis] : []));
      return new Set(parts === 'fixed' && fixed.length < shape.length ? fixed : []);
    };
    this.inputs = infos.map((info) => {
      const dtype = dtypeClass(info.dtype);
      const what = `input '${info.name}' of the graph`;
      if (dtype === undefined)
        throw new GruError(
          'unsupported',
          `${what} has the type ${dtypeName(info.dtype)}; supported: floats, whole numbers and booleans`,
        );
      if (!info.shape) throw new GruError('unsupported', `${what} has no shape; { onnx: { inputShapes } } says it`);
      if (
        info.shape.length > 6 ||
        info.shape.some((size) => typeof size === 'number' && !(Number.isSafeInteger(size) && size > 0))
      ) {
        throw new GruError(
          'unsupported',
          `${what} has the shape [${info.shape.slice(0, 9).join(', ')}]; supported: up to 6 dimensions, free or from 1`,
        );
      }
      const values = info.shape.reduce<number>((n, size) => (typeof size === 'number' ? n * size : n), 1);
      if (!Number.isSafeInteger(values))
        throw new GruError('unsupported', `${what} has ${values} values a row: more than 2^53`);
      const input: GraphInput = {
        info,
        shape: info.shape,
        dtype: dtype === 'float' ? 'float32' : 'int32',
        fixed: new Map(),
        parted: parted(info.shape),
        first,
        isNumbers: false,
        isStep: false,
        oneStep: undefined,
        roles: [],
      };
      assignRoles(input);
      return input;
    });
  }

  /** Whether an axis is features for no other reason than that parts are taken of it. */
  get hasParts(): boolean {
    return this.inputs.some(({ parted }) => parted.size > 0);
  }

  /** What was asked for and is not assumed: with it a graph may be read otherwise, without it not. */
  readonly wanted = new Set<Assumed['parts']>();

  /** @see GraphContext.numbersSteps, GraphContext.flattensSteps */
  allows(parts: 'numbered' | 'steps'): boolean {
    const is = PARTS.indexOf(this.assumed.parts) >= PARTS.indexOf(parts);
    if (!is) this.wanted.add(parts);
    return is;
  }

  /** Whether the batch is the first axis of all inputs. */
  get areBatchFirst(): boolean {
    return this.inputs.every(({ roles: [first = 'batch'] }) => first === 'batch');
  }

  /** Whether there are ids beside other inputs. */
  get areMixed(): boolean {
    return new Set(this.inputs.map(({ dtype }) => dtype)).size > 1;
  }

  /** Whether the file has several names for steps. */
  get areApart(): boolean {
    return new Set(this.inputs.map(nameOfSteps).filter((name) => name !== undefined)).size > 1;
  }

  /** Of each input the one that its steps are named after, where they are not those of all. */
  ownSteps(): (string | undefined)[] {
    const firsts = new Map<string, string>();
    return this.inputs.map((input) => {
      const name = nameOfSteps(input);
      if (!this.assumed.own || name === undefined) return undefined;
      if (!firsts.has(name)) firsts.set(name, input.info.name);
      return name === firsts.keys().next().value ? undefined : firsts.get(name);
    });
  }

  /** The number that the batch or the steps were at export; undefined where they are free, or the inputs do not agree. */
  baked(wanted: 'batch' | 'time', used: (index: number) => boolean): number | undefined {
    const sizes = (onlyFixed: boolean) =>
      this.inputs.flatMap(({ roles, shape, fixed }, index) => {
        const axis = roles.indexOf(wanted);
        const size = shape[axis];
        return typeof size === 'number' && used(index) && (!onlyFixed || fixed.has(axis)) ? [size] : [];
      });
    for (const list of [sizes(true), sizes(false)]) {
      if (list.length > 0) return list.every((size) => size === list[0]) ? list[0] : undefined;
    }
    return undefined;
  }

  /**
   * @param by the node that is read
   * @see GraphContext.demand
   */
  demand(rows: Rows, roles: (Role | undefined)[], by?: OnnxNode): boolean {
    const changes: { input: GraphInput; axis: number; wanted: Role }[] = [];
    for (const [i, wanted] of roles.entries()) {
      const axis = rows.axes[i];
      if (wanted === undefined || !axis) continue;
      const is = role(axis);
      if (is === wanted || (is === 'one' && wanted === 'feature')) {
        for (const { origin } of axis)
          if (origin && is === wanted) settle(this.inputs[origin.input]!, origin.axis, { role: wanted, by });
        continue;
      }
      const wrong = axis.filter(
        ({ role: r, size, origin }) => r !== wanted && (r !== 'feature' || size !== 1 || origin),
      );
      if (wrong.length === 0) continue;
      if (wanted !== 'feature' && axis.length > 1) return false;
      for (const { origin } of wrong) {
        if (!origin) return false;
        changes.push({ input: this.inputs[origin.input]!, axis: origin.axis, wanted });
      }
    }
    if (changes.length === 0) return true;
    for (const { input, axis, wanted } of changes) {
      const before = input.fixed.get(axis);
      if (before && before.role !== wanted) {
        if (input.shape[axis] === 1 && wanted !== 'batch' && before.role !== 'batch') this.readAsOneStep(input, axis);
        throw new GruError(
          'unsupported',
          `takes axis ${axis} of input '${input.info.name}' as ${wanted}, ${before.by ? nodeText(before.by) : 'other nodes'} as ${before.role}`,
        );
      }
      settle(input, axis, { role: wanted, by });
    }
    for (const { input } of changes) assignRoles(input);
    throw new RolesChanged();
  }

  /** @see GraphContext.preferFeature */
  preferFeature(axis: readonly Factor[]): void {
    if (this.assumed.parts === 'any') return;
    const origins = axis.flatMap(({ role: r, origin }) => (origin && r !== 'feature' ? [origin] : []));
    for (const origin of origins) {
      const input = this.inputs[origin.input]!;
      const isFree = !input.fixed.has(origin.axis) && !input.parted.has(origin.axis);
      if (!isFree || typeof input.shape[origin.axis] !== 'number') continue;
      input.parted.add(origin.axis);
      assignRoles(input);
      throw new RolesChanged();
    }
  }

  /** @see GraphContext.demandVector */
  demandVector(rows: Rows): void {
    const inputs = rows.inputs.map((i) => this.inputs[i]!).filter(({ roles }) => roles.includes('time'));
    const isOne = ({ roles, shape, fixed }: GraphInput) => {
      const axis = roles.indexOf('time');
      return shape[axis] === 1 && !fixed.has(axis);
    };
    if (inputs.length === 0 || !inputs.every(isOne)) return;
    for (const input of inputs) {
      // one row that is no step is one of each sequence, where nothing else says which sequence
      const one: Role = input.roles.includes('batch') ? 'feature' : 'batch';
      for (const [axis, is] of input.roles.entries()) {
        if (is !== 'feature') input.fixed.set(axis, { role: is === 'time' ? one : is });
      }
      assignRoles(input);
    }
    throw new RolesChanged();
  }

  /** @see GraphContext.demandIds */
  demandIds(rows: Rows): void {
    const [input, ...others] = rows.inputs.map((i) => this.inputs[i]!);
    if (!input || others.length > 0 || input.dtype === 'int32') return;
    input.dtype = 'int32';
    assignRoles(input);
    throw new RolesChanged();
  }

  /** @see GraphContext.isNumbers */
  readAsNumbers(index: number): never {
    this.inputs[index]!.isNumbers = true;
    throw new RolesChanged();
  }

  /** @see GraphInput.oneStep */
  readAsOneStep(input: GraphInput, axis = input.roles.indexOf('time')): never {
    input.oneStep = axis;
    input.fixed.set(axis, { role: 'feature' });
    assignRoles(input);
    throw new RolesChanged();
  }

  /** @see GraphContext.demandSequence */
  demandSequence(rows: Rows): boolean {
    if (rows.kind === 'sequence') return true;
    // beside steps of others, one step is of none of theirs
    if (this.inputs.some(({ roles }) => roles.includes('time'))) return false;
    const changed = rows.inputs
      .map((i) => this.inputs[i]!)
      .filter(({ isStep, roles }) => !isStep && !roles.includes('time'));
    if (changed.length === 0) return false;
    for (const input of changed) input.isStep = true;
    throw new RolesChanged();
  }
}

/** Of what demands one role the first is kept. */
function settle({ fixed }: GraphInput, axis: number, demand: { role: Role; by?: OnnxNode | undefined }): void {
  if (fixed.get(axis)?.role !== demand.role) fixed.set(axis, demand);
}

/** What the file calls the steps of an input; undefined where it has none, or they have no name. */
function nameOfSteps({ roles, shape }: GraphInput): string | undefined {
  const size = shape[roles.indexOf('time')];
  return typeof size === 'string' && size !== '' ? size : undefined;
}

/** Takes the likeliest roles of those that the graph's demands leave. */
function assignRoles(input: GraphInput): void {
  const { shape, fixed } = input;
  const best = likeliest(input, false) ?? likeliest(input, true);
  if (!best) {
    const known = [...fixed].map(([axis, demand]) => `axis ${axis} is ${demand.role}`).join(', ');
    const isFree =
      shape.every((size) => typeof size === 'string') ||
      [...fixed].some(([axis, demand]) => demand.role === 'feature' && typeof shape[axis] !== 'number');
    const hint = isFree
      ? '; { onnx: { inputShapes } } says how many features there are, which the file leaves free'
      : '';
    throw new GruError(
      'unsupported',
      `input '${input.info.name}' of shape [${shape.map((d) => (d === '' ? '?' : d)).join(', ')}] cannot be read as rows of features${known && `: ${known}`}${hint}`,
    );
  }
  input.roles = best;
}

/** `isWide`: rows of ids may have several. */
function likeliest(input: GraphInput, isWide: boolean): Role[] | undefined {
  const { shape, fixed, parted, dtype } = input;
  const rank = shape.length;
  let best: { roles: Role[]; cost: number } | undefined;
  for (let time = -1; time < rank; time++) {
    for (let batch = -1; batch < rank; batch++) {
      if (time === batch && time >= 0) continue;
      const roles = shape.map<Role>((_, axis) => (axis === time ? 'time' : axis === batch ? 'batch' : 'feature'));
      // features have a size; ids have no features but ones
      const fits = roles.every(
        (r, axis) =>
          (fixed.get(axis)?.role ?? (parted.has(axis) ? 'feature' : r)) === r &&
          (r !== 'feature' ||
            (typeof shape[axis] === 'number' && (dtype !== 'int32' || isWide || fixed.has(axis) || shape[axis] === 1))),
      );
      if (!fits) continue;
      const cost = preference(input, time, batch);
      if (!best || cost < best.cost) best = { roles, cost };
    }
  }
  return best?.roles;
}

function preference({ shape, dtype, first }: GraphInput, time: number, batch: number): number {
  const rank = shape.length;
  const isName = (axis: number, pattern: RegExp) => typeof shape[axis] === 'string' && pattern.test(shape[axis]);
  const named =
    (isName(time, TIME_NAME) || isName(batch, BATCH_NAME) ? -10 : 0) +
    (isName(time, BATCH_NAME) || isName(batch, TIME_NAME) ? 200 : 0);
  const wantsTime = dtype === 'int32' ? rank >= 2 : rank >= 3;
  const missing = (wantsTime === time < 0 ? 100 : 0) + (batch < 0 && rank > 0 ? 50 : 0);
  const isTimeFirst = first !== 'batch of all' && (dtype === 'float32') === (first === 'time');
  const order = (isTimeFirst ? time === 0 && batch === 1 : batch === 0 && time === 1) ? 0 : 1;
  return missing + named + 3 * (time + batch) + order;
}
