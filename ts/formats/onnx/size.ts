import { GruError } from '../../base/errors.ts';
import type { AxisRule } from '../../layers/kind.ts';

/** A size that is known up to the batch B and a number of steps S: c B^b S^t + k. */
export interface Symbol {
  c: number;
  b: number;
  t: number;
  k: number;
  /** What S is; undefined: T, the steps of the graph's inputs. */
  steps?: Steps;
}

/** The steps of an axis that was made of another: floor((mul S + add) / div), where S is T or those of the axis `of`. */
export interface Steps extends AxisRule {
  of?: Steps;
  /** T is the steps of this input, which has its own. */
  input?: string;
}

export type Size = number | Symbol;

/** What a file says B and T were when it was exported; undefined where it leaves them free. */
export interface Baked {
  batch: number | undefined;
  time: number | undefined;
}

/** Of no file: sizes are compared as such. */
export const FREE: Baked = { batch: undefined, time: undefined };

export const BATCH: Symbol = { c: 1, b: 1, t: 0, k: 0 };
export const TIME: Symbol = { c: 1, b: 0, t: 1, k: 0 };

/** The steps of an input that has its own. */
export function ownSteps(input: string): Symbol {
  return { ...TIME, steps: { mul: 1, add: 0, div: 1, input } };
}

/** What steps were made of; undefined: T. */
function stepsUnder({ of, input }: Steps): Steps | undefined {
  return of ?? (input === undefined ? undefined : ownSteps(input).steps);
}

/** Roundings inside of each other: more are no model's. */
const MOST_STEPS = 16;

/**
 * The one form of a size. A sum c S + k has in S neither a factor nor a whole part, so that equal sums look alike; a product has all
 * of it in S.
 */
function simple(size: Symbol): Size {
  const { c, b, t, k, steps } = size;
  if (c === 0 || (b === 0 && t === 0)) return c === 0 ? k : c + k;
  if (steps === undefined || b > 0 || t !== 1) return size;
  const { mul, add, div } = steps;
  const under = stepsUnder(steps);
  if (div === 1 && sameSteps(steps, under)) return size;
  if (div === 1) return simple({ c: c * mul, b, t, k: k + c * add, ...(under && { steps: under }) });
  const whole = Math.floor(add / div);
  return whole === 0 ? size : { ...size, k: k + c * whole, steps: { ...steps, add: add - whole * div } };
}

/** c S + k as a product: the number that divides both, and the steps of what is left. */
function factored(size: Symbol): Symbol | undefined {
  const { c, b, t, k, steps } = size;
  if (k === 0) return size;
  if (b > 0 || t !== 1) return undefined;
  const common = greatestDivisor(c, k);
  return { c: common, b, t, k: 0, steps: rounded({ ...size, c: c / common, k: k / common }, 1, steps) };
}

function greatestDivisor(x: number, y: number): number {
  return y === 0 ? Math.abs(x) : greatestDivisor(y, x % y);
}

/** floor((c S + k) / div). A floor of a floor is one, where nothing was multiplied in between. */
function rounded({ c, k }: Symbol, div: number, of: Steps | undefined): Steps {
  if (c === 1 && of) return { ...of, add: of.add + k * of.div, div: of.div * div };
  if (depth(of) >= MOST_STEPS)
    throw new GruError('unsupported', `steps are multiplied and divided more than ${MOST_STEPS} times`);
  return { mul: c, add: k, div, ...(of && { of }) };
}

function depth(steps: Steps | undefined): number {
  return steps ? 1 + depth(steps.of) : 0;
}

function symbol(size: Size): Symbol {
  return typeof size === 'number' ? { c: 0, b: 0, t: 0, k: size } : size;
}

function sameSteps(x: Steps | undefined, y: Steps | undefined): boolean {
  if (!x || !y) return x === y;
  return x.mul === y.mul && x.add === y.add && x.div === y.div && x.input === y.input && sameSteps(x.of, y.of);
}

/** undefined: not of the form that a {@link Symbol} can say. */
export function addSizes(x: Size, y: Size): Size | undefined {
  const [p, q] = [symbol(x), symbol(y)];
  if (p.c === 0) return simple({ ...q, k: p.k + q.k });
  if (q.c === 0) return simple({ ...p, k: p.k + q.k });
  const alike = p.b === q.b && p.t === q.t && sameSteps(p.steps, q.steps);
  return alike ? simple({ ...p, c: p.c + q.c, k: p.k + q.k }) : undefined;
}

export function multiplySizes(x: Size, y: Size): Size | undefined {
  if (typeof x === 'number') return times(symbol(y), x);
  if (typeof y === 'number') return times(x, y);
  const [p, q] = [factored(x), factored(y)];
  if (!p || !q || (p.t > 0 && q.t > 0 && !sameSteps(p.steps, q.steps))) return undefined;
  const steps = p.t > 0 ? p.steps : q.steps;
  return simple({ c: p.c * q.c, b: p.b + q.b, t: p.t + q.t, k: 0, ...(steps && { steps }) });
}

function times(size: Symbol, n: number): Size {
  return simple({ ...size, c: size.c * n, k: size.k * n });
}

/** x / y where it goes without a remainder. */
export function exactQuotient(x: Size, y: Size): Size | undefined {
  if (typeof y === 'number') {
    const { c, k } = symbol(x);
    return y !== 0 && c % y === 0 && k % y === 0 ? simple({ ...symbol(x), c: c / y, k: k / y }) : undefined;
  }
  const [p, q] = [factored(symbol(x)), factored(y)];
  if (!p || !q || p.b < q.b || p.t < q.t || p.c % q.c !== 0) return undefined;
  if (q.t > 0 && !sameSteps(p.steps, q.steps)) return undefined;
  const left = p.t > q.t && p.steps;
  return simple({ c: p.c / q.c, b: p.b - q.b, t: p.t - q.t, k: 0, ...(left && { steps: left }) });
}

/** Division of whole numbers: towards zero for plain numbers; of steps, which are never negative, down. */
export function divideSizes(x: Size, y: Size): Size | undefined {
  if (typeof x === 'number' && typeof y === 'number') return y === 0 ? undefined : Math.trunc(x / y);
  const exact = exactQuotient(x, y);
  if (exact !== undefined || typeof x === 'number' || typeof y !== 'number') return exact;
  if (y < 1 || x.b > 0 || x.t !== 1 || x.c < 1) return undefined;
  return simple({ c: 1, b: 0, t: 1, k: 0, steps: rounded(x, y, x.steps) });
}

/** Steps of the axis that a layer makes of one of these steps. */
export function stepsBy({ mul, add, div }: AxisRule, steps: Size): Size {
  const sum = addSizes(multiplySizes(steps, mul)!, add)!;
  return typeof sum === 'number' ? Math.max(Math.floor(sum / div), 0) : divideSizes(sum, div)!;
}

/** undefined: it depends on B or T. */
export function equalSizes(x: Size, y: Size, baked: Baked): boolean | undefined {
  const [p, q] = [symbol(x), symbol(y)];
  const known = [bakedSize(x, baked), bakedSize(y, baked)];
  if (p.c === q.c && p.b === q.b && p.t === q.t && sameSteps(p.steps, q.steps)) return p.k === q.k;
  // sizes are never negative: comparisons with -1 (any) are decided
  const negative = (s: Size) => typeof s === 'number' && s < 0;
  if ((negative(x) && q.k >= 0 && q.c > 0) || (negative(y) && p.k >= 0 && p.c > 0)) return false;
  return known[0] === undefined || known[1] === undefined ? undefined : known[0] === known[1];
}

/** The number that a size was at export. */
export function bakedSize(size: Size, { batch, time }: Baked): number | undefined {
  if (typeof size === 'number') return size;
  if ((size.b > 0 && batch === undefined) || (size.t > 0 && time === undefined)) return undefined;
  return size.c * (batch ?? 1) ** size.b * bakedSteps(size.steps, time ?? 1) ** size.t + size.k;
}

function bakedSteps(steps: Steps | undefined, time: number): number {
  if (!steps) return time;
  return Math.max(Math.floor((steps.mul * bakedSteps(steps.of, time) + steps.add) / steps.div), 0);
}

export function sizeText(size: Size): string {
  if (typeof size === 'number') return String(size);
  const parts = [
    ...(size.c === 1 ? [] : [String(size.c)]),
    ...Array<string>(Math.min(size.b, 9)).fill('batch'),
    ...Array<string>(Math.min(size.t, 9)).fill(stepsText(size.steps)),
  ];
  return parts.join(' ') + plus(size.k);
}

function stepsText(steps: Steps | undefined): string {
  if (!steps) return 'time';
  const { mul, add, div, of, input } = steps;
  if (!of && input !== undefined && mul === 1 && add === 0 && div === 1) return `steps of '${input}'`;
  const under = stepsUnder(steps);
  const sum = `${mul === 1 ? '' : `${mul} `}${stepsText(under)}${plus(add)}`;
  return div === 1 ? `(${sum})` : `floor((${sum}) / ${div})`;
}

function plus(k: number): string {
  return k === 0 ? '' : k > 0 ? ` + ${k}` : ` - ${-k}`;
}

export function shapeText(shape: readonly Size[]): string {
  return `[${shape.map(sizeText).join(', ')}]`;
}
