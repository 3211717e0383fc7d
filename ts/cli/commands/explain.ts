import { Command, Option } from 'commander';
import type { GruModel } from '../../api/model.ts';
import { type DataFormat, FORMATS, tensorFormatOf } from '../files/format.ts';
import { refuseLoss } from '../files/place.ts';
import { writeWhole } from '../files/sink.ts';
import { writeTensors } from '../files/tensors.ts';
import { heatSvg, heatText } from '../heat.ts';
import { append, readInputs } from '../inputs.ts';
import { type ModelFlags, modelOptions, openModel, readFiles } from '../model.ts';
import { print } from '../print.ts';

interface ExplainFlags extends ModelFlags {
  input: string[];
  inputFormat?: DataFormat;
  layer?: string;
  direction?: 'forward' | 'reverse';
  output?: string;
  svg?: string;
}

/** `gru explain MODEL --input FILE` */
export function explainCommand(): Command {
  return modelOptions(new Command('explain'))
    .description('make the gates of a layer visible: what they were at each step')
    .argument('<model>', 'the file')
    .requiredOption('-i, --input <file>', 'as of `gru run`', append)
    .addOption(new Option('--input-format <format>', 'instead of by the ending').choices(FORMATS))
    .option('--layer <name>', 'a gru, lstm or rnn layer; default: the only one')
    .addOption(new Option('--direction <name>', 'of a bidirectional layer').choices(['forward', 'reverse']))
    .option(
      '-o, --output <file>',
      'write the values: .npz or .safetensors; a gru has z, r, candidate, h; an lstm i, f, g, o, c, h; an rnn h',
    )
    .option('--svg <file>', 'write the heat maps')
    .addHelpText(
      'after',
      `
Without --output and --svg the heat maps of the first sequence are drawn in the terminal.

Examples:
  gru explain amp.safetensors -i phrase.wav
  gru explain encoder.safetensors -i word.csv --layer encoder --direction reverse -o gates.npz --svg gates.svg`,
    )
    .action(explain);
}

async function explain(path: string, flags: ExplainFlags): Promise<void> {
  const { output, layer, direction } = flags;
  const format = output === undefined ? undefined : tensorFormatOf(output, '--output');
  const outputs = [
    { what: '--output', path: output },
    { what: '--svg', path: flags.svg },
  ];
  await refuseLoss(outputs, readFiles(path, flags, flags.input));
  const model = await openModel(path, flags, flags.backend, flags.precision);
  const traced = await model.trace(await readInputs(model, flags.input, flags.inputFormat), { layer, direction });
  if (output !== undefined) await writeTensors(output, format!, traced);
  if (flags.svg !== undefined) await writeWhole(flags.svg, heatSvg(`${path}: ${layer ?? only(model)}`, traced));
  if (output === undefined && flags.svg === undefined) await print(heatText(traced));
}

/** The layer that is traced where none is named: there is no other. */
function only({ states }: GruModel): string {
  return states.find(({ slot }) => slot === 'hidden')!.name;
}
