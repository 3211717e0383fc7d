import { GruError } from '../../base/errors.ts';
import { shapeText } from '../../base/tensor.ts';
import type { Activation, InputSpec, LayerSpec, ModelSpec, ValueRef } from '../../spec/spec.ts';
import { MODULES, PROJECTION, projectionError, RECURRENT_TENSOR, type RecurrentType } from '../layouts/pytorch.ts';
import { InitialStates } from './initial.ts';
import { type Pending, type PendingRecurrent, readRecurrent, recurrentTensorNames } from './recurrent.ts';
import {
  describeModules,
  looksRecurrent,
  moduleKind,
  type ModuleTensors,
  recurrentType,
  suggestLayers,
} from './modules.ts';
import type {
  PytorchEmbedding,
  PytorchKind,
  PytorchGru,
  PytorchLayer,
  PytorchLinear,
  PytorchLstm,
  PytorchModule,
  PytorchOptions,
  PytorchRnn,
} from './options.ts';
import { isModule, layerKindOf } from './options.ts';
import type { Tensors } from './tensors.ts';

/** Makes a spec of the modules of a state dict, wired as `layers` says. */
export async function wire(tensors: Tensors, options: PytorchOptions, conventions: string[]): Promise<ModelSpec> {
  const layers = options.layers ?? loneModule(tensors);
  const wiring = new Wiring(tensors, conventions, options.inputs?.[0]?.name);
  const input = options.inputs === undefined ? undefined : [...options.inputs];
  for (const layer of layers) wiring.add(layer, input === undefined && wiring.isEmpty);
  tensors.checkAllUsed();
  const outputs = options.outputs ?? [wiring.lastName];
  return {
    inputs: input ?? [wiring.input],
    layers: await wiring.load(),
    outputs: outputs.map((ref) => ({ name: ref, from: wiring.resolve(ref) })),
  };
}

/** The only module, if that is a recurrent one. @throws GruError `unsupported` saying how to wire the modules. */
function loneModule(tensors: Tensors): PytorchLayer[] {
  const { modules } = tensors;
  const [first] = modules.values();
  if (first && modules.size === 1 && looksRecurrent(first)) {
    const kind = moduleKind(first);
    const type = recurrentType(kind);
    if (type) return [{ [type]: first.name } as unknown as PytorchLayer];
    throw notRecurrent(first);
  }
  throw new GruError(
    'unsupported',
    `a state dict does not say how its modules are connected: ${describeModules(modules)}; say it as the module's forward ` +
      `does, like ${suggestLayers(modules)}`,
  );
}

/** What keeps a module that looks like a recurrent one from being read. */
function notRecurrent({ tensors }: ModuleTensors): GruError {
  const names = [...tensors.keys()];
  const projection = names.find((name) => PROJECTION.test(name));
  if (projection !== undefined) return projectionError(projection);
  const stray = names.find((name) => !RECURRENT_TENSOR.test(name));
  if (stray !== undefined) {
    return new GruError(
      'unsupported',
      `'${stray}' is no tensor of nn.RNN, nn.GRU or nn.LSTM, whose other tensors are there`,
    );
  }
  const name = tensors.has('weight_hh') ? 'weight_hh' : 'weight_hh_l0';
  const known = Object.values(MODULES).map(
    ({ module, gates }) => `[${gates === 1 ? '' : `${gates} * `}n, n] of ${module}`,
  );
  return new GruError(
    'unsupported',
    `'${name}' has shape ${shapeText(tensors.get(name) as number[])}; it is ${known.join(', ')}`,
  );
}

class Wiring {
  /** The model's input, as the first layer needs it. */
  input: InputSpec = { name: 'input', dtype: 'float32', size: 1 };
  lastName = '';
  private readonly pending: Pending[] = [];
  private readonly names = new Set<string>();
  private readonly numbers = new Map<string, number>();
  private readonly stacks = new Map<string, PendingRecurrent[]>();
  private readonly tensors: Tensors;
  private readonly conventions: string[];
  private readonly firstInput: string | undefined;
  private readonly initial: InitialStates;

  constructor(tensors: Tensors, conventions: string[], firstInput: string | undefined) {
    this.tensors = tensors;
    this.conventions = conventions;
    this.firstInput = firstInput;
    this.initial = new InitialStates(tensors, {
      stack: (name) => this.stacks.get(name),
      isValue: (name) => this.names.has(name) || this.stacks.has(name),
      resolve: (ref) => this.resolve(ref),
      add: (layer) => {
        const name = this.unique(layer.name);
        this.push({ ...layer, name });
        return name;
      },
    });
  }

  get isEmpty(): boolean {
    return this.pending.length === 0;
  }

  /** A reference as the user writes it: the name of a recurrent module stands for its last layer. */
  resolve(ref: ValueRef): ValueRef {
    const [name, port] = splitRef(ref);
    const last = this.stacks.get(name)?.at(-1)?.spec.name ?? name;
    return port === undefined ? last : `${last}:${port}`;
  }

  async load(): Promise<LayerSpec[]> {
    const specs: LayerSpec[] = [];
    for (const { name, inputs, load } of this.pending) {
      specs.push({ ...(await load()), name, ...(inputs ? { inputs } : {}) });
    }
    return specs;
  }

  /** @param first The layer decides over the model's input. */
  add(layer: PytorchLayer, first: boolean): void {
    const kind = layerKindOf(layer)!;
    const name = layer.name ?? this.defaultName(kind, layer);
    const from = 'from' in layer ? layer.from : undefined;
    const inputs =
      from === undefined ? (this.isEmpty ? undefined : [this.resolve(this.lastName)]) : [this.resolve(from)];
    const base: Omit<Pending, 'load'> = { name, ...(inputs ? { inputs } : {}) };
    if (first) this.input = { name: from ?? 'input', dtype: 'float32', size: 1 };
    const simple = (spec: LayerSpec) => {
      if (first) {
        throw new GruError('invalid_argument', `pytorch.layers begin with '${kind}': give { pytorch: { inputs } } too`);
      }
      this.push({ ...base, load: () => Promise.resolve(spec) });
    };
    if ('gru' in layer) this.addRecurrent('gru', layer, layer.gru, name, inputs, first);
    else if ('lstm' in layer) this.addRecurrent('lstm', layer, layer.lstm, name, inputs, first);
    else if ('rnn' in layer) this.addRecurrent('rnn', layer, layer.rnn, name, inputs, first);
    else if ('embedding' in layer) this.push({ ...base, load: this.embedding(layer, name, first) });
    else if ('linear' in layer) this.push({ ...base, load: this.linear(layer, name, first) });
    else if ('activation' in layer) simple({ name, type: 'activation', activation: torchActivation(layer.activation) });
    else if ('step' in layer) simple({ name, type: 'step', index: layer.step });
    else {
      const merge = kind as 'concat' | 'sum' | 'mul';
      base.inputs = (layer as Record<typeof merge, ValueRef[]>)[merge].map((ref) => this.resolve(ref));
      simple({ name, type: 'merge', merge, inputs: base.inputs });
    }
    this.lastName = name;
  }

  private push(layer: Pending): void {
    this.pending.push(layer);
    this.names.add(layer.name);
  }

  private defaultName(kind: PytorchKind, layer: PytorchLayer): string {
    const module: unknown = (layer as unknown as Record<string, unknown>)[kind];
    const ofModule = isModule(kind);
    const name = ofModule && typeof module === 'string' && module !== '' ? this.tensors.local(module) : kind;
    return ofModule ? name : this.unique(name);
  }

  private unique(name: string): string {
    const taken = (n: string) => this.names.has(n) || this.stacks.has(n);
    if (!taken(name)) return name;
    // From where the search for this kind ended last.
    let i = this.numbers.get(name) ?? 1;
    while (taken(`${name}_${i}`)) i++;
    this.numbers.set(name, i + 1);
    return `${name}_${i}`;
  }

  private addRecurrent(
    type: RecurrentType,
    layer: PytorchGru | PytorchLstm | PytorchRnn,
    module: PytorchModule,
    name: string,
    inputs: ValueRef[] | undefined,
    first: boolean,
  ): void {
    const nonlinearity = 'nonlinearity' in layer ? layer.nonlinearity : undefined;
    const names = recurrentTensorNames(type, module, this.tensors);
    const stack = readRecurrent(type, name, names, this.tensors, nonlinearity);
    const { inputSize, hiddenSize, direction = 'forward' } = stack[0]!.spec;
    if (first) this.input.size = inputSize;
    const source = inputs?.[0] ?? this.firstInput ?? this.input.name;
    const initial = this.initial.read(layer, name, stack, source);
    stack.forEach(({ spec, load }, k) => {
      const isLast = k === stack.length - 1;
      const extra = {
        ...(isLast && layer.returns ? { returns: layer.returns } : {}),
        ...(initial ? { initialState: initial[k]! } : {}),
      };
      const reads = k > 0 ? [stack[k - 1]!.spec.name] : initial ? [source] : inputs;
      this.push({
        name: spec.name,
        ...(reads ? { inputs: reads } : {}),
        load: async () => ({ ...(await load()), ...extra }),
      });
    });
    this.stacks.set(name, stack);
    const form = {
      gru: 'reset gate after the recurrent product',
      lstm: 'gates i, f, g, o',
      rnn: `nonlinearity ${nonlinearity ?? 'tanh (the state dict does not say)'}`,
    }[type];
    this.conventions.push(
      `${type} '${name}': ${form}, ${stack.length} layer(s), ${direction}, hidden size ${hiddenSize}`,
    );
  }

  private embedding({ embedding }: PytorchEmbedding, name: string, first: boolean): () => Promise<LayerSpec> {
    const [weight] = this.moduleTensors(embedding, ['weight'], 'embedding');
    const taken = this.tensors.take(weight!, `${name}/embeddings`, [-1, -1]);
    const [vocabularySize, outputSize] = taken.shape as [number, number];
    if (first) this.input.dtype = 'int32';
    return async () => {
      const embeddings = (await taken.floats()).slice();
      return { name, type: 'embedding', vocabularySize, outputSize, weights: { embeddings } };
    };
  }

  private linear({ linear, activation }: PytorchLinear, name: string, first: boolean): () => Promise<LayerSpec> {
    const [weight, bias] = this.moduleTensors(linear, ['weight', 'bias'], 'linear');
    const kernel = this.tensors.take(weight!, `${name}/kernel`, [-1, -1]);
    const [outputSize, inputSize] = kernel.shape as [number, number];
    const hasBias = typeof linear === 'string' ? this.tensors.has(bias!) : bias !== undefined;
    const added = hasBias ? this.tensors.take(bias!, `${name}/bias`, [outputSize]) : undefined;
    if (first) this.input.size = inputSize;
    return async () => ({
      name,
      type: 'dense',
      inputSize,
      outputSize,
      ...(activation === undefined ? {} : { activation: torchActivation(activation) }),
      weights: {
        kernel: (await kernel.floats()).slice(),
        ...(added ? { bias: (await added.floats()).slice() } : {}),
      },
    });
  }

  /** The names in the file of a module's tensors. */
  private moduleTensors(module: PytorchModule, keys: string[], kind: string): (string | undefined)[] {
    if (typeof module === 'string') {
      const name = this.tensors.local(module);
      return keys.map((key) => (name === '' ? key : `${name}.${key}`));
    }
    const stray = Object.keys(module).find((key) => !keys.includes(key));
    if (stray !== undefined || !module['weight']) {
      throw new GruError(
        'invalid_argument',
        `${kind}: give the names of its tensors ${keys.join(', ')}, not '${stray ?? 'nothing'}'`,
      );
    }
    return keys.map((key) => (module[key] === undefined ? undefined : this.tensors.local(module[key])));
  }
}

function splitRef(ref: ValueRef): [name: string, port: string | undefined] {
  const colon = ref.lastIndexOf(':');
  return colon < 0 ? [ref, undefined] : [ref.slice(0, colon), ref.slice(colon + 1)];
}

/** PyTorch's parameters where they differ from the spec's: nn.Hardsigmoid is clip(x / 6 + 0.5). */
function torchActivation(activation: Activation | 'softmax'): Activation | 'softmax' {
  const { name, alpha, beta } =
    typeof activation === 'object' ? activation : { name: activation, alpha: undefined, beta: undefined };
  if (name !== 'hard_sigmoid') return activation;
  return { name, alpha: alpha ?? 1 / 6, beta: beta ?? 0.5 };
}
