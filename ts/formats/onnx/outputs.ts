import { GruError } from '../../base/errors.ts';
import type { ModelSpec, OutputSpec } from '../../spec/spec.ts';
import type { BoundTensor } from './binding.ts';
import { extrasOf, nameOf } from '../../spec/refs.ts';
import type { SpecBuilder } from './builder.ts';
import { columnTaker, width, type Rows, boundAxes } from './value.ts';

/** The outputs of the spec, and how they make up those of the graph. */
export class SpecOutputs {
  readonly bound: BoundTensor[] = [];
  readonly #builder: SpecBuilder;
  readonly #outputs: OutputSpec[] = [];

  constructor(builder: SpecBuilder) {
    this.#builder = builder;
  }

  add(name: string, given: Rows): void {
    const rows = this.#builder.steps.straight(given);
    const ofFeatures = rows.axes
      .map((axis) => axis.filter(({ role }) => role === 'feature'))
      .filter((f) => f.length > 0);
    // As for inputs: several states are an output each. Features that a reshape has joined in one axis are one.
    const parts = rows.kind === 'vector' && ofFeatures.length > 1 ? ofFeatures[0]![0]!.size! : 1;
    if (parts > 1024) throw new GruError('unsupported', `output '${name}' of the graph holds ${parts} states`);
    const names = parts === 1 ? [name] : Array.from({ length: parts }, (_, i) => `${name}.${i}`);
    const size = width(rows) / parts;
    const take = columnTaker(rows.columns);
    for (const [i, part] of names.entries()) {
      const from = this.#builder.ref(take(i * size, size), rows.kind);
      this.#outputs.push({ name: part, from });
    }
    this.bound.push({
      name,
      use: 'values',
      dtype: rows.whole ? 'int32' : rows.dtype,
      axes: boundAxes(rows.axes),
      ...(rows.whole ? { whole: true } : {}),
      values: names,
      kind: rows.kind,
    });
  }

  /** The whole spec; layers and inputs that nothing reads are left out. */
  spec(): ModelSpec {
    const { layers, inputs } = this.#builder;
    if (layers.length === 0) throw new GruError('unsupported', 'the ONNX graph has no layers');
    this.#builder.makeFunctions();
    return { ...needed({ inputs, layers }, this.#outputs), outputs: this.#outputs };
  }
}

/** The layers and inputs that these outputs need. */
export function needed(
  { inputs, layers }: Pick<ModelSpec, 'inputs' | 'layers'>,
  outputs: readonly OutputSpec[],
): Pick<ModelSpec, 'inputs' | 'layers'> {
  const read = new Set(outputs.map(({ from }) => nameOf(from)));
  const kept = [...layers].reverse().filter((layer) => {
    if (!read.has(layer.name)) return false;
    for (const ref of [...(layer.inputs ?? []), ...extrasOf(layer)]) read.add(nameOf(ref));
    return true;
  });
  return { inputs: inputs.filter(({ name }) => read.has(name)), layers: kept.reverse() };
}
