import { GruError } from '../../base/errors.ts';
import { shapeText } from '../../base/tensor.ts';
import type { InputSpec, LayerSpec, ModelSpec, ValueRef } from '../../spec/spec.ts';
import { MODULES, PROJECTION, projectionError, RECURRENT_TENSOR } from '../layouts/pytorch.ts';
import { MODULE } from './forms/checks.ts';
import type { Pending, Place } from './forms/form.ts';
import { formOf, kindOf, type PytorchKind, type PytorchLayer } from './forms/index.ts';
import { describeModules, formsOfModule, looksRecurrent } from './modules.ts';
import type { ModuleTensors } from './names.ts';
import { inferAxes } from '../../spec/infer-axes.ts';
import type { PytorchOptions } from './options.ts';
import { portsOf } from './initial.ts';
import type { StackLayer } from './recurrent.ts';
import { suggestLayers } from './suggest.ts';
import type { Tensors } from './tensors.ts';

/** Names that a message shows. */
const MAX_NAMED = 20;

/** Makes a spec of the modules of a state dict, wired as `layers` says. */
export async function wire(tensors: Tensors, options: PytorchOptions, conventions: string[]): Promise<ModelSpec> {
  const layers = options.layers ?? loneModule(tensors);
  const wiring = new Wiring(tensors, conventions, options.inputs);
  for (const layer of layers) wiring.add(layer);
  tensors.checkAllUsed();
  const outputs = options.outputs ?? [wiring.lastName];
  const spec: ModelSpec = {
    inputs: wiring.inputs,
    layers: await wiring.load(),
    outputs: outputs.map((ref) => ({ name: ref, from: wiring.resolve(ref) })),
  };
  return spec.inputs.some(({ axis }) => axis !== undefined) ? spec : inferAxes(spec);
}

/** Whether a state dict is more than a recurrent module, so that `layers` have to say how its modules are connected. */
export function needsLayers({ modules }: Tensors): boolean {
  const [first] = modules.values();
  return !(first && modules.size === 1 && looksRecurrent(first));
}

/** The only module, if that is a recurrent one. @throws GruError `unsupported` saying how to wire the modules. */
function loneModule(tensors: Tensors): PytorchLayer[] {
  const { modules } = tensors;
  const [first] = modules.values();
  if (first && !needsLayers(tensors)) {
    const [form] = formsOfModule(first);
    if (form && !hasProjection(first)) return [{ [form[0]]: first.name } as unknown as PytorchLayer];
    throw notRecurrent(first);
  }
  throw new GruError(
    'unsupported',
    `a state dict does not say how its modules are connected: ${describeModules(modules)}; say it as the module's forward ` +
      `does, like ${suggestLayers(modules)}`,
  );
}

function hasProjection({ tensors }: ModuleTensors): boolean {
  return [...tensors.keys()].some((name) => PROJECTION.test(name));
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

/** A layer of the spec, named. */
type Named = Pending & { name: string };

class Wiring {
  /** The model's inputs: as they are given, or the one that the first line needs. */
  inputs: InputSpec[];
  lastName = '';
  /** Whether the first line says what the input is. */
  private readonly inputIsOpen: boolean;
  private readonly pending: Named[] = [];
  private readonly names = new Set<string>();
  private readonly numbers = new Map<string, number>();
  /** Lines of several layers, and those of recurrent modules. */
  private readonly lines = new Map<string, Named[]>();
  private readonly tensors: Tensors;
  private readonly conventions: string[];

  constructor(tensors: Tensors, conventions: string[], inputs: PytorchOptions['inputs']) {
    this.tensors = tensors;
    this.conventions = conventions;
    this.inputs = (inputs ?? []).map((input) => ({ ...input, dtype: input.dtype ?? 'float32' }));
    this.inputIsOpen = !inputs;
  }

  /** A reference as the user writes it: the name of a line stands for its last layer. */
  resolve(ref: ValueRef): ValueRef {
    const [name, port] = splitRef(ref);
    this.check(name, port);
    const last = this.lines.get(name)?.at(-1)?.name ?? name;
    return port === undefined ? last : `${last}:${port}`;
  }

  /** @throws GruError `invalid_argument` for what nothing before gives. */
  private check(name: string, port: string | undefined): void {
    // The input of a first line is not known yet.
    if (this.pending.length === 0 && this.inputIsOpen) return;
    if (!this.isValue(name)) {
      const there = [...this.inputs.map((input) => input.name), ...this.names].slice(-MAX_NAMED);
      throw new GruError(
        'invalid_argument',
        `pytorch: '${name}' is no input, and no layer that comes before; there are ${there.join(', ')}`,
      );
    }
    if (port === undefined) return;
    const stack = (this.lines.get(name)?.at(-1) ?? this.pending.find((layer) => layer.name === name))?.stack;
    if (!stack || portsOf(stack).includes(port)) return;
    throw new GruError('invalid_argument', `pytorch: '${name}' has no '${port}'; it has ${portsOf(stack).join(', ')}`);
  }

  /** Whether an input or a line before has this name. */
  private isValue(name: string): boolean {
    return this.names.has(name) || this.lines.has(name) || this.inputs.some((input) => input.name === name);
  }

  async load(): Promise<LayerSpec[]> {
    const specs: LayerSpec[] = [];
    for (const { name, inputs, load } of this.pending) {
      specs.push({ ...(await load()), name, ...(inputs ? { inputs } : {}) });
    }
    return specs;
  }

  add(layer: PytorchLayer): void {
    const kind = kindOf(layer)!;
    const name = layer.name ?? this.defaultName(kind, layer);
    if (this.isValue(name)) {
      throw new GruError(
        'invalid_argument',
        `pytorch.layers: '${name}' is there already: give this line another name, like { ${kind}: ..., name: '${this.unique(name)}' }`,
      );
    }
    const from = 'from' in layer ? layer.from : undefined;
    const first = this.pending.length === 0;
    const inputs = from !== undefined ? [this.resolve(from)] : first ? undefined : [this.resolve(this.lastName)];
    const input: InputSpec | undefined =
      first && this.inputIsOpen ? { name: from ?? 'input', dtype: 'float32', size: -1 } : undefined;
    if (input) this.inputs = [input];
    const read = formOf(kind).read(layer, this.place(name, inputs?.[0] ?? this.inputs[0]?.name ?? 'input', input));
    if (input?.size === -1) {
      throw new GruError('invalid_argument', `pytorch.layers begin with '${kind}': give { pytorch: { inputs } } too`);
    }
    const layers = [read].flat().map((part, k): Named => ({ name, ...(k === 0 && inputs ? { inputs } : {}), ...part }));
    for (const part of layers) this.push(part);
    if (layers.length > 1 || layers[0]?.stack) this.lines.set(name, layers);
    this.lastName = name;
  }

  private place(name: string, source: ValueRef, input: InputSpec | undefined): Place {
    return {
      name,
      source,
      tensors: this.tensors,
      takes: (size, dtype = 'float32') => {
        if (input) Object.assign(input, { size, dtype });
      },
      resolve: (ref) => this.resolve(ref),
      add: (layer) => {
        const unique = this.unique(layer.name);
        this.push({ ...layer, name: unique });
        return unique;
      },
      stack: (of) => {
        const layers = this.lines.get(of)?.map(({ stack }) => stack);
        return layers?.every((stack): stack is StackLayer => stack !== undefined) ? layers : undefined;
      },
      isValue: (of) => this.isValue(of),
      note: (text) => this.conventions.push(text),
    };
  }

  private push(layer: Named): void {
    this.pending.push(layer);
    this.names.add(layer.name);
  }

  private defaultName(kind: PytorchKind, layer: PytorchLayer): string {
    if (formOf(kind).value !== MODULE) return this.unique(kind);
    const module: unknown = (layer as unknown as Record<string, unknown>)[kind];
    return typeof module === 'string' && module !== '' ? this.tensors.short(module) : kind;
  }

  private unique(name: string): string {
    if (!this.isValue(name)) return name;
    // From where the search for this kind ended last.
    let i = this.numbers.get(name) ?? 1;
    while (this.isValue(`${name}_${i}`)) i++;
    this.numbers.set(name, i + 1);
    return `${name}_${i}`;
  }
}

function splitRef(ref: ValueRef): [name: string, port: string | undefined] {
  const colon = ref.lastIndexOf(':');
  return colon < 0 ? [ref, undefined] : [ref.slice(0, colon), ref.slice(colon + 1)];
}
