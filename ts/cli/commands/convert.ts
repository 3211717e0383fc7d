import { STORED_DTYPES, type StoredDtype } from '../../formats/save.ts';
import { Command, Option } from 'commander';
import { CommandError, EXIT } from '../exit.ts';
import { refuseLoss } from '../files/place.ts';
import { writeWhole } from '../files/sink.ts';
import { openModel, readFiles, readOptions, type ReadFlags } from '../model.ts';

/** Endings of other formats: whoever gives one wants a file that is not written here. */
const OTHERS = /\.(onnx|keras|h5|hdf5|pt|pth|ckpt|json|npz|tflite|pb)$/i;

/** `gru convert MODEL -o FILE` */
export function convertCommand(): Command {
  return readOptions(new Command('convert'))
    .description("write a model of any format as gru-wasm's own .safetensors")
    .argument('<model>', 'the file')
    .requiredOption('-o, --output <file>', 'what is written; - is stdout')
    .addOption(
      new Option('--dtype <type>', 'how weights are stored (integers in the file are not made wider ones)')
        .choices(STORED_DTYPES)
        .default('float32'),
    )
    .addHelpText(
      'after',
      `
Examples:
  gru convert speech.keras -o speech.safetensors
  gru convert speech.onnx -o speech.safetensors --dtype float16`,
    )
    .action(async (path: string, flags: ReadFlags & { output: string; dtype: StoredDtype }) => {
      if (OTHERS.test(flags.output))
        throw new CommandError(
          EXIT.usage,
          `--output ${flags.output}: what is written is gru-wasm's own .safetensors; name it so`,
        );
      await refuseLoss([{ what: '--output', path: flags.output }], readFiles(path, flags));
      const numbers = flags.dtype === 'float32' || flags.dtype === 'float16';
      // The backend does not matter, and this one starts nothing. Integers of the file become numbers where these are asked for.
      const model = await openModel(path, flags, 'js', numbers ? 'f32' : undefined);
      await writeWhole(flags.output, model.save({ dtype: flags.dtype }));
    });
}
