import { GruError } from '../base/errors.ts';
import { resolveGraph } from '../spec/graph.ts';
import type { IntWeights, WeightTensor } from '../base/weights.ts';
import type { LayerSpec, ModelSpec } from '../spec/spec.ts';
import { isRecord, shapeText } from '../base/tensor.ts';
import { parseJson } from '../io/json.ts';
import type { ImportedModel } from './report.ts';
import { headerNames, isSafetensors, parseSafetensors, type SafetensorsTensor } from '../io/safetensors.ts';
import { METADATA_KEY, SCALES, VERSION } from './save.ts';

/** Whether a file is a safetensors file with our description in its header (a damaged one is left to the reader). */
export function hasSpec(bytes: Uint8Array): boolean {
  return isSafetensors(bytes) && headerNames(bytes, METADATA_KEY);
}

/**
 * Reads what {@link saveModel} writes.
 *
 * @throws GruError `invalid_file` for a damaged file or tensors that belong to no layer, `invalid_spec` for a spec that
 *   contradicts itself or its weights.
 */
export function readNative(bytes: Uint8Array): ImportedModel {
  const { metadata, tensors } = parseSafetensors(bytes);
  const json = metadata[METADATA_KEY];
  if (json === undefined) throw new GruError('invalid_file', `the file has no __metadata__['${METADATA_KEY}']`);
  const { inputs, layers, outputs } = readDescription(json);

  const names = new Set<unknown>(layers.map(({ name }) => name));
  const byLayer = new Map<unknown, Map<string, SafetensorsTensor>>();
  for (const tensor of tensors.values()) {
    const slash = tensor.name.lastIndexOf('/');
    const layer = tensor.name.slice(0, Math.max(slash, 0));
    if (slash < 0 || !names.has(layer)) {
      throw new GruError('invalid_file', `tensor '${tensor.name}' belongs to no layer of the spec`);
    }
    const found = byLayer.get(layer) ?? new Map<string, SafetensorsTensor>();
    byLayer.set(layer, found.set(tensor.name.slice(slash + 1), tensor));
  }
  for (const layer of layers) {
    const found = byLayer.get(layer.name);
    Object.assign(layer, { weights: found ? readWeights(found) : {} });
  }
  const spec = { inputs, layers, ...(outputs === undefined ? {} : { outputs }) } as ModelSpec;

  const graph = resolveGraph(spec);
  for (const { layer, kind } of graph.nodes) {
    for (const { key, shape } of kind.tensors(layer)) {
      const stored = byLayer.get(layer.name)?.get(key)?.shape;
      if (!stored || shapeText(stored) === shapeText(shape)) continue;
      const what = `tensor '${layer.name}/${key}'`;
      throw new GruError(
        'invalid_spec',
        `${what}: expected shape ${shapeText(shape)}, the file has ${shapeText(stored)}`,
      );
    }
  }
  const report = {
    format: 'gru-wasm',
    conventions: [],
    tensors: [...tensors.values()].map(({ name, shape, dtype }) => ({ source: name, shape, dtype, target: name })),
  };
  return { spec, graph, report };
}

/** The tensors of a layer by key, with scales where they are integers. */
function readWeights(found: ReadonlyMap<string, SafetensorsTensor>): Record<string, WeightTensor> {
  const weights: Record<string, WeightTensor> = {};
  const scaled = new Set<string>();
  for (const [key, tensor] of found) {
    const data = key.endsWith(SCALES) && found.has(key.slice(0, -SCALES.length)) ? undefined : tensor.shortInts();
    if (!data) continue;
    const scales = found.get(key + SCALES);
    if (!scales) {
      throw new GruError(
        'invalid_file',
        `tensor '${tensor.name}' is ${tensor.dtype}; its scales, '${tensor.name}${SCALES}', are missing`,
      );
    }
    if (scales.shape.length !== 1) {
      const text = `tensor '${scales.name}': expected one scale a row, the file has shape ${shapeText(scales.shape)}`;
      throw new GruError('invalid_spec', text);
    }
    weights[key] = { dtype: data instanceof Int16Array ? 'i16' : 'i8', data, scales: scales.floats() } as IntWeights;
    scaled.add(key + SCALES);
  }
  for (const [key, tensor] of found) if (!(key in weights) && !scaled.has(key)) weights[key] = tensor.floats();
  return weights;
}

/** A layer with the numbers for which JSON has none. */
function withNumbers(layer: Record<string, unknown>): Record<string, unknown> {
  const { value } = layer;
  return value === 'Infinity' || value === '-Infinity' || value === 'NaN' ? { ...layer, value: Number(value) } : layer;
}

function readDescription(json: string): { inputs: unknown; layers: Partial<LayerSpec>[]; outputs: unknown } {
  const what = `__metadata__['${METADATA_KEY}']`;
  const description = parseJson(json, what);
  const { version, inputs, layers, outputs, ...rest } = description;
  if (version !== VERSION) {
    const got = version === undefined ? 'no version' : `version ${JSON.stringify(version)}`;
    throw new GruError('invalid_file', `${what} has ${got}; this gru-wasm reads version ${VERSION}`);
  }
  const [stray] = Object.keys(rest);
  if (stray !== undefined) throw new GruError('invalid_spec', `${what} has the unknown field '${stray}'`);
  if (!Array.isArray(layers) || !layers.every(isRecord)) {
    throw new GruError('invalid_spec', `${what}: layers must be an array of objects`);
  }
  const inline = layers.find((layer) => 'weights' in layer);
  if (inline) {
    throw new GruError(
      'invalid_spec',
      `${what}: layer '${String(inline['name'])}' has weights in the JSON, not as tensors`,
    );
  }
  return { inputs, layers: layers.map(withNumbers), outputs };
}
