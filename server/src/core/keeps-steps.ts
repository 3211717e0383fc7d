import type { ServedModel } from './model.ts';

/** Lengths by which it is found out whether a model's outputs have the steps of its input. */
const PROBES = [3, 4, 7];

/** Whether all inputs have steps of one axis, and all outputs that have steps as many: then rows behind a sequence's own are padding. */
export function keepsSteps({ model, inputs, outputs }: ServedModel): boolean {
  if (inputs.some(({ hasSteps }) => !hasSteps) || model.inputs.some(({ axis }) => axis !== undefined)) return false;
  return PROBES.every((steps) => {
    const zeros = inputs.map(({ name, datatype, size }) => {
      const Type = datatype === 'INT32' ? Int32Array : Float32Array;
      const shape = datatype === 'INT32' ? [1, steps] : [1, steps, size];
      return [name, { data: new Type(steps * size), shape }];
    });
    try {
      const result = model.run(Object.fromEntries(zeros) as Record<string, { data: Float32Array; shape: number[] }>);
      return outputs.every(({ name, hasSteps }) => !hasSteps || result.outputs[name]!.shape[1] === steps);
    } catch {
      // A model of a fixed number of steps.
      return false;
    }
  });
}
