import { GruError } from '../base/errors.ts';
import { gruSpec } from './layouts/gru.ts';
import { formatNamed } from './detect.ts';
import type { ModelFormat } from './format.ts';
import type { ImportedModel } from './report.ts';
import { parseSafetensors } from '../io/safetensors.ts';

const GATES = ['update_gate', 'reset_gate', 'candidate_hidden'] as const;

/**
 * A safetensors file of the textbook's cell: three dense layers over [h, x], named update_gate, reset_gate and
 * candidate_hidden, each a kernel (hiddenSize + inputSize, hiddenSize) with the rows of h first, and a bias.
 *
 * @throws GruError `invalid_file` for a damaged file or shapes that do not fit each other, `unsupported` for other tensors.
 */
export function readTextbook(bytes: Uint8Array): ImportedModel {
  const { tensors } = parseSafetensors(bytes);
  const names = GATES.flatMap((gate) => [`${gate}.kernel`, `${gate}.bias`]);
  const stray = [...tensors.keys()].find((name) => !names.includes(name));
  if (stray !== undefined) {
    throw new GruError('unsupported', `tensor '${stray}' is none of the textbook cell's: ${names.join(', ')}`);
  }
  const dense = (gate: (typeof GATES)[number]) => {
    const kernel = tensors.get(`${gate}.kernel`);
    if (kernel?.shape.length !== 2) {
      throw new GruError('invalid_file', `tensor '${gate}.kernel' must be there, of shape [hidden + input, hidden]`);
    }
    const bias = tensors.get(`${gate}.bias`);
    return { shape: kernel.shape as [number, number], kernel: kernel.floats(), ...(bias && { bias: bias.floats() }) };
  };
  const [updateGate, resetGate, candidateHidden] = GATES.map(dense) as [Gate, Gate, Gate];
  const [rows, hiddenSize] = updateGate.shape;
  const spec = gruSpec(
    { inputSize: rows - hiddenSize, hiddenSize, resetAfter: false },
    { layout: 'textbook', updateGate, resetGate, candidateHidden },
  );
  const table = [...tensors.values()].map(({ name, shape, dtype }) => ({
    source: name,
    shape,
    dtype,
    target: name.endsWith('bias') ? 'gru/forward.bias' : 'gru/forward.input, gru/forward.recurrent',
  }));
  return { spec, report: { format: 'textbook', conventions: ['reset gate before the matmul'], tensors: table } };
}

interface Gate {
  shape: [number, number];
  kernel: Float32Array;
  bias?: Float32Array;
}

/** For `gru-wasm/static`. */
export const textbook: ModelFormat = { ...formatNamed('textbook'), reader: () => Promise.resolve(readTextbook) };
