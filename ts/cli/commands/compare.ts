import { Command, Option } from 'commander';
import { createModel } from '../../api/default.ts';
import type { GruModel } from '../../api/model.ts';
import { shapeText, type Tensor } from '../../base/tensor.ts';
import type { Values } from '../../base/typed-array.ts';
import type { ModelInput } from '../../run/inputs.ts';
import type { LayerState } from '../../run/states.ts';
import { CommandError, EXIT } from '../exit.ts';
import type { DataFormat } from '../files/format.ts';
import { FORMATS } from '../files/format.ts';
import { append, randomInputs, readInputs } from '../inputs.ts';
import {
  backendOptions,
  type Choice,
  fromZero,
  openModel,
  readOptions,
  type ReadFlags,
  takesLayers,
} from '../model.ts';
import { print } from '../print.ts';
import { styled, table } from '../terminal.ts';

interface CompareFlags extends ReadFlags {
  input?: string[];
  inputFormat?: DataFormat;
  tolerance: number;
  json?: boolean;
}

interface Difference {
  of: string;
  output: string;
  /** Largest difference, and the root of the mean of their squares. */
  worst: number;
  rms: number;
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
    .option('--json', 'print it as JSON')
    .addHelpText(
      'after',
      `
Ends with exit code ${EXIT.differs} where outputs are further apart than the tolerance.

Examples:
  gru compare encoder.safetensors
  gru compare speech.keras speech.onnx --input frames.npy --tolerance 1e-5`,
    )
    .action(compare);
}

async function compare(path: string, other: string | undefined, flags: CompareFlags): Promise<void> {
  // Of two models one may be wired already; --layers that is for neither is refused by the first.
  const both = other !== undefined && flags.layers !== undefined;
  const [first, second] = both ? [await takesLayers(path), await takesLayers(other)] : [true, false];
  const model = await openModel(path, first || !second ? flags : {}, 'js');
  const inputs = flags.input ? await readInputs(model, flags.input, flags.inputFormat) : randomInputs(model);
  const want = await valuesOf(model, inputs, 'js');
  const found: Difference[] = [];
  if (other === undefined) {
    for (const choice of ['wasm', 'baseline'] as const) {
      const { values, backend } = await valuesOf(model, inputs, choice);
      if (found.some(({ of }) => of === backend)) continue;
      found.push(...differences(backend, model, values, want.values, flags.tolerance));
    }
  } else {
    const model2 = await openModel(other, second ? flags : {}, 'js');
    const { values } = await valuesOf(model2, renamed(inputs, model, model2), 'js');
    found.push(...differences(other, model, values, want.values, flags.tolerance));
  }
  const head = ['compared', 'output', 'worst', 'rms', `first layer that parts`];
  const rows = found.map(({ of, output, worst, rms, parts }) => [
    of,
    output,
    worst.toExponential(2),
    rms.toExponential(2),
    parts,
  ]);
  const title = `${styled('bold', path)} on JavaScript, against:`;
  await print(flags.json ? JSON.stringify(found, undefined, 2) : `${title}\n${table(head, rows)}`);
  if (found.some(({ worst }) => !(worst <= flags.tolerance))) process.exitCode = EXIT.differs;
}

type Inputs = Record<string, ModelInput>;

/** Inputs of a model under the names of another, by their order. */
function renamed(inputs: Inputs, from: GruModel, to: GruModel): Inputs {
  if (from.inputs.length !== to.inputs.length) {
    throw new CommandError(EXIT.data, `the models take ${from.inputs.length} and ${to.inputs.length} inputs`);
  }
  return Object.fromEntries(to.inputs.map(({ name }, i) => [name, inputs[from.inputs[i]!.name]!]));
}

/** The outputs of a model, in their order, and the values of all layers by name. */
async function valuesOf(model: GruModel, inputs: Inputs, choice: Choice) {
  const { spec } = model;
  const outputs = model.outputs.map(({ name }, i) => {
    const given = spec.outputs?.[i];
    return { name: `output ${i}`, from: typeof given === 'string' ? given : (given?.from ?? name) };
  });
  const layers = spec.layers.map(({ name }) => ({ name, from: name }));
  const all = await createModel({ ...spec, outputs: [...outputs, ...layers] }, backendOptions(choice));
  const values = all.run<Record<string, LayerState>, Values>(inputs).outputs;
  all.dispose();
  return { values, backend: all.backend };
}

function differences(
  of: string,
  model: GruModel,
  got: Record<string, Tensor<Values>>,
  want: Record<string, Tensor<Values>>,
  tolerance: number,
): Difference[] {
  const layers = Object.keys(want).filter((name) => got[name] !== undefined && !name.startsWith('output '));
  const parted = layers.find((name) => {
    const [a, b] = [got[name]!, want[name]!];
    return a.data.length !== b.data.length || !(apart(a.data, b.data).worst <= tolerance);
  });
  return model.outputs.map(({ name }, i) => {
    const [a, b] = [got[`output ${i}`], want[`output ${i}`]!];
    if (a?.data.length !== b.data.length) {
      const text = a ? shapeText(a.shape) : 'nothing';
      throw new CommandError(EXIT.differs, `output '${name}' is ${shapeText(b.shape)}, and ${text} of ${of}`);
    }
    return { of, output: name, ...apart(a.data, b.data), parts: parted ?? 'none' };
  });
}

function apart(a: Values, b: Values): { worst: number; rms: number } {
  let [worst, squares] = [0, 0];
  for (let i = 0; i < a.length; i++) {
    const difference = Object.is(a[i], b[i]) ? 0 : Math.abs(a[i]! - b[i]!);
    worst = Number.isNaN(difference) ? Infinity : Math.max(worst, difference);
    squares += difference * difference;
  }
  return { worst, rms: Math.sqrt(squares / Math.max(a.length, 1)) };
}
