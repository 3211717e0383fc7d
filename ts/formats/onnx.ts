import { GruError } from '../base/errors.ts';
import { checkBytes, ownContext } from './arguments.ts';
import { nameSegments } from '../io/paths.ts';
import { formatNamed } from './detect.ts';
import type { ModelFormat } from './format.ts';
import type { ImportContext, ImportedModel } from './report.ts';
import { interpret } from './onnx/interpret.ts';
import type { OnnxModel, OnnxTensor } from './onnx/messages.ts';
import { allNodes, subgraphs } from './onnx/nodes.ts';
import { checkOnnxOptions } from './onnx/options.ts';
import { parseModel } from './onnx/protobuf.ts';
import { Source } from './onnx/source.ts';

export { bindInputs, bindOutput, type BoundRun, type BoundTensor, type GraphBinding } from './onnx/binding.ts';
export { runOnnx } from './onnx/run.ts';
export type { Values } from '../base/typed-array.ts';
export type { OnnxOptions } from './onnx/options.ts';

/**
 * Reads an ONNX model.
 *
 * @throws GruError `invalid_file` for a damaged file, `unsupported` for what it holds that cannot be represented (with the
 *   recurrent nodes that can be loaded by themselves), `io` when a file of external data is missing, `invalid_argument` for
 *   options that do not fit.
 */
export async function readOnnx(bytes: Uint8Array, given: ImportContext = {}): Promise<ImportedModel> {
  checkBytes('readOnnx', bytes);
  const context = ownContext('readOnnx', given);
  const options: unknown = context.options?.onnx ?? {};
  checkOnnxOptions(options);
  const model = parseModel(bytes);
  const sidecars = await loadSidecars(model, context);
  const size = [...sidecars.values()].reduce((n, file) => n + file.length, bytes.length);
  return interpret(new Source(model, sidecars, options, size));
}

/** Loads the files of external data that the model names. */
async function loadSidecars(model: OnnxModel, { sidecar }: ImportContext): Promise<Map<string, Uint8Array>> {
  const nodes = allNodes(model.graph.nodes);
  const tensors = [
    ...model.graph.initializers,
    ...nodes.flatMap((node) => subgraphs(node).flatMap(({ initializers }) => initializers)),
    ...nodes.flatMap((node) => node.attributes.map(({ t }) => t).filter((t): t is OnnxTensor => t !== undefined)),
  ];
  const locations = new Set(tensors.flatMap(({ external }) => (external ? [external.location] : [])));
  if (locations.size > 1000)
    throw new GruError('unsupported', `the ONNX file has its data in ${locations.size} other files`);
  const files = new Map<string, Uint8Array>();
  for (const location of locations) {
    nameSegments(location);
    const file = await sidecar?.(location);
    if (file) files.set(location, file);
  }
  return files;
}

/** For `gru-wasm/static`. */
export const onnx: ModelFormat = { ...formatNamed('onnx'), reader: () => Promise.resolve(readOnnx) };
