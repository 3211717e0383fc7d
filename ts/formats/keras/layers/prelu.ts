import type { Features } from '../values.ts';
import type { Call, Translate } from './call.ts';
import { checkArguments, onlyFeatures } from './call.ts';
import type { Fields } from '../fields.ts';
import { shown } from '../shown.ts';

/** x where x >= 0, else alpha x: alpha of each feature of each step, or one for those that share it. */
export const prelu: Translate = (call) => {
  const { fields, builder, name } = call;
  const shared = readShared(fields, fields.take('shared_axes') ?? []);
  fields.finish();
  checkArguments(call);
  const features = onlyFeatures(call);
  const { kind, size, mask } = features;
  const rank = kind === 'sequence' ? 3 : 2;
  const isShared = (axis: number) => shared.some((a) => a === axis || a + rank === axis);
  const constantSize = isShared(rank - 1) ? 1 : size;
  if (kind === 'sequence' && !isShared(1)) return [ofSteps(call, features, constantSize)];
  const constant = builder.once(fields.layer, () =>
    builder.read(takeAlpha(call), rank === 3 ? [1, constantSize] : [constantSize], fields.layer, `${name}/constant`),
  );
  const inputs = [builder.exact(features)];
  builder.add({ type: 'merge', name, inputs, merge: 'prelu', constantSize, weights: { constant } });
  return [{ is: 'features', ref: name, kind, size, mask }];
};

/** max(0, x) + alpha min(0, x), with a row of alpha for each of a fixed number of steps. */
function ofSteps(call: Call, features: Features, width: number): Features {
  const { fields, builder, name } = call;
  const { size, mask } = features;
  const { steps, alpha } = builder.once(fields.layer, () => {
    const tensor = takeAlpha(call);
    const count = tensor.shape[0] ?? 0;
    const read = builder.read(tensor, [count, width], fields.layer, `${name}/scale`, true);
    if (width < size) builder.make(count * size, fields.layer);
    return {
      steps: count,
      alpha: width === size ? read : Float32Array.from({ length: count * size }, (_, i) => read[Math.floor(i / size)]!),
    };
  });
  const inputs = [builder.exact(features)];
  const part = (suffix: string, activation: 'relu' | { name: 'clip'; beta: number }) =>
    builder.add({ type: 'activation', name: builder.name(`${name}_${suffix}`), inputs, activation });
  const above = part('above', 'relu');
  const below = part('below', { name: 'clip', beta: 0 });
  const scaled = builder.name(`${name}_scaled`);
  builder.add({ type: 'scale', name: scaled, inputs: [below], inputSize: size, steps, weights: { scale: alpha } });
  builder.add({ type: 'merge', name, inputs: [above, scaled], merge: 'sum' });
  return { is: 'features', ref: name, kind: 'sequence', size, mask };
}

function takeAlpha({ fields, weights }: Call) {
  const tensor = weights.take(0, 'alpha');
  if (!tensor) throw fields.invalid('its alpha is not in the file');
  return tensor;
}

/** A list of axes, or one. */
function readShared(fields: Fields, value: unknown): number[] {
  const axes = Array.isArray(value) ? (value as unknown[]) : [value];
  if (axes.every((axis) => typeof axis === 'number')) return axes;
  throw fields.invalid(`shared_axes must be whole numbers, got ${shown(value)}`);
}
