import { GruError } from '../base/errors.ts';
import { product } from '../base/tensor.ts';
import { isPytorch } from './detect.ts';
import type { ModelFormat } from './format.ts';
import { findStateDict, wrapperPrefix } from './pytorch/checkpoint.ts';
import { isPickle, openTorchLegacy, openTorchZip } from './pytorch/container.ts';
import { checkPytorchOptions, type PytorchOptions } from './pytorch/options.ts';
import type { StateDict } from './pytorch/source.ts';
import { FloatBudget, tensorFloats, TorchTensor } from './pytorch/tensor.ts';
import { leaveOut, Tensors } from './pytorch/tensors.ts';
import { pythonType, StorageRef } from './pytorch/values.ts';
import { wire } from './pytorch/wiring.ts';
import type { ImportContext, ImportedModel } from './report.ts';
import { isSafetensors, parseSafetensors, type SafetensorsDtype } from '../io/safetensors.ts';
import { isZip } from '../io/zip.ts';

export type { PytorchActivation } from './pytorch/forms/activation.ts';
export type { PytorchEmbedding } from './pytorch/forms/embedding.ts';
export type { PytorchLayer } from './pytorch/forms/index.ts';
export type { PytorchLinear } from './pytorch/forms/linear.ts';
export type { PytorchMerge } from './pytorch/forms/merge.ts';
export type { PytorchModule } from './pytorch/forms/module.ts';
export type { PytorchGru, PytorchLstm, PytorchRnn } from './pytorch/forms/recurrent.ts';
export type { PytorchStep } from './pytorch/forms/step.ts';
export type { PytorchOptions } from './pytorch/options.ts';

/**
 * Reads the state dict of a PyTorch module: a file of `torch.save` (zip or legacy; state dict or checkpoint) or a safetensors
 * file.
 *
 * @throws GruError `invalid_file` when damaged; `unsupported` when it holds anything but plain data, or tensors that no layer
 *   uses; `invalid_argument` when the options do not fit it.
 */
export async function readPytorch(bytes: Uint8Array, context: ImportContext = {}): Promise<ImportedModel> {
  const options: unknown = context.options?.pytorch ?? {};
  checkPytorchOptions(options);
  const { dict, kind, conventions } = await readStateDict(bytes, options, context.name, context.budget);
  const prefix = wrapperPrefix([...dict.keys()]);
  if (prefix !== '') conventions.push(`names begin with '${prefix}' (a wrapper): left out`);
  const local: StateDict =
    prefix === '' ? dict : new Map([...dict].map(([name, entry]) => [name.slice(prefix.length), entry]));
  const tensors = new Tensors(leaveOut(local, options.ignore ?? [], prefix), prefix);
  const spec = await wire(tensors, options, conventions);
  return { spec, report: { format: `PyTorch (${kind})`, conventions, tensors: tensors.table } };
}

/** A state dict, the kind of file it was in, and what was decided to find it. */
export interface FoundStateDict {
  dict: StateDict;
  kind: string;
  conventions: string[];
}

/** Finds the tensors of a file by name, before any of them is read. @throws GruError as {@link readPytorch}. */
export async function readStateDict(
  bytes: Uint8Array,
  options: PytorchOptions = {},
  what = 'the file',
  unpacked?: ImportContext['budget'],
): Promise<FoundStateDict> {
  const budget = new FloatBudget(bytes.length);
  if (isSafetensors(bytes)) {
    if (options.stateDict !== undefined) {
      throw new GruError(
        'invalid_argument',
        'pytorch.stateDict is for checkpoints; a safetensors file is one state dict',
      );
    }
    return { dict: readSafetensorsDict(bytes, budget), kind: 'safetensors', conventions: [] };
  }
  if (!isZip(bytes) && !isPickle(bytes)) {
    throw new GruError('invalid_file', `${what}: neither a zip file nor a pickle of torch.save`);
  }
  const file = isZip(bytes) ? await openTorchZip(bytes, what, unpacked) : openTorchLegacy(bytes, what);
  const { path, dict: found } = findStateDict(file.root, options.stateDict, what);
  const dict: StateDict = new Map();
  for (const [name, value] of found) {
    if (!(value instanceof TorchTensor)) {
      dict.set(name, pythonType(value));
      continue;
    }
    const { shape, dtype } = value;
    const floats = async () => {
      const label = `tensor '${name}'`;
      budget.spend(label, shape);
      return tensorFloats(label, value, await file.storage(value.storage));
    };
    dict.set(name, { shape, dtype, floats });
  }
  return { dict, kind: file.kind, conventions: path === '' ? [] : [`state dict found at '${path}'`] };
}

const SAFETENSORS_DTYPES: Record<SafetensorsDtype, string> = {
  F32: 'float32', F64: 'float64', F16: 'float16', BF16: 'bfloat16', I64: 'int64', I32: 'int32', I16: 'int16', I8: 'int8',
  U64: 'uint64', U32: 'uint32', U16: 'uint16', U8: 'uint8', BOOL: 'bool', F8_E4M3: 'float8_e4m3fn', F8_E5M2: 'float8_e5m2',
}; // prettier-ignore

function readSafetensorsDict(bytes: Uint8Array, budget: FloatBudget): StateDict {
  const dict: StateDict = new Map();
  for (const stored of parseSafetensors(bytes).tensors.values()) {
    const { name, shape } = stored;
    const dtype = SAFETENSORS_DTYPES[stored.dtype];
    const floats = () => {
      budget.spend(`tensor '${name}'`, shape);
      const strides = shape.map((_, i) => product(shape.slice(i + 1)));
      const tensor = new TorchTensor(new StorageRef(name, dtype, product(shape)), dtype, 0, shape, strides);
      return Promise.resolve(tensorFloats(`tensor '${name}'`, tensor, stored.bytes));
    };
    dict.set(name, { shape, dtype, floats });
  }
  return dict;
}

/** For `gru-wasm/static`. */
export const pytorch: ModelFormat = { name: 'PyTorch', detect: isPytorch, reader: () => Promise.resolve(readPytorch) };
