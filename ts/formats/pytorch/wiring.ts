import { GruError } from '../../errors.ts';
import type { Activation, GruSpec, InputSpec, LayerSpec, ModelSpec, ValueRef } from '../../spec.ts';
import { gruTensorNames, type PendingGru, readGru } from './gru.ts';
import { describeModules, moduleKind, suggestLayers } from './modules.ts';
import type {
  PytorchEmbedding,
  PytorchGru,
  PytorchLayer,
  PytorchLinear,
  PytorchModule,
  PytorchOptions,
} from './options.ts';
import { layerKindOf } from './options.ts';
import type { Tensors } from './tensors.ts';

/** A layer of the spec whose weights are still in the file. */
interface Pending {
  name: string;
  inputs?: ValueRef[];
  load: () => Promise<LayerSpec>;
}

/** Makes a spec of the modules of a state dict, wired as `layers` says. */
export async function wire(tensors: Tensors, options: PytorchOptions, conventions: string[]): Promise<ModelSpec> {
  const layers = options.layers ?? loneGru(tensors);
  const wiring = new Wiring(tensors, conventions);
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

/** The only module, if that is a GRU. @throws GruError `unsupported` saying how to wire the modules. */
function loneGru(tensors: Tensors): PytorchLayer[] {
  const { modules } = tensors;
  const [first] = modules.values();
  if (first && modules.size === 1 && ['GRU', 'GRUCell'].includes(moduleKind(first))) return [{ gru: first.name }];
  throw new GruError(
    'unsupported',
    `a state dict does not say how its modules are connected: ${describeModules(modules)}; say it as the module's forward ` +
      `does, like ${suggestLayers(modules)}`,
  );
}

class Wiring {
  /** The model's input, as the first layer needs it. */
  input: InputSpec = { name: 'input', dtype: 'float32', size: 1 };
  lastName = '';
  private readonly pending: Pending[] = [];
  private readonly names = new Set<string>();
  private readonly numbers = new Map<string, number>();
  private readonly stacks = new Map<string, PendingGru[]>();
  private readonly tensors: Tensors;
  private readonly conventions: string[];

  constructor(tensors: Tensors, conventions: string[]) {
    this.tensors = tensors;
    this.conventions = conventions;
  }

  get isEmpty(): boolean {
    return this.pending.length === 0;
  }

  /** A reference as the user writes it: the name of a GRU stands for its last layer. */
  resolve(ref: ValueRef): ValueRef {
    const [name, port] = splitRef(ref);
    const last = this.stacks.get(name)?.at(-1)?.spec.name ?? name;
    return port === undefined ? last : `${last}:${port}`;
  }

  async load(): Promise<LayerSpec[]> {
    const specs: LayerSpec[] = [];
    for (const { inputs, load } of this.pending) specs.push({ ...(await load()), ...(inputs ? { inputs } : {}) });
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
    if ('gru' in layer) this.addGru(layer, name, inputs, first);
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

  private defaultName(kind: string, layer: PytorchLayer): string {
    const module: unknown = (layer as unknown as Record<string, unknown>)[kind];
    const isModule = ['gru', 'embedding', 'linear'].includes(kind);
    const name = isModule && typeof module === 'string' && module !== '' ? this.tensors.local(module) : kind;
    const taken = (n: string) => this.names.has(n) || this.stacks.has(n);
    if (isModule || !taken(name)) return name;
    // From where the search for this kind ended last.
    let i = this.numbers.get(name) ?? 1;
    while (taken(`${name}_${i}`)) i++;
    this.numbers.set(name, i + 1);
    return `${name}_${i}`;
  }

  private addGru(layer: PytorchGru, name: string, inputs: ValueRef[] | undefined, first: boolean): void {
    const stack = readGru(name, gruTensorNames(layer.gru, this.tensors), this.tensors);
    const initial = this.initialStates(name, layer.initialState, stack);
    if (first) this.input.size = stack[0]!.spec.inputSize;
    stack.forEach(({ spec, load }, k) => {
      const isLast = k === stack.length - 1;
      const extra: Partial<GruSpec> = {
        ...(isLast && layer.returns ? { returns: layer.returns } : {}),
        ...(initial ? { initialState: initial[k]! } : {}),
      };
      const reads = k === 0 ? inputs : [stack[k - 1]!.spec.name];
      this.push({
        name: spec.name,
        ...(reads ? { inputs: reads } : {}),
        load: async () => ({ ...(await load()), ...extra }),
      });
    });
    this.stacks.set(name, stack);
    const { hiddenSize, direction = 'forward' } = stack[0]!.spec;
    this.conventions.push(
      `gru '${name}': reset gate after the recurrent product, ${stack.length} layer(s), ${direction}, hidden size ${hiddenSize}`,
    );
  }

  /** References to the initial states of each layer, one a direction. */
  private initialStates(
    name: string,
    given: PytorchGru['initialState'],
    stack: PendingGru[],
  ): ValueRef[][] | undefined {
    if (given === undefined) return undefined;
    const ports = (spec: PendingGru['spec']) =>
      spec.direction === 'bidirectional' ? ['forwardState', 'reverseState'] : ['forwardState'];
    const each = ports(stack[0]!.spec).length;
    const source = typeof given === 'string' ? this.stacks.get(given) : undefined;
    const refs = source
      ? source.flatMap(({ spec }) => ports(spec).map((port) => `${spec.name}:${port}`))
      : [given].flat().map((ref) => this.resolve(ref));
    if (refs.length !== each * stack.length) {
      throw new GruError(
        'invalid_argument',
        `gru '${name}': initialState gives ${refs.length} states, it has ${stack.length} layer(s) of ${each} direction(s)`,
      );
    }
    return stack.map((_, k) => refs.slice(k * each, (k + 1) * each));
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
