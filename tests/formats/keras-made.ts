import { readModelConfig } from '../../ts/formats/keras/config.ts';
import { kerasDialect, tfjsDialect, type Dialect } from '../../ts/formats/keras/dialect.ts';
import { translateKeras } from '../../ts/formats/keras/translate.ts';
import type { WeightGroup, WeightSource, WeightTensor } from '../../ts/formats/keras/weights.ts';
import type { ImportedModel } from '../../ts/formats/report.ts';
import { useAllKinds } from '../../ts/layers/full.ts';
import { refusal as refusalIn } from './refusal.ts';

// As ts/formats/format.ts does, above what is tested here.
useAllKinds();

/** Configs of Keras for tests, and what becomes of them, in words. */

export const KERAS3 = kerasDialect('3.15.1', true);
export const KERAS2 = kerasDialect('2.15.0', false);
export const KERAS22 = kerasDialect('2.2.4', false);
export const TFJS = tfjsDialect('4.22.0');

export type Config = Record<string, unknown>;
export const layer = (className: string, name: string, config: Config = {}, ...inputs: unknown[]) => ({
  class_name: className,
  config: { name, ...config },
  inbound_nodes: inputs.length === 0 ? [] : [inputs],
});
export const from = (name: string, kwargs: object = {}, tensor = 0) => [name, 0, tensor, kwargs];
const input = (name: string, ...shape: (number | null)[]) =>
  layer('InputLayer', name, { batch_input_shape: [null, ...shape] });
/** Of Keras 3: a layer's output as an argument of another, and an input. */
export const tensor3 = (name: string) => ({ class_name: '__keras_tensor__', config: { keras_history: [name, 0, 0] } });
export const input3 = (name: string, ...shape: (number | null)[]) => ({
  class_name: 'InputLayer',
  name,
  config: { name, batch_shape: [null, ...shape] },
  inbound_nodes: [],
});
/** Steps of 2 features, two vectors of 2, and the steps with those of zeros masked. */
export const X = input('x', null, 2);
export const H = input('h', 2);
export const K = input('k', 2);
export const MASKING = layer('Masking', 'm', { mask_value: 0 }, from('x'));

export interface Setting {
  dialect?: Dialect | undefined;
  outputs?: unknown[];
  /** Shapes of weights by their roles: any layer has them. */
  shapes?: Record<string, number[]>;
  /** Takes the parts of layers whose weights are asked for. */
  parts?: string[];
}

/** Numbers above 0, as variances are. */
const fill = (length: number) => Float32Array.from({ length }, (_, i) => ((i % 7) + 1) / 8);

function weightsOf({ shapes = {}, parts = [] }: Setting): WeightSource {
  const tensor = (role: string): WeightTensor | undefined => {
    const shape = shapes[role];
    return shape && { name: role, shape, dtype: 'float32', floats: () => fill(shape.reduce((n, d) => n * d, 1)) };
  };
  const group = (path: string): WeightGroup => ({
    part: (attribute, name) => {
      parts.push(`${path}${attribute}=${name}`);
      return group(`${path}${attribute}=${name}/`);
    },
    take: (_, role) => tensor(role),
    peek: (_, role) => tensor(role),
    has: () => false,
    inner: () => weightsOf({ shapes, parts }),
  });
  return { layer: () => group(''), unused: () => [] };
}

/** Reads a functional model of these layers, whose output is `g`. */
export function read(layers: object[], setting: Setting = {}): ImportedModel {
  const { dialect = KERAS3, outputs = [['g', 0, 0]] } = setting;
  const inputs = layers.filter((one) => (one as typeof X).class_name === 'InputLayer');
  const root = {
    class_name: 'Functional',
    config: {
      layers,
      input_layers: inputs.map((one) => [(one as typeof X).config.name, 0, 0]),
      output_layers: outputs,
    },
  };
  return translateKeras(readModelConfig(root), weightsOf(setting), dialect, 'test');
}

const SIZES = ['weights', 'inputSize', 'hiddenSize', 'resetAfter', 'outputSize', 'vocabularySize'];
const FUNCTIONS = { activation: 'tanh', recurrentActivation: 'sigmoid' };

/** The layers of a spec: kind, name and inputs, and fields but for sizes and a GRU's usual functions. */
export function words(made: ImportedModel): string[] {
  return made.spec.layers.map(({ name, type, inputs = [], ...rest }) => {
    const fields = Object.entries(rest).filter(
      ([key, value]) => !SIZES.includes(key) && FUNCTIONS[key as 'activation'] !== value,
    );
    const text = (value: unknown) =>
      typeof value === 'string' ? value : Array.isArray(value) ? value.join() : JSON.stringify(value);
    return [`${type} ${name} of ${inputs.join()}`, ...fields.map(([key, value]) => `${key} ${text(value)}`)].join(', ');
  });
}

/** What the outputs are. */
export const ends = ({ spec }: ImportedModel) =>
  (spec.outputs ?? []).map((output) => (typeof output === 'string' ? output : output.from));

/** Why a model is refused. */
export function refusal(layers: object[], setting?: Setting): string {
  return refusalIn(() => read(layers, setting));
}
