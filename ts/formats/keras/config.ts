import { GruError } from '../../base/errors.ts';
import { isRecord } from '../../base/tensor.ts';
import { readCalls } from './nodes.ts';
import type { KerasCall, KerasTensor } from './nodes.ts';
import { shown } from './shown.ts';

/** A layer (or, in Keras 3, an operation) of a model's config. */
export interface KerasLayer {
  className: string;
  name: string;
  config: Record<string, unknown>;
  /** An operation of keras.ops, which is no layer. */
  isOperation: boolean;
  /** Registered by the user under this name: not one of Keras's own. */
  customName: string | undefined;
  calls: KerasCall[];
  /** A model inside the model. */
  inner: KerasModel | undefined;
}

/** A model's config, Sequential or functional, in one form. */
export interface KerasModel {
  layers: KerasLayer[];
  inputs: KerasTensor[];
  outputs: { tensor: KerasTensor; name: string | undefined }[];
  /** Shape of the input of a Sequential model that has no InputLayer, where the config says it. */
  buildShape: unknown;
}

/** Models inside each other. */
const MAX_DEPTH = 8;

const MODEL_CLASSES = ['Sequential', 'Functional', 'Model'];

export function isModelClass(className: string): boolean {
  return MODEL_CLASSES.includes(className);
}

export function invalidConfig(message: string): GruError {
  return new GruError('invalid_file', `the model's config: ${message}`);
}

/**
 * Reads `model.to_json()` in the forms of Keras 2, Keras 3 and TensorFlow.js.
 *
 * @throws GruError `invalid_file`; `unsupported` for a class of models of the user's own.
 */
export function readModelConfig(root: Record<string, unknown>, depth = 0): KerasModel {
  if (depth > MAX_DEPTH) throw new GruError('unsupported', `more than ${MAX_DEPTH} models inside each other`);
  const readLayer = (value: unknown, place: number) => readLayerConfig(value, place, depth);
  const { class_name: className, config, build_config: build, registered_name: registered } = root;
  if (typeof className !== 'string') throw invalidConfig('class_name is missing');
  if (!isModelClass(className) || (typeof registered === 'string' && registered.includes('>'))) {
    const name = typeof registered === 'string' && registered.includes('>') ? registered : className;
    throw new GruError(
      'unsupported',
      `the model is of class '${name}', whose code is not in the file; supported: Sequential and functional models`,
    );
  }
  if (className === 'Sequential') {
    // Up to Keras 2.2.2 the config was the list of layers itself.
    const body = Array.isArray(config) ? { layers: config as unknown[] } : config;
    if (!isRecord(body)) throw invalidConfig('config is missing');
    const built = isRecord(build) ? build['input_shape'] : undefined;
    return readSequential(list(body, 'layers').map(readLayer), body['build_input_shape'] ?? built);
  }
  if (!isRecord(config)) throw invalidConfig('config is missing');
  const layers = list(config, 'layers').map(readLayer);
  return {
    layers,
    inputs: references(config['input_layers'], 'input_layers').map(({ tensor }) => tensor),
    outputs: references(config['output_layers'], 'output_layers'),
    buildShape: undefined,
  };
}

function list(config: Record<string, unknown>, name: string): unknown[] {
  const value = config[name];
  if (!Array.isArray(value) || value.length === 0) throw invalidConfig(`${name} must be a list that is not empty`);
  return value as unknown[];
}

function readLayerConfig(value: unknown, place: number, depth: number): KerasLayer {
  if (!isRecord(value)) throw invalidConfig('a layer is no object');
  const { class_name: className, module, inbound_nodes: nodes } = value;
  if (typeof className !== 'string') throw invalidConfig('a layer has no class_name');
  const customName = customNameOf(value, className);
  const inner = isModelClass(className) && customName === undefined ? readModelConfig(value, depth + 1) : undefined;
  // Up to Keras 2.2.2 the config of a Sequential model was the list of its layers, without its name.
  const config = inner && Array.isArray(value['config']) ? { name: `inner_${place + 1}` } : value['config'];
  if (!isRecord(config)) throw invalidConfig(`a layer of class ${className} has no config`);
  const name = value['name'] ?? config['name'];
  if (typeof name !== 'string' || name === '') throw invalidConfig(`a layer of class ${className} has no name`);
  return {
    className,
    name,
    config,
    isOperation: typeof module === 'string' ? /^keras\.src\.ops\b/.test(module) : isBareOperation(nodes, config),
    customName,
    calls: nodes === undefined ? [] : readCalls(nodes, `layer '${name}'`),
    inner,
  };
}

/** The name of a class that is not Keras's own: registered by the user, or of a module of theirs. */
export function customNameOf(
  { module, registered_name: registered }: Record<string, unknown>,
  className: string,
): string | undefined {
  const known = typeof registered === 'string' ? registered : className;
  const custom =
    known.includes('>') ||
    className.includes('>') ||
    (typeof module === 'string' && !/^(keras|tensorflow|tf_keras|builtins)\b/.test(module));
  return custom ? known : undefined;
}

/**
 * In `.h5` files Keras 3 leaves out the module; operations are then known by having no field that all layers have, but for
 * SpatialDropout1D, which has its seed.
 */
function isBareOperation(nodes: unknown, config: Record<string, unknown>): boolean {
  return Array.isArray(nodes) && isRecord(nodes[0]) && !('trainable' in config) && !('seed' in config);
}

/** [name, node, tensor], a list or a record of them. */
function references(value: unknown, what: string): KerasModel['outputs'] {
  if (isRecord(value)) {
    return Object.entries(value).flatMap(([name, entry]) => references(entry, what).map((r) => ({ ...r, name })));
  }
  if (!Array.isArray(value) || value.length === 0) throw invalidConfig(`${what} must list tensors`);
  if (typeof value[0] === 'string') {
    const [layer, node, tensor] = value as unknown[];
    if (typeof layer === 'string' && Number.isInteger(node) && Number.isInteger(tensor)) {
      return [{ tensor: { layer, node: node as number, tensor: tensor as number }, name: undefined }];
    }
    throw invalidConfig(`${what}: ${shown(value)} is no [layer, node, tensor]`);
  }
  return (value as unknown[]).flatMap((entry) => {
    if (!Array.isArray(entry) || typeof entry[0] !== 'string') {
      throw invalidConfig(`${what}: ${shown(entry)} is no [layer, node, tensor]`);
    }
    return references(entry, what);
  });
}

/** Makes a chain of the layers. */
function readSequential(layers: KerasLayer[], buildShape: unknown): KerasModel {
  const chain = layers.map((layer, i): KerasLayer => {
    const before = layers[i - 1];
    return { ...layer, calls: before ? [{ args: [{ tensor: tensorOf(before) }], kwargs: {} }] : [] };
  });
  const first = chain[0]!;
  const last = chain[chain.length - 1]!;
  if (new Set(chain.map(({ name }) => name)).size < chain.length) throw invalidConfig('two layers have the same name');
  if (first.className === 'InputLayer') {
    return {
      layers: chain,
      inputs: [tensorOf(first)],
      outputs: [{ tensor: tensorOf(last), name: undefined }],
      buildShape,
    };
  }
  const name = chain.some((layer) => layer.name === 'input') ? 'input_of_model' : 'input';
  const shape = first.config['batch_input_shape'] ?? buildShape;
  const input: KerasLayer = {
    className: 'InputLayer',
    name,
    config: { name, ...(shape == null ? {} : { batch_shape: shape }) },
    isOperation: false,
    customName: undefined,
    calls: [],
    inner: undefined,
  };
  first.calls = [{ args: [{ tensor: tensorOf(input) }], kwargs: {} }];
  return {
    layers: [input, ...chain],
    inputs: [tensorOf(input)],
    outputs: [{ tensor: tensorOf(last), name: undefined }],
    buildShape,
  };
}

function tensorOf({ name }: KerasLayer): KerasTensor {
  return { layer: name, node: 0, tensor: 0 };
}
