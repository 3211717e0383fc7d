import { isRecord } from '../../../base/tensor.ts';
import type { GruSpec, MergeSpec, ValueRef } from '../../../spec/spec.ts';
import { recurrentWeights } from '../../layouts/canonical.ts';
import { customNameOf } from '../config.ts';
import { Fields } from '../fields.ts';
import type { Call, Translate } from './call.ts';
import type { Cell } from './cell-kinds.ts';
import { statePorts } from './cell-kinds.ts';
import { readInputs } from './recurrent-inputs.ts';
import type { Recurrent } from './recurrent.ts';
import {
  addDirection,
  checkMask,
  mainOutput,
  maskFields,
  needsLastStep,
  readRecurrent,
  RECURRENT,
  sequenceOf,
  stateOutputs,
  stateSizes,
  unturnedMask,
} from './recurrent.ts';
import { shown } from '../shown.ts';

export const bidirectional: Translate = (call) => {
  const { builder, fields, name } = call;
  const merge = fields.take('merge_mode');
  if (![null, 'concat', 'sum', 'mul', 'ave'].includes(merge as null)) {
    throw fields.unsupported(`merge_mode ${shown(merge)}; supported: concat, sum, mul, ave, null`);
  }
  const [forward, backward] = readDirections(call);
  fields.ignore('layer', 'backward_layer', 'num_constants', 'return_sequences', 'return_state', 'stateful');
  fields.finish();
  const zeros = builder.dialect.bidirectionalZeros && forward.returnSequences;
  for (const direction of [forward, backward]) direction.zeroOutputForMask = zeros;
  const sizes = [...stateSizes(forward), ...stateSizes(backward)];
  const inputs = readInputs(call, sizes);
  checkMask(call, forward, inputs);
  const states = (refs: ValueRef[]) => (forward.returnState ? stateOutputs(refs, sizes) : []);

  const layerOfBoth =
    merge !== null &&
    !forward.goBackwards &&
    !needsLastStep(builder, forward, inputs) &&
    !unturnedMask(backward, inputs);
  if (layerOfBoth && isOneCell(forward.cells, backward.cells)) {
    const [cell, reverseCell] = [forward.cells[0]!, backward.cells[0]!];
    const { hiddenSize } = cell.spec;
    const { features, mask } = inputs;
    builder.add({
      ...cell.spec,
      inputSize: features.size,
      name,
      inputs: [sequenceOf(builder, features, mask)],
      direction: 'bidirectional',
      merge: merge as NonNullable<GruSpec['merge']>,
      ...(forward.returnSequences ? {} : { returns: 'last' }),
      ...maskFields(mask, zeros),
      ...(inputs.states.length > 0 ? { initialState: byState(inputs.states) } : {}),
      weights: recurrentWeights({
        forward: cell.weights(features.size, name, 'forward'),
        reverse: reverseCell.weights(features.size, name, 'reverse'),
      }),
    });
    const ports = [...statePorts(cell, 'forward'), ...statePorts(cell, 'reverse')];
    return [
      mainOutput(name, merge === 'concat' ? 2 * hiddenSize : hiddenSize, forward, inputs),
      ...states(ports.map((port) => `${name}:${port}`)),
    ];
  }

  const half = stateSizes(forward).length;
  const parts = [forward, backward].map((direction, d) => {
    const own = inputs.states.slice(d * half, d === 0 ? half : undefined);
    const partName = builder.name(`${name}_${d === 0 ? 'forward' : 'backward'}`);
    return addDirection(builder, partName, direction, { ...inputs, states: own }, d === 1);
  });
  const finalStates = states(parts.flatMap((part) => part.states));
  if (merge === null)
    return [...parts.map(({ output, size }) => mainOutput(output, size, forward, inputs)), ...finalStates];
  const [size, backwardSize] = parts.map((part) => part.size) as [number, number];
  if (merge !== 'concat' && size !== backwardSize) {
    throw fields.unsupported(`merge_mode ${shown(merge)} of directions of ${size} and ${backwardSize} units`);
  }
  builder.add({ type: 'merge', name, inputs: parts.map(({ output }) => output), merge: merge as MergeSpec['merge'] });
  return [mainOutput(name, merge === 'concat' ? size + backwardSize : size, forward, inputs), ...finalStates];
};

/** One cell a direction, and both alike. */
function isOneCell(forward: Cell[], backward: Cell[]): boolean {
  const [[cell], [reverse]] = [forward, backward];
  return forward.length + backward.length === 2 && JSON.stringify(cell!.spec) === JSON.stringify(reverse!.spec);
}

/** All states of a direction, then of the other -> one state of both directions after the other. */
function byState(states: readonly ValueRef[]): ValueRef[] {
  const half = states.length / 2;
  return states.slice(0, half).flatMap((state, i) => [state, states[half + i]!]);
}

/** The two layers: Keras makes the second of the first, unless the config has one. */
function readDirections(call: Call): [Recurrent, Recurrent] {
  const { fields, builder, weights } = call;
  const layers = [fields.take('layer'), fields.take('backward_layer') ?? null];
  const [forward, backward] = layers.map((layer, d): Recurrent => {
    const own = layer ?? layers[0];
    if (!isRecord(own) || typeof own['class_name'] !== 'string' || !isRecord(own['config'])) {
      throw fields.invalid('its layer is missing');
    }
    const { class_name: className, config } = own as { class_name: string; config: Record<string, unknown> };
    const custom = customNameOf(own, className);
    if (custom !== undefined || !Object.hasOwn(RECURRENT, className)) {
      throw fields.unsupported(
        `around a layer of class ${custom ?? className}; supported: ${Object.keys(RECURRENT).join(', ')}`,
      );
    }
    const given = typeof config['name'] === 'string' ? config['name'] : className;
    const [attribute, prefix] = d === 0 ? ['forward_layer', 'forward_'] : ['backward_layer', 'backward_'];
    const name = layer !== null && d === 1 ? given : `${prefix}${given.replace(new RegExp(`^${prefix}`), '')}`;
    const inner = new Fields(`${fields.layer}: ${className} '${name}'`, config);
    return readRecurrent(className, inner, builder, weights.part(attribute, name));
  }) as [Recurrent, Recurrent];
  if (layers[1] === null) backward.goBackwards = !forward.goBackwards;
  if (forward.goBackwards === backward.goBackwards) throw fields.invalid('its layers go the same way');
  for (const name of ['returnSequences', 'returnState'] as const) {
    if (forward[name] !== backward[name]) throw fields.invalid(`its layers differ in ${name}`);
  }
  return [forward, backward];
}
