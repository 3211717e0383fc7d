import { GruError } from '../../base/errors.ts';
import type { SpecBuilder } from './builder.ts';
import type { KerasLayer, KerasModel } from './config.ts';
import { invalidConfig } from './config.ts';
import { Fields, mixedPolicy } from './fields.ts';
import type { Call, Resolved } from './layers/call.ts';
import { layerTitle, resolveArgument } from './layers/call.ts';
import { translatorOf } from './layers/index.ts';
import { nestedInputs } from './layers/nested.ts';
import type { KerasArgument, KerasTensor } from './nodes.ts';
import { Problems, Unmade } from './problems.ts';
import type { LayerCall } from './run-order.ts';
import { runOrder } from './run-order.ts';
import type { Value } from './values.ts';
import type { WeightSource } from './weights.ts';

/** Longest chain of layers that is followed. */
const MAX_CHAIN = 1000;

/** Most calls of layers of models inside the model, which may call each other twice, and so on. */
const MAX_INNER_CALLS = 10_000;

/** What all evaluations of a file share. */
export class Shared {
  readonly problems = new Problems();
  readonly builder: SpecBuilder;
  /** Calls that wait for another. */
  chain = 0;
  innerCalls = 0;

  constructor(builder: SpecBuilder) {
    this.builder = builder;
  }
}

/** The layers of a model, called on its inputs: those of the file's model, or of one that is a layer of another. */
export class Evaluation {
  readonly #shared: Shared;
  readonly #weights: WeightSource;
  /** `outer/` before the names of the layers of a model inside. */
  readonly #path: string;
  readonly #layers = new Map<string, KerasLayer>();
  /** Outputs by call; undefined: refused, or reads what was. */
  readonly #made = new Map<string, Value[] | undefined>();
  readonly #inProgress = new Set<string>();
  readonly #perStep: true | undefined;
  readonly #firstCalls: ReadonlyMap<string, number>;

  constructor(
    model: KerasModel,
    weights: WeightSource,
    shared: Shared,
    path: string,
    input: (layer: KerasLayer, i: number) => Value | undefined,
    perStep?: true,
  ) {
    this.#perStep = perStep;
    this.#shared = shared;
    this.#weights = weights;
    this.#path = path;
    for (const layer of model.layers) {
      if (this.#layers.has(layer.name)) throw invalidConfig(`two layers have the name '${path}${layer.name}'`);
      this.#layers.set(layer.name, layer);
    }
    model.inputs.forEach(({ layer: name }, i) => {
      const layer = this.#layers.get(name);
      if (layer?.className !== 'InputLayer') throw invalidConfig(`input '${path}${name}' is no InputLayer`);
      const value = input(layer, i);
      this.#made.set(callKey(name, 0), value && [value]);
    });
    this.#announceEmbeddings(model);
    this.#firstCalls = firstCalls(model, shared.builder.dialect.framework !== 'keras3');
    for (const { layer, index } of this.#order(model)) this.#call(layer.name, this.#firstCall(layer) + index);
  }

  /** Tells which layers make rows of the ids of the inputs: a mask of these may be asked for before. */
  #announceEmbeddings({ layers }: KerasModel): void {
    for (const { className, name, calls } of layers) {
      if (className !== 'Embedding') continue;
      calls.forEach(({ args: [argument] }, i) => {
        if (!argument || Array.isArray(argument) || !('tensor' in argument)) return;
        const [value] = this.#made.get(callKey(argument.tensor.layer, 0)) ?? [];
        if (value?.is === 'ids') this.#shared.builder.embedsBy(value.input, () => this.#call(name, i));
      });
    }
  }

  /** All calls, those of Keras 3 as it runs them: there the order decides who finds a mask that MultiHeadAttention takes away. */
  #order({ layers, outputs }: KerasModel): Iterable<LayerCall> {
    const calls = new Map(layers.map((layer) => [layer.name, layer.calls.map((_, index) => ({ layer, index }))]));
    const all = [...calls.values()].flat();
    if (this.#shared.builder.dialect.framework !== 'keras3') return all;
    const made = ({ layer: name, node }: KerasTensor) =>
      calls.get(name)?.[node - this.#firstCall(this.#layers.get(name)!)];
    const last = flattened(outputs).map(({ tensor }) => made(this.#shift(tensor)));
    const ordered = new Set(runOrder(last, made));
    // Keras writes no calls that no output needs.
    return [...all.filter((call) => !ordered.has(call)), ...ordered];
  }

  #firstCall({ name, inner }: KerasLayer): number {
    return inner ? (this.#firstCalls.get(name) ?? 0) : 0;
  }

  /** The value of an output of the model. @throws Unmade */
  output(tensor: KerasTensor): Value {
    return this.#value(this.#shift(tensor));
  }

  /** An output of the model as its layers would write it. */
  #shift({ layer: name, node, tensor }: KerasTensor): KerasTensor {
    const layer = this.#layers.get(name);
    // Keras 3 counts differently here: a functional model has a call of its own first, one that is Sequential has not.
    const isOld = this.#shared.builder.dialect.framework !== 'keras3';
    const shift = layer?.inner && !isOld ? this.#firstCall(layer) - Number(layer.className !== 'Sequential') : 0;
    return { layer: name, node: node + shift, tensor };
  }

  #value({ layer, node, tensor }: KerasTensor): Value {
    const values = this.#call(layer, node);
    if (!values) throw new Unmade();
    const value = values[tensor];
    if (!value) throw invalidConfig(`layer '${this.#path}${layer}' has no output ${tensor}`);
    if (value.is === 'refused') throw value.error;
    return value;
  }

  #call(name: string, node: number): Value[] | undefined {
    const key = callKey(name, node);
    if (this.#made.has(key)) return this.#made.get(key);
    const layer = this.#layers.get(name);
    const found = layer?.calls[node - this.#firstCall(layer)];
    const title = this.#path + name;
    if (!layer || !found) throw invalidConfig(`layer '${title}' has no call ${node}`);
    if (this.#inProgress.has(key)) throw invalidConfig(`layer '${title}' reads its own output`);
    const shared = this.#shared;
    if (shared.chain >= MAX_CHAIN) throw new GruError('unsupported', `more than ${MAX_CHAIN} layers in a chain`);
    if (this.#path !== '' && ++shared.innerCalls > MAX_INNER_CALLS)
      throw invalidConfig(`models inside the model call more than ${MAX_INNER_CALLS} layers`);
    this.#inProgress.add(key);
    shared.chain++;
    // first, so that a model of many layers that are not supported is told them all
    const translate = shared.problems.collect(() => (layer.inner ? undefined : translatorOf(layer, title)));
    const values = shared.problems.collect(() => {
      const look = (tensor: KerasTensor) => this.#value(tensor);
      const args = found.args.map((argument) => resolveArgument(argument, look));
      const kwargs = new Map(Object.entries(found.kwargs).map(([k, v]) => [k, resolveArgument(v, look)]));
      const call = this.#prepare(layer, title, args, kwargs);
      if (layer.inner) return call.evaluate(layer.inner, call.weights, nestedInputs(call, layer.inner));
      return translate?.({ ...call, name: shared.builder.name(title) });
    });
    shared.chain--;
    this.#inProgress.delete(key);
    this.#made.set(key, values);
    return values;
  }

  #prepare(layer: KerasLayer, title: string, args: Resolved[], kwargs: Map<string, Resolved>): Call {
    const { builder } = this.#shared;
    const policy = mixedPolicy(layer.config);
    if (policy) builder.note(`dtype policy ${policy}: computed in float32 here, as its weights are`);
    return {
      layer,
      name: title,
      args,
      kwargs,
      fields: new Fields(layerTitle({ ...layer, name: title }), layer.config),
      weights: this.#weights.layer(layer),
      builder,
      ...(this.#perStep ? { perStep: true } : {}),
      evaluate: (inner, weights, inputs, perStep) => {
        const source = weights.inner(inner.layers);
        const evaluation = new Evaluation(inner, source, this.#shared, `${title}/`, (_, i) => inputs[i], perStep);
        return inner.outputs.map(({ tensor }) => evaluation.output(tensor));
      },
    };
  }
}

/**
 * The number of the first call of each layer, as its readers count: a model that is a layer has a call 0 of its own in Keras 2,
 * which is not in the file.
 */
function firstCalls({ layers, outputs }: KerasModel, outputsCount: boolean): Map<string, number> {
  const first = new Map<string, number>();
  if (!layers.some(({ inner }) => inner)) return first;
  const visit = (argument: KerasArgument) => {
    if (Array.isArray(argument)) argument.forEach(visit);
    else if ('tensor' in argument) {
      const { layer, node } = argument.tensor;
      first.set(layer, Math.min(first.get(layer) ?? 1, node));
    }
  };
  for (const { calls } of layers)
    for (const { args, kwargs } of calls) [...args, ...Object.values(kwargs)].forEach(visit);
  if (outputsCount) outputs.forEach(visit);
  return first;
}

/** Outputs as Keras flattens them: those of a record by their names. */
function flattened(outputs: KerasModel['outputs']): KerasModel['outputs'] {
  return [...outputs].sort(({ name: x = '' }, { name: y = '' }) => (x < y ? -1 : Number(x > y)));
}

function callKey(name: string, node: number): string {
  return `${node} ${name}`;
}
