/** A size that is known up to the batch B and the number of steps T: c B^b T^t + k. */
export interface Symbol {
  c: number;
  b: number;
  t: number;
  k: number;
}

export type Size = number | Symbol;

/** What a file says B and T were when it was exported; undefined where it leaves them free. */
export interface Baked {
  batch: number | undefined;
  time: number | undefined;
}

export const BATCH: Symbol = { c: 1, b: 1, t: 0, k: 0 };
export const TIME: Symbol = { c: 1, b: 0, t: 1, k: 0 };

function simple(size: Symbol): Size {
  return size.c === 0 || (size.b === 0 && size.t === 0) ? size.c * (size.c === 0 ? 0 : 1) + size.k : size;
}

function symbol(size: Size): Symbol {
  return typeof size === 'number' ? { c: 0, b: 0, t: 0, k: size } : size;
}

/** undefined: not of the form that a {@link Symbol} can say. */
export function addSizes(x: Size, y: Size): Size | undefined {
  const [p, q] = [symbol(x), symbol(y)];
  if (p.c === 0) return simple({ ...q, k: p.k + q.k });
  if (q.c === 0) return simple({ ...p, k: p.k + q.k });
  return p.b === q.b && p.t === q.t ? simple({ ...p, c: p.c + q.c, k: p.k + q.k }) : undefined;
}

export function multiplySizes(x: Size, y: Size): Size | undefined {
  const [p, q] = [symbol(x), symbol(y)];
  if (p.c === 0) return simple({ ...q, c: q.c * p.k, k: q.k * p.k });
  if (q.c === 0) return simple({ ...p, c: p.c * q.k, k: p.k * q.k });
  return p.k === 0 && q.k === 0 ? simple({ c: p.c * q.c, b: p.b + q.b, t: p.t + q.t, k: 0 }) : undefined;
}

/** Division of whole numbers where it goes without a remainder (towards zero for plain numbers). */
export function divideSizes(x: Size, y: Size): Size | undefined {
  if (typeof x === 'number' && typeof y === 'number') return y === 0 ? undefined : Math.trunc(x / y);
  const [p, q] = [symbol(x), symbol(y)];
  if (q.c === 0) return p.c % q.k === 0 && p.k % q.k === 0 ? { ...p, c: p.c / q.k, k: p.k / q.k } : undefined;
  const fits = p.k === 0 && q.k === 0 && p.b >= q.b && p.t >= q.t && p.c % q.c === 0;
  return fits ? simple({ c: p.c / q.c, b: p.b - q.b, t: p.t - q.t, k: 0 }) : undefined;
}

/** undefined: it depends on B or T. */
export function equalSizes(x: Size, y: Size, baked: Baked): boolean | undefined {
  const [p, q] = [symbol(x), symbol(y)];
  const known = [bakedSize(x, baked), bakedSize(y, baked)];
  if (p.c === q.c && p.b === q.b && p.t === q.t) return p.k === q.k;
  // sizes are never negative: comparisons with -1 (any) are decided
  const negative = (s: Size) => typeof s === 'number' && s < 0;
  if ((negative(x) && q.k >= 0 && q.c > 0) || (negative(y) && p.k >= 0 && p.c > 0)) return false;
  return known[0] === undefined || known[1] === undefined ? undefined : known[0] === known[1];
}

/** The number that a size was at export. */
export function bakedSize(size: Size, { batch, time }: Baked): number | undefined {
  if (typeof size === 'number') return size;
  if ((size.b > 0 && batch === undefined) || (size.t > 0 && time === undefined)) return undefined;
  return size.c * (batch ?? 1) ** size.b * (time ?? 1) ** size.t + size.k;
}

export function sizeText(size: Size): string {
  if (typeof size === 'number') return String(size);
  const parts = [
    ...(size.c === 1 ? [] : [String(size.c)]),
    ...Array<string>(Math.min(size.b, 9)).fill('batch'),
    ...Array<string>(Math.min(size.t, 9)).fill('time'),
  ];
  return parts.join(' ') + (size.k === 0 ? '' : size.k > 0 ? ` + ${size.k}` : ` - ${-size.k}`);
}

export function shapeText(shape: readonly Size[]): string {
  return `[${shape.map(sizeText).join(', ')}]`;
}
