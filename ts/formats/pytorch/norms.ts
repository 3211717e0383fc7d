import { GruError } from '../../base/errors.ts';
import { product, shapeText } from '../../base/tensor.ts';
import type { SourceTensor, StateDict } from './source.ts';

/** A tensor that the module computes before each use, and the names of what it computes it from. */
interface Computed {
  name: string;
  from: string[];
  tensor: SourceTensor;
}

/**
 * Puts in the weights that torch.nn.utils computes at each use from others, which it takes out:
 *
 * - `weight_norm` (`weight_g`, `weight_v`; as a parametrization `original0`, `original1`): w = g v / |v|, the norm over all axes but
 *   one, that of g (its default dim 0), or over all (dim None). PyTorch's documentation of torch.nn.utils.weight_norm, after Salimans
 *   and Kingma, 2016.
 * - `spectral_norm` (`weight_orig`, `weight_u`, `weight_v`; `original`, `0._u`, `0._v`): w = W / (u^T M v), where M is W with the axis
 *   of u first and the others as one. At inference u and v stay as they are. torch.nn.utils.spectral_norm, after Miyato et al., 2018.
 *
 * @returns What was computed, in words.
 * @throws GruError `unsupported` for shapes that do not fit.
 */
export function computeNorms(dict: StateDict): string[] {
  const found: Computed[] = [];
  // Each name is looked at once, and others are looked up by it.
  for (const name of dict.keys()) {
    const computed = weightNorm(dict, name) ?? spectralNorm(dict, name);
    if (computed && !dict.has(computed.name)) found.push(computed);
  }
  for (const { name, from, tensor } of found) {
    for (const part of from) dict.delete(part);
    dict.set(name, tensor);
  }
  return found.map(({ name, from }) => `'${name}' is computed from ${from.map((part) => `'${part}'`).join(', ')}`);
}

/** `m.parametrizations.weight.<end>`: the name of the weight, `m.weight`, and what others of its parametrization begin with. */
function parametrized(name: string, end: string): { weight: string; begin: string } | undefined {
  if (!name.endsWith(end)) return undefined;
  const begin = name.slice(0, -end.length);
  const at = begin.lastIndexOf('parametrizations.');
  if (at < 0 || begin.indexOf('.', at + 'parametrizations.'.length) !== begin.length - 1) return undefined;
  return { weight: begin.slice(0, at) + begin.slice(at + 'parametrizations.'.length, -1), begin };
}

function weightNorm(dict: StateDict, name: string): Computed | undefined {
  const made = parametrized(name, 'original0');
  const weight = made ? made.weight : name.endsWith('_g') ? name.slice(0, -2) : undefined;
  if (weight === undefined) return undefined;
  const vName = made ? `${made.begin}original1` : `${weight}_v`;
  const [g, v] = [dict.get(name), dict.get(vName)];
  if (!isTensor(g) || !isTensor(v)) return undefined;
  const wide = g.shape.flatMap((d, i) => (d === 1 ? [] : [i]));
  const [axis = -1] = wide;
  const fits = wide.length === 0 || (wide.length === 1 && g.shape.length === v.shape.length && g.shape[axis] === v.shape[axis]); // prettier-ignore
  if (!fits) throw mismatch(name, g, vName, v);
  const { shape } = v;
  const floats = async () => {
    const [gains, values] = [await g.floats(), await v.floats()];
    const index = axisIndex(shape, axis);
    const squares = new Float64Array(axis < 0 ? 1 : shape[axis]!);
    for (let i = 0; i < values.length; i++) squares[index(i)]! += values[i]! ** 2;
    return values.map((value, i) => (gains[index(i)]! * value) / Math.sqrt(squares[index(i)]!));
  };
  return { name: weight, from: [name, vName], tensor: { shape, dtype: v.dtype, floats } };
}

function spectralNorm(dict: StateDict, name: string): Computed | undefined {
  const made = parametrized(name, 'original');
  const weight = made ? made.weight : name.endsWith('_orig') ? name.slice(0, -5) : undefined;
  if (weight === undefined) return undefined;
  const [uName, vName] = made ? [`${made.begin}0._u`, `${made.begin}0._v`] : [`${weight}_u`, `${weight}_v`];
  const [w, u, v] = [dict.get(name), dict.get(uName), dict.get(vName)];
  if (!isTensor(w) || !isTensor(u) || !isTensor(v)) return undefined;
  const { shape } = w;
  const [rows, columns] = [product(u.shape), product(v.shape)];
  const axes = shape.flatMap((d, axis) => (d === rows ? [axis] : []));
  if (axes.length === 0 || rows * columns !== product(shape)) throw mismatch(name, w, uName, u);
  const floats = async () => {
    const [values, left, right] = [await w.floats(), await u.floats(), await v.floats()];
    const along = axes.map((axis) => alongAxis(axisIndex(shape, axis), values, left, right));
    const nearest = along.reduce((a, b) => (b.cosine > a.cosine ? b : a));
    const { sigma } = nearest.cosine > NEAR ? nearest : along[0]!;
    return values.map((value) => value / sigma);
  };
  return { name: weight, from: [name, uName, vName], tensor: { shape, dtype: w.dtype, floats } };
}

/**
 * Of axes of one size the file does not say which u is of: that for which u is M v but for its length, as training leaves it; where it is for
 * none, the first, PyTorch's default.
 */
const NEAR = 0.99;

/** u^T M v, and the cosine between u and M v. */
function alongAxis(
  index: (at: number) => number,
  values: Float32Array,
  left: Float32Array,
  right: Float32Array,
): { sigma: number; cosine: number } {
  // The columns of M are the other axes in their order: counted up for each row as its values come.
  const at = new Uint32Array(left.length);
  const made = new Float64Array(left.length);
  for (let i = 0; i < values.length; i++) {
    const row = index(i);
    made[row]! += values[i]! * right[at[row]!++]!;
  }
  const sigma = made.reduce((sum, x, row) => sum + x * left[row]!, 0);
  return {
    sigma,
    cosine: sigma / Math.sqrt(made.reduce((sum, x) => sum + x * x, 0) * left.reduce((sum, x) => sum + x * x, 0)),
  };
}

/** The index along one axis of the element at a place in row-major order; of no axis (-1) 0. */
function axisIndex(shape: readonly number[], axis: number): (at: number) => number {
  if (axis < 0) return () => 0;
  const inner = product(shape.slice(axis + 1));
  return (at) => Math.floor(at / inner) % shape[axis]!;
}

function isTensor(entry: SourceTensor | string | undefined): entry is SourceTensor {
  return typeof entry === 'object';
}

function mismatch(name: string, { shape }: SourceTensor, other: string, { shape: wanted }: SourceTensor): GruError {
  return new GruError(
    'unsupported',
    `'${name}' ${shapeText(shape)} and '${other}' ${shapeText(wanted)} are those of no weight_norm or spectral_norm`,
  );
}
