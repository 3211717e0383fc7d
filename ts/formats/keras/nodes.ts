import { GruError } from '../../base/errors.ts';
import { isRecord } from '../../base/tensor.ts';

/** A tensor of a functional model: output `tensor` of the call `node` of a layer. */
export interface KerasTensor {
  layer: string;
  node: number;
  tensor: number;
}

/** An argument of a call: a tensor, a constant, or a list of such. */
export type KerasArgument = { tensor: KerasTensor } | { constant: unknown } | KerasArgument[];

/** One call of a layer. */
export interface KerasCall {
  args: KerasArgument[];
  kwargs: Record<string, KerasArgument>;
}

const MAX_DEPTH = 8;

/**
 * `inbound_nodes`. Keras 3: [{ args, kwargs }], tensors as objects of class `__keras_tensor__`. Keras 2 and TensorFlow.js:
 * [[[layer, node, tensor, kwargs], ...]], one innermost list a tensor, or [[layer, node, tensor, kwargs]] in some versions.
 */
export function readCalls(nodes: unknown, what: string): KerasCall[] {
  if (!Array.isArray(nodes)) throw invalid(what, 'inbound_nodes is no list');
  return (nodes as unknown[]).map((node) => {
    if (isRecord(node) && !('class_name' in node)) {
      const { args, kwargs } = node;
      if (!Array.isArray(args) || !isRecord(kwargs)) throw invalid(what, 'an inbound node has no args or kwargs');
      return {
        args: (args as unknown[]).map((argument) => readArgument(argument, what, 0)),
        kwargs: Object.fromEntries(Object.entries(kwargs).map(([key, value]) => [key, readArgument(value, what, 0)])),
      };
    }
    if (!Array.isArray(node) || node.length === 0)
      throw invalid(what, 'an inbound node is neither an object nor a list');
    return readOldNode(typeof node[0] === 'string' ? [node] : (node as unknown[]), what);
  });
}

function invalid(what: string, why: string): GruError {
  return new GruError('invalid_file', `${what}: ${why}`);
}

function readArgument(value: unknown, what: string, depth: number): KerasArgument {
  if (depth > MAX_DEPTH) throw invalid(what, 'arguments are nested too deeply');
  if (Array.isArray(value)) return (value as unknown[]).map((item) => readArgument(item, what, depth + 1));
  if (isRecord(value) && value['class_name'] === '__keras_tensor__') {
    const { config } = value;
    const tensor = isRecord(config) ? history(config['keras_history']) : undefined;
    if (!tensor) throw invalid(what, 'an argument has no keras_history');
    return { tensor };
  }
  return { constant: value };
}

function history(value: unknown): KerasTensor | undefined {
  if (!Array.isArray(value)) return undefined;
  const [layer, node, tensor] = value as unknown[];
  if (typeof layer !== 'string' || !Number.isInteger(node) || !Number.isInteger(tensor)) return undefined;
  return { layer, node: node as number, tensor: tensor as number };
}

/** Keras 2: stands for the layer where the first argument is a number, as in `1 - x`: `["_CONSTANT_VALUE", -1, 1, { y: x }]`. */
const CONSTANT = '_CONSTANT_VALUE';

/** Keras 2: tensors (or constants, or lists of such) of the first argument; the keyword arguments go with the first of them. */
function readOldNode(entries: unknown[], what: string, depth = 0): KerasCall {
  if (depth > MAX_DEPTH) throw invalid(what, 'arguments are nested too deeply');
  const inputs = entries.map((entry): { input: KerasArgument; kwargs: unknown } => {
    if (Array.isArray(entry) && Array.isArray(entry[0]))
      return { input: readOldNode(entry, what, depth + 1).args, kwargs: {} };
    const [layer, , value, kwargs = {}] = Array.isArray(entry) ? (entry as unknown[]) : [];
    if (layer === CONSTANT) return { input: { constant: value }, kwargs };
    const tensor = history(entry);
    if (!tensor) throw invalid(what, 'an inbound node is no [layer, node, tensor, arguments]');
    return { input: { tensor }, kwargs };
  });
  const kwargs: Record<string, KerasArgument> = {};
  for (const [i, entry] of inputs.entries()) {
    if (!isRecord(entry.kwargs)) throw invalid(what, 'the arguments of an inbound node are no object');
    for (const [key, value] of Object.entries(entry.kwargs)) {
      if (i > 0 && key in kwargs) continue;
      kwargs[key] = readOldArgument(value, what, 0);
    }
  }
  const first = inputs.map(({ input }) => input);
  return { args: [first.length === 1 ? first[0]! : first], kwargs };
}

/** Keras 2: a tensor as a keyword argument is [layer, node, tensor]. */
function readOldArgument(value: unknown, what: string, depth: number): KerasArgument {
  if (depth > MAX_DEPTH) throw invalid(what, 'arguments are nested too deeply');
  const tensor = history(value);
  if (tensor) return { tensor };
  if (Array.isArray(value)) return (value as unknown[]).map((item) => readOldArgument(item, what, depth + 1));
  return { constant: value };
}
