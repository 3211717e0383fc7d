import { GruError } from '../../base/errors.ts';
import { inferAxes } from '../../spec/infer-axes.ts';
import type { OutputSpec } from '../../spec/spec.ts';
import type { ImportedModel } from '../report.ts';
import { describeValue, SpecBuilder } from './builder.ts';
import type { KerasLayer, KerasModel } from './config.ts';
import type { Dialect } from './dialect.ts';
import { Evaluation, Shared } from './evaluate.ts';
import { plainOf } from './layers/call.ts';
import { readInput } from './layers/input.ts';
import { makesMasks } from './layers/tfjs.ts';
import type { KerasTensor } from './nodes.ts';
import type { Value } from './values.ts';
import type { WeightSource } from './weights.ts';

/**
 * Makes a spec of a Keras model: its config, and its weights from wherever they are.
 *
 * @throws GruError `unsupported` naming the layer and the field, with what is supported; `invalid_file`.
 */
export function translateKeras(
  model: KerasModel,
  weights: WeightSource,
  dialect: Dialect,
  format: string,
): ImportedModel {
  const builder = new SpecBuilder(dialect, makesMasks(model));
  const shared = new Shared(builder);
  const { problems } = shared;
  const input = (layer: KerasLayer) => problems.collect(() => readInput(layer, model, builder, weights));
  const evaluation = new Evaluation(model, weights, shared, '', input);
  const outputs = problems.collect(() => readOutputs(model, builder, (tensor) => evaluation.output(tensor)));
  problems.check();

  const spec = inferAxes({
    inputs: builder.inputs,
    layers: builder.layers,
    outputs: outputs!,
  });
  const [unused] = weights.unused();
  if (unused !== undefined) {
    throw new GruError('unsupported', `tensor '${unused}' of the file belongs to nothing in the model's config`);
  }
  const { tensors, conventions } = builder;
  return { spec, report: { format, producer: dialect.label, conventions, tensors } };
}

function readOutputs(model: KerasModel, builder: SpecBuilder, look: (tensor: KerasTensor) => Value): OutputSpec[] {
  /** Names in use, and the number to try next. */
  const names = new Map<string, number>();
  return model.outputs.map(({ tensor, name: key }) => {
    let value = look(tensor);
    value = plainOf({ builder, name: tensor.layer }, value) ?? value;
    const ids = value.is === 'ids' && value.made ? value.input : undefined;
    const flat = value.is === 'transposed' && value.flat ? value.ref : ids;
    let from = value.is === 'features' ? builder.exact(value) : flat;
    if (from === undefined) {
      throw new GruError(
        'unsupported',
        `output '${tensor.layer}' holds ${describeValue(value)}; supported: numbers, a row a step or a sequence`,
      );
    }
    // A spec has a layer at least.
    if (builder.layers.length === 0) {
      const name = builder.name(`${tensor.layer}_same`);
      from = builder.add({ type: 'activation', name, inputs: [from], activation: 'linear' });
    }
    const wanted =
      key ??
      (tensor.tensor === 0 ? tensor.layer : `${tensor.layer}_state${tensor.tensor > 1 ? tensor.tensor - 1 : ''}`);
    let name = wanted;
    let next = names.get(wanted) ?? 1;
    while (names.has(name)) name = `${wanted}_${next++}`;
    names.set(wanted, next);
    if (name !== wanted) names.set(name, 1);
    return { name, from, ...(flat === undefined ? {} : { row: [] }) };
  });
}
