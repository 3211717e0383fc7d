import { isRecord } from '../../../base/tensor.ts';
import type { Features, Value } from '../values.ts';
import { expand } from './axes.ts';
import { stepsAsFeatures, type Call, type Resolved, type Translate } from './call.ts';
import { asTensor, axisOf, number, operandsOf, rankOf, setting } from './operands.ts';
import { isAll, type Range, takeFeatures, takeStep, takeSteps } from './parts.ts';
import { shown } from '../shown.ts';

/** One place of a key: a part of a dimension, one entry of it, all dimensions that are left, or a new one. */
type Place = Range | number | 'rest' | 'new';

const ALL: Range = { start: null, stop: null, step: 1 };

/** `x[key]`. */
export const getItem: Translate = (call) => {
  const key = call.kwargs.get('slice_spec') ?? call.args[1];
  const [x] = operandsOf(call, ['slice_spec', 'key'], 1);
  const places = (Array.isArray(key) ? key : [key]).map((one) => place(call, one));
  return [item(call, asTensor(call, x), places)];
};

/** TensorFlow's: numbers for each dimension, and bits that say which of them count. */
export const stridedSlice: Translate = (call) => {
  const names = ['begin', 'end', 'strides'] as const;
  const masks = ['begin_mask', 'end_mask', 'ellipsis_mask', 'new_axis_mask', 'shrink_axis_mask'] as const;
  const lists = names.map((name, i) => wholes(call, name, setting(call, name, i + 1)));
  const bits = masks.map((name, i) => number(call, name, i + 4, 0));
  const [x] = operandsOf(call, [...names, ...masks, 'var'], 1);
  const [begin, end, given] = lists;
  const strides = given ?? begin?.map(() => 1);
  if (!begin || !strides || end?.length !== begin.length || strides.length !== begin.length)
    throw call.fields.invalid('begin, end and strides must be lists of one length');
  const places = begin.map((start, i): Place => {
    const [noStart, noEnd, isRest, isNew, isOne] = bits.map((mask) => ((mask >> i) & 1) === 1);
    if (isRest) return 'rest';
    if (isNew) return 'new';
    if (isOne) return start;
    const range = { start: noStart ? null : start, stop: noEnd ? null : end[i]!, step: strides[i]! };
    if (range.step === 0) throw call.fields.invalid('strides must not be 0');
    return range;
  });
  return [item(call, asTensor(call, x), places)];
};

/** TensorFlow's: the first entry of each dimension, and how many; -1 for all behind it. */
export const sliceOf: Translate = (call) => {
  const [begin, size] = ['begin', 'size'].map((name, i) => wholes(call, name, setting(call, name, i + 1)));
  const [x] = operandsOf(call, ['begin', 'size'], 1);
  if (!begin || size?.length !== begin.length) throw call.fields.invalid('begin and size must be lists of one length');
  const places = begin.map((start, i): Range => ({ start, stop: size[i] === -1 ? null : start + size[i]!, step: 1 }));
  return [item(call, asTensor(call, x), places)];
};

/** An axis from its last entry to its first. */
export const flip: Translate = (call) => {
  const axis = axisOf(call, 1, NaN);
  const x = asTensor(call, operandsOf(call, ['axis'], 1)[0]);
  const rank = x.is === 'features' ? rankOf(x) : NaN;
  const at = axis < 0 ? axis + rank : axis;
  const places = Array.from({ length: rank || 0 }, (_, i) => (i === at ? { ...ALL, step: -1 } : ALL));
  if (!(at > 0 && at < rank))
    throw call.fields.unsupported(`axis ${axis} is not supported; supported: steps, features`);
  return [item(call, x, places)];
};

function wholes(call: Call, name: string, value: unknown): number[] | undefined {
  if (value === undefined || value === null) return undefined;
  if (Array.isArray(value) && value.every((one) => Number.isSafeInteger(one))) return value as number[];
  throw call.fields.unsupported(`${name} must be a list of whole numbers`);
}

const isWhole = (one: Place) => typeof one === 'object' && isAll(one);

function item(call: Call, given: Value, places: Place[]): Value {
  const { builder, fields } = call;
  const isNew = given.is === 'transposed' && given.flat && places.every((one) => one === 'new' || isWhole(one));
  if (isNew && places.length === 3) return expand(call, given, places.indexOf('new'));
  const value = (given.is === 'transposed' ? stepsAsFeatures(call, given) : undefined) ?? given;
  if (value.is !== 'features') throw fields.unsupported('takes parts of other things than steps, features and vectors');
  const x: Features = { is: 'features', ref: builder.exact(value), kind: value.kind, size: value.size };
  const rank = rankOf(x);
  const rest = places.indexOf('rest');
  const own = places.filter((one) => one !== 'rest' && one !== 'new').length;
  const fill = Array.from({ length: Math.max(rank - own, 0) }, () => ALL);
  const full = rest < 0 ? [...places, ...fill] : [...places.slice(0, rest), ...fill, ...places.slice(rest + 1)];
  const old = full.filter((one): one is Range | number => typeof one === 'object' || typeof one === 'number');
  if (old.length !== rank || full.includes('rest'))
    throw fields.invalid(`has a key that does not fit ${rank} dimensions`);
  const [batch, ...parts] = old;
  if (typeof batch !== 'object' || !isAll(batch)) throw fields.unsupported('takes a part of the batch');
  const found = partsOf(call, x, parts);
  const axes = full.filter((one) => typeof one !== 'number');
  const added = axes.indexOf('new');
  if (added < 0) return found;
  if (axes.lastIndexOf('new') !== added) throw fields.unsupported('puts in several axes; supported: one');
  return expand(call, found, added);
}

function partsOf(call: Call, x: Features, parts: readonly (Range | number)[]): Value {
  const { fields } = call;
  const features = parts.at(-1)!;
  const isOne = typeof features === 'number';
  if (isOne && (features >= x.size || features < -x.size))
    throw fields.invalid(`takes feature ${features} of ${x.size}`);
  const at = isOne && features < 0 ? features + x.size : features;
  const range = typeof at === 'number' ? { start: at, stop: at + 1, step: 1 } : at;
  let found = x;
  if (x.kind === 'sequence') {
    const [steps] = parts as [Range | number];
    found = typeof steps === 'number' ? takeStep(call, x, steps) : takeSteps(call, x, steps);
  }
  found = takeFeatures(call, found, range);
  if (!isOne) return found;
  if (found.kind === 'vector')
    throw fields.unsupported(
      'takes one number of each sequence, which leaves no axis but the batch; x[:, a:a + 1] leaves one',
    );
  return { is: 'transposed', ref: found.ref, size: 1, flat: true };
}

/** As the config writes it: a whole number, `{ start, stop, step }`, or the same as an object of class `__slice__`. */
function place({ fields }: Call, one: Resolved | undefined): Place {
  let constant: unknown = one !== undefined && !Array.isArray(one) && 'constant' in one ? one.constant : undefined;
  if (Number.isInteger(constant)) return constant as number;
  if (constant === null) return 'new';
  if (isRecord(constant) && String(constant['class_name']).includes('llipsis')) return 'rest';
  if (isRecord(constant) && constant['class_name'] === '__slice__') constant = constant['config'];
  if (isRecord(constant) && 'start' in constant && 'stop' in constant) {
    const { start, stop, step = null } = constant;
    const isIndex = (value: unknown): value is number | null => value === null || Number.isSafeInteger(value);
    if (isIndex(start) && isIndex(stop) && isIndex(step) && step !== 0) return { start, stop, step: step ?? 1 };
  }
  throw fields.unsupported(`takes the part ${shown(constant ?? null)}, which is not supported`);
}
