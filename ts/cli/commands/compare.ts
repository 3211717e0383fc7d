import { Command, Option } from 'commander';
import { createModel } from '../../api/default.ts';
import type { GruModel } from '../../api/model.ts';
import { apart, type Difference } from '../../api/precision/difference.ts';
import { sensitivity } from '../../api/precision/sensitivity.ts';
import { shapeText, type Tensor } from '../../base/tensor.ts';
import type { Values } from '../../base/typed-array.ts';
import type { IntDtype, WeightDtype } from '../../base/weights.ts';
import { specWith } from '../../formats/precision.ts';
import type { ModelInput } from '../../run/inputs.ts';
import type { LayerState } from '../../run/states.ts';
import { resolveGraph } from '../../spec/graph.ts';
import { CommandError, EXIT } from '../exit.ts';
import type { DataFormat } from '../files/format.ts';
import { FORMATS } from '../files/format.ts';
import { append, randomInputs, readInputs } from '../inputs.ts';
import { backendOptions, type Choice, fromZero, openModel, readOptions, type ReadFlags, flagsFor } from '../model.ts';
import { print, printJson } from '../print.ts';
import { styled, table, visible } from '../terminal.ts';

interface CompareFlags extends ReadFlags {
  input?: string[];
  inputFormat?: DataFormat;
  tolerance: number;
  precision?: IntDtype;
  json?: boolean;
}

interface Compared extends Difference {
  of: string;
  output: string;
  /** The first layer of which a value differs by more than the tolerance. */
  parts: string;
}

const TOLERANCE = 1e-4;

/** `gru compare MODEL [MODEL2]` */
export function compareCommand(): Command {
  return readOptions(new Command('compare'))
    .description('run backends of a model, or two models, over the same input, and say how far apart they are')
    .argument('<model>', 'the file')
    .argument('[model2]', 'another one; without it the backends are compared: each with JavaScript')
    .option('-i, --input <file>', 'as of `gru run`; default: 20 random steps, always the same', append)
    .addOption(new Option('--input-format <format>', 'instead of by the ending').choices(FORMATS))
    .option('--tolerance <number>', 'largest difference that is none', fromZero, TOLERANCE)
    .addOption(
      new Option('--precision <dtype>', 'with weights of 16 or 8 bits, and which layers bring the error').choices([
        'i16',
        'i8',
      ]),
    )
    .option('--json', 'print it as JSON')
    .addHelpText(
      'after',
      `
Ends with exit code ${EXIT.differs} where outputs are further apart than the tolerance.

Examples:
  gru compare encoder.safetensors
  gru compare encoder.safetensors --precision i8 --tolerance 1e-3 --input letters.csv
  gru compare speech.keras speech.onnx --input frames.npy --tolerance 1e-5`,
    )
    .action(compare);
}

async function compare(path: string, other: string | undefined, flags: CompareFlags): Promise<void> {
  if (flags.precision !== undefined) return comparePrecision(path, other, flags, flags.precision);
  // Of two models one may be wired already; what is for neither is refused by the first.
  const { layers, onnx } = flags;
  const of = other === undefined ? [] : await Promise.all([path, other].map((file) => flagsFor(file, flags)));
  const taken = of.flatMap((own) => Object.keys(own));
  const rest = Object.fromEntries(
    Object.entries({ layers, onnx }).filter(([flag, given]) => given !== undefined && !taken.includes(flag)),
  );
  const model = await openModel(path, { ...of[0], ...rest }, 'js');
  const inputs = flags.input ? await readInputs(model, flags.input, flags.inputFormat) : randomInputs(model);
  const want = await valuesOf(model, inputs, 'js');
  refuseNothing(model, want.values);
  const found: Compared[] = [];
  if (other === undefined) {
    for (const choice of ['wasm', 'baseline'] as const) {
      const { values, backend } = await valuesOf(model, inputs, choice);
      if (found.some(({ of }) => of === backend)) continue;
      for (const one of differences(backend, model, model, values, want.values, flags.tolerance)) found.push(one);
    }
  } else {
    const model2 = await openModel(other, of[1]!, 'js');
    const { values } = await valuesOf(model2, renamed(inputs, model, model2), 'js');
    for (const one of differences(other, model, model2, values, want.values, flags.tolerance)) found.push(one);
  }
  const title = `${styled('bold', visible(path))} on JavaScript, against:`;
  await (flags.json ? printJson(found) : print(`${title}\n${tableOf(found)}`));
  setExitCode(found, flags);
}

function setExitCode(found: Compared[], { tolerance }: CompareFlags): void {
  if (found.some(({ worst }) => !(worst <= tolerance))) process.exitCode = EXIT.differs;
}

const figures = ({ worst, rms }: Difference) => [worst.toExponential(2), rms.toExponential(2)];

function tableOf(found: Compared[]): string {
  const head = ['compared', 'output', 'worst', 'rms', `first layer that parts`];
  return table(
    head,
    found.map((row) => [row.of, row.output, ...figures(row), row.parts]),
  );
}

/** `gru compare MODEL --precision i8`: on baseline wasm, which has the bits of JavaScript. */
async function comparePrecision(
  path: string,
  other: string | undefined,
  flags: CompareFlags,
  precision: IntDtype,
): Promise<void> {
  if (other !== undefined) throw new CommandError(EXIT.usage, '--precision compares one model with itself');
  const model = await openModel(path, flags, 'baseline');
  const inputs = flags.input ? await readInputs(model, flags.input, flags.inputFormat) : randomInputs(model);
  const graph = resolveGraph(model.spec);
  const inDtype = (dtype: WeightDtype) =>
    valuesOf({ spec: specWith(graph, dtype), outputs: model.outputs }, inputs, 'baseline');
  const [want, got] = [await inDtype('f32'), await inDtype(precision)];
  refuseNothing(model, want.values);
  const compared = differences(precision, model, model, got.values, want.values, flags.tolerance);
  const ranking = await sensitivity(model, inputs);
  const rows = ranking.layers.map(({ name, type, parameters, i16, i8 }) => [
    name,
    type,
    parameters.toLocaleString('en'),
    ...figures(i16),
    ...figures(i8),
  ]);
  const head = ['layer', 'kind', 'weights', 'i16: worst', 'rms', 'i8: worst', 'rms'];
  const text = [
    `${styled('bold', visible(path))} in f32, against:`,
    tableOf(compared),
    '',
    styled('bold', 'The error that each layer brings to the outputs, alone'),
    table(head, rows),
  ];
  await (flags.json ? printJson({ compared, ...ranking }) : print(text.join('\n')));
  setExitCode(compared, flags);
}

type Inputs = Record<string, ModelInput>;

/** Inputs of a model under the names of another, by their order. */
function renamed(inputs: Inputs, from: GruModel, to: GruModel): Inputs {
  if (from.inputs.length !== to.inputs.length) {
    throw new CommandError(EXIT.data, `the models take ${from.inputs.length} and ${to.inputs.length} inputs`);
  }
  return Object.fromEntries(
    to.inputs.map((port, i) => {
      const other = from.inputs[i]!;
      const takes = ({ name, dtype, shape }: typeof port) => `${name}: ${dtype} ${shape.join(' x ')}`;
      if (port.dtype !== other.dtype || port.shape.join() !== other.shape.join()) {
        throw new CommandError(EXIT.data, `the models take other inputs (${takes(other)}; ${takes(port)})`);
      }
      return [port.name, inputs[other.name]!];
    }),
  );
}

/** The outputs of a model, in their order, and the values of all layers by name. */
async function valuesOf({ spec, outputs: given }: Pick<GruModel, 'spec' | 'outputs'>, inputs: Inputs, choice: Choice) {
  const outputs = given.map(({ name }, i) => {
    const output = spec.outputs?.[i];
    return { name: `output ${i}`, from: typeof output === 'string' ? output : (output?.from ?? name) };
  });
  const layers = spec.layers.map(({ name }) => ({ name, from: name }));
  const all = await createModel({ ...spec, outputs: [...outputs, ...layers] }, backendOptions(choice));
  const values = all.run<Record<string, LayerState>, Values>(inputs).outputs;
  all.dispose();
  return { values, backend: all.backend };
}

/** Files of no steps: that nothing parts would be no news. */
function refuseNothing({ outputs }: GruModel, values: Record<string, Tensor<Values>>): void {
  if (outputs.some((_, i) => values[`output ${i}`]!.data.length > 0)) return;
  throw new CommandError(EXIT.data, 'the input gives no values to compare: it has no steps, or no sequences');
}

/**
 * Layers of two models that do the same, by their places among those of the spec: one for one where both have the same kinds in the same
 * order, whatever their names, else by name. Of one that has none, its place and undefined.
 */
function pairs({ spec: { layers } }: GruModel, other: GruModel): [number, number | undefined][] {
  const others = other.spec.layers;
  if (layers.length === others.length && layers.every(({ type }, i) => type === others[i]!.type)) {
    return layers.map((_, i) => [i, i]);
  }
  const places = new Map(others.map(({ name }, i) => [name, i]));
  return layers.map(({ name }, i) => [i, places.get(name)]);
}

function differences(
  of: string,
  model: GruModel,
  other: GruModel,
  got: Record<string, Tensor<Values>>,
  want: Record<string, Tensor<Values>>,
  tolerance: number,
): Compared[] {
  const name = ({ spec }: GruModel, place: number) => spec.layers[place]!.name;
  const known = pairs(model, other);
  const parted = known.find(([i, j]) => {
    if (j === undefined) return false;
    const [a, b] = [got[name(other, j)]!, want[name(model, i)]!];
    return a.data.length !== b.data.length || !(apart([a.data, b.data]).worst <= tolerance);
  });
  const alone = known.slice(0, parted && known.indexOf(parted)).find(([, j]) => j === undefined);
  const first = parted ? name(model, parted[0]) : 'none';
  const parts = alone ? `${first}, of those in both (${name(model, alone[0])} is in one alone)` : first;
  return model.outputs.map(({ name }, i) => {
    const [a, b] = [got[`output ${i}`], want[`output ${i}`]!];
    if (a?.data.length !== b.data.length) {
      const text = a ? shapeText(a.shape) : 'nothing';
      throw new CommandError(EXIT.differs, `output '${name}' is ${shapeText(b.shape)}, and ${text} of ${of}`);
    }
    return { of, output: name, ...apart([a.data, b.data]), parts };
  });
}
