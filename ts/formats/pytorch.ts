import { GruError } from '../base/errors.ts';
import { checkBudget, checkBytes, checkName, ownContext } from './arguments.ts';
import { product } from '../base/tensor.ts';
import { formatNamed } from './detect.ts';
import type { ModelFormat } from './format.ts';
import { findStateDict, wrapperPrefix } from './pytorch/checkpoint.ts';
import { isPickle, openTorchLegacy, openTorchZip } from './pytorch/container.ts';
import { moduleKind } from './pytorch/modules.ts';
import { isNpz, readNpz } from './pytorch/npz.ts';
import { computeNorms } from './pytorch/norms.ts';
import { checkPytorchOptions, type PytorchOptions } from './pytorch/options.ts';
import type { StateDict } from './pytorch/source.ts';
import { readJsonDict } from './pytorch/json.ts';
import { StorageRef } from './pytorch/storage.ts';
import { FloatBudget, tensorFloats, TorchTensor } from './pytorch/tensor.ts';
import { suggestLayers } from './pytorch/suggest.ts';
import { ignoredNames, Tensors } from './pytorch/tensors.ts';
import { pythonType } from './pytorch/values.ts';
import { needsLayers, wire } from './pytorch/wiring.ts';
import { isJsonDict } from './detect.ts';
import type { ImportContext, ImportedModel, ImportReport } from './report.ts';
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
export type { SourceTensor, StateDict, StateEntry } from './pytorch/source.ts';

/**
 * Reads the state dict of a PyTorch module: a file of `torch.save` (zip or legacy; state dict or checkpoint) or a safetensors
 * file.
 *
 * @throws GruError `invalid_file` when damaged; `unsupported` when it holds anything but plain data, or tensors that no layer
 *   uses; `invalid_argument` when the options do not fit it.
 */
export async function readPytorch(bytes: Uint8Array, given: ImportContext = {}): Promise<ImportedModel> {
  checkBytes('readPytorch', bytes);
  const context = ownContext('readPytorch', given);
  const options = context.options?.pytorch ?? {};
  const { dict, kind, conventions, tied } = await readStateDict(bytes, options, context.name, context.budget);
  const counters = isAveraged(dict) ? ['n_averaged'] : [];
  const prefix = wrapperPrefix([...dict.keys()].filter((name) => !counters.includes(name)));
  if (prefix !== '') conventions.push(`names begin with '${prefix}' (a wrapper): left out`);
  const local: StateDict =
    prefix === ''
      ? new Map(dict)
      : new Map([...dict].map(([name, entry]) => [counters.includes(name) ? name : name.slice(prefix.length), entry]));
  for (const convention of computeNorms(local)) conventions.push(convention);
  const optional = new Set([...(tied ?? [])].map((name) => name.slice(prefix.length)));
  const ignored = ignoredNames(local, [...counters, ...(options.ignore ?? [])], prefix);
  const tensors = new Tensors(local, prefix, ignored, optional);
  if (context.describing && options.layers === undefined && needsLayers(tensors)) {
    return {
      spec: { inputs: [], layers: [], outputs: [] },
      report: describeUnwired(local, tensors, kind, conventions),
    };
  }
  const spec = await wire(tensors, options, conventions);
  return { spec, report: { format: `PyTorch (${kind})`, conventions, tensors: tensors.table } };
}

/** What `inspect` says of a state dict whose wiring is not given. */
function describeUnwired(dict: StateDict, { modules }: Tensors, kind: string, conventions: string[]): ImportReport {
  const tensors = [...dict].flatMap(([source, entry]) =>
    typeof entry === 'string' ? [] : [{ source, shape: entry.shape, dtype: entry.dtype, target: '' }],
  );
  return {
    format: `PyTorch (${kind})`,
    conventions: [
      ...conventions,
      `a state dict does not say how its modules are connected; say it as the module's forward does, like ${suggestLayers(modules)}`,
    ],
    tensors,
    modules: [...modules.values()].map((module) => ({ name: module.name, kind: moduleKind(module) })),
  };
}

/** A state dict, the kind of file it was in, and what was decided to find it. */
export interface FoundStateDict {
  /** Tensors by name. */
  dict: StateDict;
  /** Of file, for reports. */
  kind: string;
  /** What was decided, for reports. */
  conventions: string[];
  /** Names of tensors that the file holds under another name too. */
  tied?: ReadonlySet<string>;
}

/** The state dict of `torch.optim.swa_utils.AveragedModel`: the model as `module`, and how often it was averaged. */
function isAveraged(dict: StateDict): boolean {
  return (
    dict.has('n_averaged') && [...dict.keys()].every((name) => name === 'n_averaged' || name.startsWith('module.'))
  );
}

/** Finds the tensors of a file by name, before any of them is read. @throws GruError as {@link readPytorch}. */
export async function readStateDict(
  bytes: Uint8Array,
  options: PytorchOptions = {},
  what = 'the file',
  unpacked?: ImportContext['budget'],
): Promise<FoundStateDict> {
  checkBytes('readStateDict', bytes);
  checkPytorchOptions(options);
  checkName('readStateDict: what', what);
  checkBudget('readStateDict: unpacked', unpacked);
  const budget = new FloatBudget(bytes.length);
  if (isJsonDict(bytes)) return { dict: readJsonDict(bytes, what), kind: 'JSON', conventions: [] };
  if (isSafetensors(bytes)) {
    if (options.stateDict !== undefined) {
      throw new GruError(
        'invalid_argument',
        'pytorch.stateDict is for checkpoints; a safetensors file is one state dict',
      );
    }
    return readSafetensorsDict(bytes, budget);
  }
  if (!isZip(bytes) && !isPickle(bytes)) {
    throw new GruError('invalid_file', `${what}: neither a zip file nor a pickle of torch.save`);
  }
  if (isZip(bytes) && isNpz(bytes)) {
    if (options.stateDict !== undefined) throw new GruError('invalid_argument', 'pytorch.stateDict is for checkpoints');
    return { dict: await readNpz(bytes, what, budget, unpacked), kind: 'NumPy', conventions: [] };
  }
  const file = isZip(bytes) ? await openTorchZip(bytes, what, unpacked) : openTorchLegacy(bytes, what);
  const { path, dict: found, module } = findStateDict(file.root, options.stateDict, what);
  if (found.size === 0 && file.kind === 'TorchScript') {
    throw new GruError(
      'unsupported',
      `${what}: a TorchScript program whose weights are constants of its code (torch.jit.freeze); save the weights of the module ` +
        `it was made of, with torch.save(model.state_dict(), 'model.pt')`,
    );
  }
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
  const conventions = [
    ...(path === '' ? [] : [`state dict found at '${path}'`]),
    ...(module === undefined ? [] : [`weights are those that a module '${module}' holds; its code is not read`]),
  ];
  return { dict, kind: file.kind, conventions };
}

/** PyTorch's names of the dtypes of safetensors. */
export const SAFETENSORS_DTYPES: Record<SafetensorsDtype, string> = {
  F32: 'float32', F64: 'float64', F16: 'float16', BF16: 'bfloat16', I64: 'int64', I32: 'int32', I16: 'int16', I8: 'int8',
  U64: 'uint64', U32: 'uint32', U16: 'uint16', U8: 'uint8', BOOL: 'bool', F8_E4M3: 'float8_e4m3fn', F8_E5M2: 'float8_e5m2',
}; // prettier-ignore

function readSafetensorsDict(bytes: Uint8Array, budget: FloatBudget): FoundStateDict {
  const { tensors, metadata } = parseSafetensors(bytes);
  const dict: StateDict = new Map();
  for (const stored of tensors.values()) {
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
  // Of tensors that share their memory save_model writes one; the others' names are in the metadata, each with the one that is there.
  const tied = new Set<string>();
  const conventions: string[] = [];
  for (const [name, kept] of Object.entries(metadata)) {
    const tensor = dict.get(kept);
    if (tensor === undefined || dict.has(name) || !tensors.has(kept)) continue;
    dict.set(name, tensor);
    tied.add(name);
    conventions.push(`'${name}' is '${kept}' (tied)`);
  }
  return { dict, kind: 'safetensors', conventions, tied };
}

/** For `gru-wasm/static`. */
export const pytorch: ModelFormat = { ...formatNamed('pytorch'), reader: () => Promise.resolve(readPytorch) };
