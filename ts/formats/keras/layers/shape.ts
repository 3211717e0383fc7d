import type { ValueRef } from '../../../spec/spec.ts';
import type { SpecBuilder } from '../builder.ts';
import type { Features, Nested } from '../values.ts';
import type { Call } from './call.ts';

/** Each step of `steps * size` numbers as steps of its own. */
export function cutSteps(builder: SpecBuilder, name: string, outer: ValueRef, steps: number, size: number): Nested {
  const ref = builder.forEachStep(() =>
    builder.add({ type: 'unflatten', name: builder.name(name), inputs: [outer], steps }),
  );
  return { is: 'nested', ref, steps, size, outer };
}

/** The steps of each step side by side. */
export function joinNested({ builder, name }: Call, { ref, steps, size, outer }: Nested): Features {
  const flat = builder.forEachStep(() =>
    builder.add({ type: 'flatten', name: builder.name(`${name}_row`), inputs: [ref], steps }),
  );
  return { is: 'features', ref: builder.joinSteps(flat, outer), kind: 'sequence', size: steps * size };
}

/**
 * A tensor in another shape (without the batch), its numbers in their order: steps side by side as a vector, a vector cut into steps.
 * The number of steps has to be known where they change: from the shape of the model's input, or of what comes out.
 */
export function toPlainShape(call: Call, features: Features, target: readonly number[]): Features {
  const { fields, builder, name } = call;
  const { ref, kind, size } = features;
  if (target.length > 2) {
    throw fields.unsupported(`makes ${target.length} dimensions of a sample; supported: (features), (steps, features)`);
  }
  const open = target.indexOf(-1);
  if (open !== target.lastIndexOf(-1)) throw fields.invalid('target_shape has -1 twice');
  const given = target.reduce((n, d) => (d === -1 ? n : n * d), 1);
  // As the file fixes it, or as the new shape does.
  const steps = kind === 'vector' ? 1 : (builder.stepsOf(ref) ?? (open < 0 ? given / size : undefined));
  if (steps === undefined) {
    if (target.length === 2 && open === 0 && given === size) return features;
    throw fields.unsupported('makes another shape of steps, whose number the input shape has to fix');
  }
  const rest = (steps * size) / given;
  if (!Number.isInteger(steps) || (open < 0 ? rest !== 1 : !Number.isInteger(rest))) {
    throw fields.invalid(`${steps * size} numbers do not have the shape (${target.join(', ')})`);
  }
  const shape = target.map((d) => (d === -1 ? rest : d));
  const [first, second] = shape as [number, number | undefined];
  if (kind === 'sequence' && second !== undefined && first === steps) return features;
  if (kind === 'vector' && second === undefined) return features;
  const flat =
    kind === 'vector'
      ? ref
      : builder.add({
          type: 'flatten',
          name: second === undefined ? name : builder.name(`${name}_flat`),
          inputs: [ref],
          steps,
        });
  if (second === undefined) return { is: 'features', ref: flat, kind: 'vector', size: first };
  builder.add({ type: 'unflatten', name, inputs: [flat], steps: first, ...builder.like(first) });
  return { is: 'features', ref: name, kind: 'sequence', size: second };
}
