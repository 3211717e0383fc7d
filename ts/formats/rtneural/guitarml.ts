import { GruError } from '../../base/errors.ts';
import { describe, isRecord } from '../../base/tensor.ts';
import type { LayerSpec } from '../../spec/spec.ts';
import { jsonDict } from '../pytorch/json.ts';
import { Tensors } from '../pytorch/tensors.ts';
import { wire } from '../pytorch/wiring.ts';
import type { ImportedModel } from '../report.ts';
import { channelMatrix, NEUTRAL } from './layer.ts';

const UNITS = { GRU: 'gru', LSTM: 'lstm', RNN: 'rnn' } as const;

/** Numbers of `model_data` that its tensors say too. */
const SIZES = ['input_size', 'hidden_size', 'num_layers', 'output_size'] as const;

/** What `model_data` holds besides: `model`, `unit_type`, `skip`, `bias_fl`. Any other field might change the model. */
const KNOWN: readonly string[] = ['model', 'unit_type', 'skip', 'bias_fl', ...SIZES];

/** What `SimpleRNN` takes where `model_data` does not say. */
const DEFAULT_SKIP = 1;

/**
 * GuitarML's `SimpleRNN`, of which the trainers of Proteus, NeuralPi and others write `model_data` and `state_dict`:
 * y = lin(rec(x)) + x[:skip], where `rec` is an nn.GRU, nn.LSTM or nn.RNN, `lin` an nn.Linear and skip 1 by default.
 */
export async function readGuitarml(root: Record<string, unknown>, what: string): Promise<ImportedModel> {
  const { model_data: data, state_dict: state } = root;
  if (!isRecord(data)) throw new GruError('invalid_file', `${what}: model_data is ${describe(data)}, no object`);
  if (!isRecord(state)) throw new GruError('invalid_file', `${what}: state_dict is ${describe(state)}, no object`);
  const unsupported = (why: string) => new GruError('unsupported', `${what}: ${why}`);
  const { model, unit_type: unit, skip = DEFAULT_SKIP, bias_fl: bias } = data;
  const unknown = Object.keys(root).find(
    (field) => !['model_data', 'state_dict'].includes(field) && !NEUTRAL.includes(field),
  );
  if (unknown !== undefined) throw unsupported(`has the field '${unknown}', which is not known`);
  if (model !== 'SimpleRNN') throw unsupported(`its model is ${describe(model)}; supported: SimpleRNN`);
  const stray = Object.keys(data).find((field) => !KNOWN.includes(field));
  if (stray !== undefined) throw unsupported(`model_data has '${stray}', which is not known`);
  if (typeof unit !== 'string' || !Object.hasOwn(UNITS, unit)) {
    throw unsupported(`its unit_type is ${describe(unit)}; supported: ${Object.keys(UNITS).join(', ')}`);
  }
  const type = UNITS[unit as keyof typeof UNITS];

  const tensors = new Tensors(jsonDict(state, what), '');
  const conventions: string[] = [];
  const spec = await wire(tensors, { layers: [{ [type]: 'rec' } as { gru: string }, { linear: 'lin' }] }, conventions);
  const [input] = spec.inputs;
  const recurrent = spec.layers.filter((layer) => layer.type === type);
  const [last] = recurrent as { hiddenSize: number; direction?: string }[];
  if (last?.direction !== undefined) throw unsupported(`'rec' has two directions, a SimpleRNN has one`);
  const { outputSize } = spec.layers.at(-1) as { outputSize: number };
  const found = {
    input_size: input!.size,
    hidden_size: last!.hiddenSize,
    num_layers: recurrent.length,
    output_size: outputSize,
  };
  for (const size of SIZES) {
    if (data[size] !== undefined && data[size] !== found[size]) {
      throw new GruError(
        'invalid_file',
        `${what}: ${size} is ${describe(data[size])}, its tensors have ${found[size]}`,
      );
    }
  }
  if (bias !== undefined && Boolean(bias) !== tensors.has('lin.bias')) {
    const there = tensors.has('lin.bias') ? 'is there' : 'is missing';
    throw new GruError('invalid_file', `${what}: bias_fl is ${describe(bias)}, and 'lin.bias' ${there}`);
  }

  const end = addSkip(spec.layers, skip, input!, outputSize, what);
  const said = data['skip'] === undefined ? ' (model_data does not say it)' : '';
  conventions.push(
    `skip ${String(skip)}${said}: ${skip === 0 ? 'the output alone' : 'the input is added to the output'}`,
  );
  return {
    spec: { ...spec, outputs: [{ name: 'output', from: end }] },
    report: { format: 'GuitarML', conventions, tensors: tensors.table },
  };
}

/** Adds the first `skip` channels of the input to the output. @returns The layer that gives the sum. */
function addSkip(
  layers: LayerSpec[],
  skip: unknown,
  input: { name: string; size: number },
  outputSize: number,
  what: string,
): string {
  if (skip === 0) return 'lin';
  // One channel is added to each output; other numbers PyTorch could not add.
  if (typeof skip !== 'number' || !(skip === 1 || skip === outputSize) || skip > input.size) {
    throw new GruError(
      'unsupported',
      `${what}: skip is ${describe(skip)}; supported: 0, 1, and the number of outputs (${outputSize}) where the inputs (${input.size}) are as many`,
    );
  }
  let skipped = input.name;
  if (skip < outputSize) {
    const kernel = channelMatrix(outputSize, input.size, `${what}: skip`);
    for (let i = 0; i < kernel.length; i += input.size) kernel[i] = 1;
    layers.push({ name: 'skip', type: 'dense', inputs: [skipped], inputSize: input.size, outputSize, weights: { kernel } }); // prettier-ignore
    skipped = 'skip';
  } else if (skip < input.size) {
    layers.push({ name: 'skip', type: 'slice', inputs: [skipped], start: 0, size: skip });
    skipped = 'skip';
  }
  layers.push({ name: 'sum', type: 'merge', merge: 'sum', inputs: ['lin', skipped] });
  return 'sum';
}
