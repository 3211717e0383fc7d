import { GruError } from '../../base/errors.ts';
import { checkKnown, describe, isRecord } from '../../base/tensor.ts';
import type { InputSpec, ValueRef } from '../../spec/spec.ts';
import { isList, isListOf, isStrings } from '../lists.ts';
import { MODULE } from './forms/checks.ts';
import { insteadOf } from './forms/instead.ts';
import { formOf, KINDS, kindOf, type PytorchLayer } from './forms/index.ts';

/** An input of the model, of `float32` where it does not say another `dtype`. */
export type PytorchInput = Omit<InputSpec, 'dtype'> & Partial<Pick<InputSpec, 'dtype'>>;

/**
 * What a state dict does not say.
 *
 * @example
 * const pytorch = { layers: [{ embedding: 'embedding' }, { gru: 'gru' }, { linear: 'fc' }] };
 * const tagger = await loadModel('tagger.pt', { pytorch });
 */
export interface PytorchOptions {
  /** The model's `forward`, line by line, in order. May be left out for a file with a single recurrent module. */
  layers?: PytorchLayer[] | undefined;
  /** What the model takes. Default: one input, `input`, as the first layer needs it. */
  inputs?: PytorchInput[] | undefined;
  /** What it returns: layers or ports by name. Default: the last layer. */
  outputs?: ValueRef[] | undefined;
  /**
   * Tensors that the model does not need: names of tensors or of modules (all in them), `*` for any characters. All others
   * must be used.
   */
  ignore?: string[] | undefined;
  /** Where in a checkpoint the state dict is: keys joined by dots. Needed when there are several. */
  stateDict?: string | undefined;
}

function invalid(message: string): GruError {
  return new GruError('invalid_argument', message);
}

/** Checks what a TypeScript compiler would. @throws GruError `invalid_argument` naming the option. */
export function checkPytorchOptions(options: unknown): asserts options is PytorchOptions {
  checkKnown('pytorch', options as PytorchOptions, ['layers', 'inputs', 'outputs', 'ignore', 'stateDict']);
  const { layers, inputs, outputs, ignore, stateDict } = options as Record<keyof PytorchOptions, unknown>;
  if (layers !== undefined) {
    if (!isList(layers) || layers.length === 0) {
      throw invalid(`pytorch.layers must be an array of layers, got ${describe(layers)}`);
    }
    layers.forEach((layer, i) => {
      checkLayer(layer, `pytorch.layers[${i}]`);
    });
  }
  if (inputs !== undefined && !isListOf(inputs, isRecord)) {
    throw invalid(`pytorch.inputs must be an array of { name, dtype, size }, got ${describe(inputs)}`);
  }
  if (outputs !== undefined && !isStrings(outputs)) throw invalid('pytorch.outputs must be an array of names');
  if (ignore !== undefined && !isStrings(ignore)) throw invalid('pytorch.ignore must be an array of names');
  if (stateDict !== undefined && typeof stateDict !== 'string') {
    throw invalid(`pytorch.stateDict must be a string, got ${describe(stateDict)}`);
  }
}

function checkLayer(layer: unknown, where: string): void {
  if (!isRecord(layer)) throw invalid(`${where} must be an object like { gru: 'gru' }, got ${describe(layer)}`);
  const kind = kindOf(layer);
  if (!kind) {
    const [first = ''] = Object.keys(layer);
    const instead = insteadOf(first, KINDS);
    if (instead !== undefined) throw invalid(`${where}: '${first}' is no kind of line: ${instead}`);
    throw invalid(`${where}: no layer that is supported (${KINDS.join(', ')}): ${describe(layer)}`);
  }
  const { value, fields } = formOf(kind);
  const stray = Object.keys(layer).find((field) => field !== kind && !Object.hasOwn(fields, field));
  if (stray !== undefined) {
    const sizes = value === MODULE ? '; what its tensors say, such as sizes, layers, directions, is left out' : '';
    throw invalid(
      `${where}: a layer '${kind}' has no field '${stray}'; it has ${Object.keys(fields).join(', ')}${sizes}`,
    );
  }
  for (const [field, { is, text }] of [...Object.entries(fields), [kind, value] as const]) {
    const given = layer[field];
    if ((given !== undefined || field === kind) && !is(given)) {
      throw invalid(`${where}.${field} must be ${text}, got ${describe(given)}`);
    }
  }
}
