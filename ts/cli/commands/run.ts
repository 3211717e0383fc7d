import { Command, Option } from 'commander';
import { createModel } from '../../api/default.ts';
import type { GruModel } from '../../api/model.ts';
import type { ModelInput } from '../../run/inputs.ts';
import type { LayerState } from '../../run/states.ts';
import type { Values } from '../../base/typed-array.ts';
import { CommandError, EXIT } from '../exit.ts';
import { ByteSource } from '../files/bytes.ts';
import { type DataFormat, endingOf, formatOf, FORMATS, isText, tensorFormatOf } from '../files/format.ts';
import { refuseLoss } from '../files/place.ts';
import { type RowSource, openRows } from '../files/rows.ts';
import { writeTensors } from '../files/tensors.ts';
import { RowWriter } from '../files/writer.ts';
import { append, checkName, readInputs, rowSize } from '../inputs.ts';
import { backendOptions, type ModelFlags, modelOptions, openModel, readFiles } from '../model.ts';
import { readStates, stateTensors } from '../states.ts';

interface RunFlags extends ModelFlags {
  input: string[];
  output: string;
  inputFormat?: DataFormat;
  outputFormat?: DataFormat;
  select?: string;
  states?: string;
  saveStates?: string;
  lengths?: string;
  json?: boolean;
}

/** `gru run MODEL --input FILE` */
export function runCommand(): Command {
  return modelOptions(new Command('run'))
    .description('run a model over a file, or over stdin as it comes')
    .argument('<model>', 'the file of the model')
    .requiredOption(
      '-i, --input <file>',
      'what it reads: .csv, .tsv, .ndjson, .f32, .wav, .npy, .npz or .safetensors; - is stdin, line by line; name=file for each of several inputs',
      append,
    )
    .option('-o, --output <file>', 'what it writes, in any of these formats; - is stdout', '-')
    .addOption(new Option('--input-format <format>', 'instead of by the ending').choices(FORMATS))
    .addOption(new Option('--output-format <format>', 'instead of by the ending').choices(FORMATS))
    .option(
      '--select <output>',
      'the output that is written, by name; default: all where the format holds them, else the first',
    )
    .option(
      '--states <file>',
      'states to start from: .npz or .safetensors, tensors named by layer, of an lstm layer.hidden and layer.cell',
    )
    .option('--save-states <file>', 'where the final states go, for --states of the next run')
    .option('--lengths <list>', 'steps of each sequence of a padded batch: 20,17,5')
    .addOption(new Option('--json', 'print rows as JSON arrays: --output-format ndjson').conflicts('outputFormat'))
    .addHelpText(
      'after',
      `
A row is a step: a line of text, or as many numbers as the model takes. Files of one sequence, but .npz, are read and written piece by piece, whatever their size, where the model streams. Lines that come on stdin give a line each at once.

Examples:
  gru run amp.safetensors -i guitar.wav -o amped.wav
  gru run sensor.keras -i readings.csv -o scores.npy --precision i8
  gru run encoder.onnx -i batch.npz -o outputs.safetensors --save-states states.safetensors
  tail -f readings.csv | gru run sensor.keras -i -`,
    )
    .action(run);
}

async function run(path: string, flags: RunFlags): Promise<void> {
  const { input, output, select, states, saveStates, lengths } = flags;
  const first = input[0]!;
  const form = flags.outputFormat ?? (flags.json || output === '-' ? textLike(flags, first) : undefined);
  const format = formatOf(output, form, '--output-format');
  if (saveStates !== undefined) tensorFormatOf(saveStates, '--save-states');
  await refuseLoss(
    [
      { what: '--output', path: output },
      { what: '--save-states', path: saveStates },
    ],
    readFiles(path, flags, input, states),
  );
  const loaded = await openModel(path, flags, flags.backend, flags.precision);
  const names = shown(loaded, select, format);
  const model = await giving(loaded, names, flags);
  const whole = states !== undefined || saveStates !== undefined || lengths !== undefined;
  const [port, second] = model.inputs;
  if (
    !whole &&
    !second &&
    input.length === 1 &&
    names.length === 1 &&
    model.streamable &&
    port!.shape.includes('steps')
  ) {
    const file = first.startsWith(`${port!.name}=`) ? first.slice(port!.name.length + 1) : first;
    if (file === first) await checkName(model, first);
    const from = formatOf(file, flags.inputFormat, '--input-format');
    const source = await ByteSource.open(file);
    const rows = await openRows(source, from, rowSize(port!), port!.vocabularySize);
    if (rows && format !== 'npz') return runStream(model, rows, { output, format, live: file === '-' });
    await source.close();
    if (file === '-') throw new CommandError(EXIT.usage, 'stdin is read as one sequence of rows: give this as a file');
  }
  await runWhole(model, await readInputs(model, input, flags.inputFormat), flags, names, {
    output,
    format,
    live: false,
  });
}

/** The model with these outputs alone. */
async function giving(model: GruModel, names: string[], { backend }: RunFlags): Promise<GruModel> {
  const { outputs } = model;
  if (outputs.length === names.length) return model;
  const kept = model.spec.outputs!.filter((output) =>
    names.includes(typeof output === 'string' ? output : output.name),
  );
  return createModel({ ...model.spec, outputs: kept }, backendOptions(backend));
}

/** Text on stdout is as what came in. */
function textLike({ inputFormat, json }: RunFlags, input: string): DataFormat {
  if (json) return 'ndjson';
  const from = inputFormat ?? endingOf(input);
  return from !== undefined && isText(from) ? from : 'csv';
}

/** Outputs that are written: all of them where the format holds them. @throws CommandError for one that the model does not give. */
function shown(model: GruModel, select: string | undefined, format: DataFormat): string[] {
  const names = model.outputs.map(({ name }) => name);
  if (select === undefined) return format === 'npz' || format === 'safetensors' ? names : names.slice(0, 1);
  if (names.includes(select)) return [select];
  throw new CommandError(EXIT.usage, `--select ${select}: the model gives ${names.join(', ')}`);
}

interface Out {
  output: string;
  format: DataFormat;
  /** Each step has its row, also of an output that a whole run has one of. */
  live: boolean;
}

/** Steps of one stream take at most so many rows: what the layers keep of them is a few megabytes. */
const BLOCK = 1024;

async function runStream(model: GruModel, rows: RowSource, { output, format, live }: Out): Promise<void> {
  const [input, port] = [model.inputs[0]!, model.outputs[0]!];
  const [width, size] = [rowSize(input), rowSize(port)];
  const perStep = port.shape.includes('steps');
  // Sound of one sample a step stays as many channels as the model makes of it; frames are of one channel.
  const sound = rows.sound && { ...rows.sound, channels: rows.sound.channels === width ? size : 1 };
  const writer = await RowWriter.open(output, format, { name: port.name, dtype: port.dtype, size, sound });
  const stream = model.createStream();
  let last: Values | undefined;
  try {
    for await (const values of rows.blocks) {
      const block = (perStep || !live ? BLOCK : 1) * width;
      for (let at = 0; at < values.length; at += block) {
        last = stream.run<Values>(values.slice(at, at + block));
        if (perStep || live) await writer.write(last);
      }
    }
    if (last && !perStep && !live) await writer.write(last);
    await writer.end();
  } catch (error) {
    await writer.abort();
    throw error;
  }
}

async function runWhole(
  model: GruModel,
  inputs: Record<string, ModelInput>,
  flags: RunFlags,
  names: string[],
  form: Out,
): Promise<void> {
  const { states: from, saveStates, lengths } = flags;
  const result = model.run<Record<string, LayerState>, Values>(inputs, {
    initialStates: from === undefined ? undefined : await readStates(from),
    lengths: lengths === undefined ? undefined : readLengths(lengths),
  });
  const outputs = Object.fromEntries(names.map((name) => [name, result.outputs[name]!]));
  const write = () => writeTensors(form.output, form.format, outputs);
  if (saveStates === undefined) return write();
  const save = () => writeTensors(saveStates, tensorFormatOf(saveStates, '--save-states'), stateTensors(result.states));
  // A reader of stdout may have seen enough, which ends the command. A file comes first: where it fails, the run is not done.
  for (const work of form.output === '-' ? [save, write] : [write, save]) await work();
}

function readLengths(text: string): number[] {
  // Number() takes nothing at all for 0.
  const lengths = text.split(',').map((length) => (/^\s*\d+\s*$/.test(length) ? Number(length) : NaN));
  if (lengths.every(Number.isSafeInteger)) return lengths;
  throw new CommandError(EXIT.usage, `--lengths ${text}: whole numbers with commas are needed`);
}
