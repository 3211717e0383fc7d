import { isRecord } from '../../../base/tensor.ts';
import type { Features } from '../values.ts';
import type { Call, Resolved, Translate } from './call.ts';
import { axisOf, operand, operandsOf, rankOf, tensor } from './operands.ts';

/** One place of a key: all of a dimension, a part of it, one, all dimensions that are left, or a new one. */
type Place = { start: number | null; stop: number | null } | number | 'rest' | 'new';

export const getItem: Translate = (call) => {
  const key = call.kwargs.get('slice_spec') ?? call.args[1];
  const [x] = operandsOf(call, ['slice_spec', 'key'], 1);
  return item(call, tensor(call, operand(call, x)), key);
};

/** A new axis of length 1 of vectors. */
export const expandDims: Translate = (call) => {
  const axis = axisOf(call, 1, NaN);
  const x = tensor(call, operand(call, operandsOf(call, ['axis'], 1)[0]));
  return [withAxis(call, { ...x, ref: call.builder.exact(x) }, axis < 0 ? axis + rankOf(x) + 1 : axis, call.name)];
};

/** (batch, features) as one step of these features, or as steps of one feature each. */
function withAxis({ builder, fields }: Call, { ref, kind, size }: Features, axis: number, name: string): Features {
  if (kind !== 'vector' || (axis !== 1 && axis !== 2)) {
    throw fields.unsupported(
      'puts in an axis that is not supported; supported: x[:, None] and x[:, :, None] of vectors',
    );
  }
  const [steps, features] = axis === 1 ? [1, size] : [size, 1];
  const like = axis === 1 ? {} : builder.like(size);
  builder.add({ type: 'unflatten', name, inputs: [ref], steps, ...like });
  return { is: 'features', ref: name, kind: 'sequence', size: features };
}

/** `x[:, -1]`, `x[:, 0]`, `x[:, :, a:b]`, `x[..., a:b]`, each with a `None` in it. */
function item(call: Call, x: Features, key: Resolved | undefined): [Features] {
  const rank = rankOf(x);
  const places = (Array.isArray(key) ? key : [key]).map((one) => place(call, one));
  const rest = places.indexOf('rest');
  const all: Place = { start: null, stop: null };
  const own = places.filter((one) => one !== 'rest' && one !== 'new').length;
  const fill = Array.from({ length: rank - own }, () => all);
  places.splice(rest < 0 ? places.length : rest, rest < 0 ? 0 : 1, ...fill);
  const old = places.filter((one) => one !== 'new');
  const found = parts(call, x, old);
  const axes = places.filter((one) => typeof one !== 'number');
  const added = axes.indexOf('new');
  if (added < 0) return [found];
  if (axes.lastIndexOf('new') !== added) throw call.fields.unsupported('puts in several axes; supported: one');
  const { builder, name } = call;
  return [withAxis(call, found, added, found.ref === builder.exact(x) ? name : builder.name(name))];
}

function parts(call: Call, x: Features, places: readonly Place[]): Features {
  const { fields, builder, name } = call;
  const rank = rankOf(x);
  const refuse = () => fields.unsupported('takes other parts than x[:, -1], x[:, 0] and x[:, :, a:b] do');
  if (places.length !== rank || !isAll(places[0], Infinity)) throw refuse();
  let found: Features = { is: 'features', ref: builder.exact(x), kind: x.kind, size: x.size };
  if (x.kind === 'sequence') {
    const steps = places[1];
    if (steps === 0 || steps === -1) {
      const ref = builder.add({ type: 'step', name, inputs: [found.ref], index: steps });
      found = { ...found, ref, kind: 'vector' };
    } else if (!isAll(steps, Infinity)) throw refuse();
  }
  const features = places[rank - 1]!;
  if (isAll(features, x.size)) return found;
  if (typeof features !== 'object') throw refuse();
  const at = (index: number | null, fallback: number) =>
    index === null ? fallback : Math.max(0, Math.min(index < 0 ? index + x.size : index, x.size));
  const start = at(features.start, 0);
  const size = at(features.stop, x.size) - start;
  if (size < 1) throw fields.invalid('takes no features');
  const last = found.kind === x.kind ? name : builder.name(`${name}_features`);
  const ref = builder.add({ type: 'slice', name: last, inputs: [found.ref], start, size });
  return { ...found, ref, size };
}

function isAll(one: Place | undefined, size: number): boolean {
  return typeof one === 'object' && (one.start ?? 0) === 0 && (one.stop === null || one.stop >= size);
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
    const isIndex = (value: unknown) => value === null || Number.isInteger(value);
    if (isIndex(start) && isIndex(stop) && (step === null || step === 1))
      return { start: start as number | null, stop: stop as number | null };
  }
  throw fields.unsupported(`takes the part ${JSON.stringify(constant ?? null).slice(0, 80)}, which is not supported`);
}
