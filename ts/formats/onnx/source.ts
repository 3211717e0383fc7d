import { GruError } from '../../base/errors.ts';
import { checkFilled, lengthOf, readTensor } from '../../base/foreign.ts';
import { floatsOf } from '../../base/numbers.ts';
import { isArrayLike, type TensorLike } from '../../base/tensor.ts';
import { isListOf } from '../lists.ts';
import type { ImportedTensor } from '../report.ts';
import type { OnnxGraph, OnnxModel, OnnxTensor, OnnxValueInfo } from './messages.ts';
import { boundOf, Budget } from './limits.ts';
import type { OnnxOptions } from './options.ts';
import { shapedByNodes } from './recurrent-shapes.ts';
import { dtypeClass, dtypeName, readTensorData, type Sidecars } from './tensor.ts';
import type { Constant } from './value.ts';

const OPSETS = { first: 7, last: 26 };

/** How often what one reading may compute is computed at most: a graph that is refused is read in up to a dozen ways. */
const READINGS = 4;

/** The graph with these shapes of its inputs. */
function reshaped(graph: OnnxGraph, given: OnnxOptions['inputShapes'] = {}): OnnxGraph {
  const shapes = new Map(Object.entries(given));
  const inputs = graph.inputs.map((info) => {
    const what = `inputShapes['${info.name}']`;
    const wanted = shapes.get(info.name);
    if (!shapes.delete(info.name)) return info;
    if (!isListOf(wanted, isDimension))
      throw new GruError(
        'invalid_argument',
        `${what}: expected an array of whole numbers from 1, or names of free dimensions`,
      );
    const { shape = wanted } = info;
    if (shape.length !== wanted.length || shape.some((d, i) => typeof d === 'number' && d !== wanted[i]))
      throw new GruError(
        'invalid_argument',
        `${what} is [${wanted.join(', ')}], the file says [${shape.map((d) => d || '?').join(', ')}]`,
      );
    return { ...info, shape: wanted };
  });
  for (const name of shapes.keys())
    throw new GruError(
      'invalid_argument',
      `inputShapes['${name}']: the graph has no such input; it has ${namesOf(graph)}`,
    );
  return { ...graph, inputs };
}

function isDimension(size: unknown): size is number | string {
  return typeof size === 'string' || (Number.isSafeInteger(size) && (size as number) >= 1);
}

const namesOf = (graph: OnnxGraph) => graph.inputs.map(({ name }) => name).join(', ');

/** A parsed file and the user's options. */
export class Source {
  readonly graph: OnnxGraph;
  readonly opset: number;
  readonly producer: string;
  readonly options: OnnxOptions;
  readonly #sidecars: Sidecars;
  readonly #initializers: Map<string, OnnxTensor>;
  readonly #given = new Map<string, Constant>();
  readonly #read = new Map<OnnxTensor, Constant>();
  readonly #bound: number;
  readonly #budget: Budget;
  readonly #readings: Budget;

  /** @param size bytes of the file and what it refers to */
  constructor(model: OnnxModel, sidecars: Sidecars, options: OnnxOptions, size: number) {
    const { first, last } = OPSETS;
    if (!(model.opset >= first && model.opset <= last)) {
      throw new GruError('unsupported', `the ONNX file is of opset ${model.opset}; supported: ${first} to ${last}`);
    }
    this.opset = model.opset;
    this.producer = model.producer;
    this.options = options;
    this.#sidecars = sidecars;
    this.#bound = boundOf(size);
    this.#budget = new Budget(this.#bound);
    this.#readings = new Budget(READINGS * this.#bound);
    const { initializers } = model.graph;
    this.#initializers = new Map(initializers.map((tensor) => [tensor.name, tensor]));
    if (this.#initializers.size < initializers.length)
      throw new GruError('invalid_file', 'the ONNX file has two initializers of one name');
    const given = reshaped(model.graph, options.inputShapes);
    this.graph = shapedByNodes(given, (name) => this.#initializers.get(name)?.dims);
    const inputs = new Map(this.graph.inputs.map((input) => [input.name, input]));
    for (const [name, tensor] of Object.entries(options.initializers ?? {})) this.#give(name, tensor, inputs.get(name));
  }

  #give(name: string, tensor: TensorLike, info: OnnxValueInfo | undefined): void {
    if (!info)
      throw new GruError(
        'invalid_argument',
        `initializers['${name}']: the graph has no such input; it has ${namesOf(this.graph)}`,
      );
    const what = `initializers['${name}']`;
    const { data: given, shape } = readTensor(what, tensor);
    if (!shape || !isArrayLike(given)) throw new GruError('invalid_argument', `${what}: expected { data, shape }`);
    checkFilled(what, shape, lengthOf(given, what));
    const dtype = dtypeClass(info.dtype) ?? 'float';
    const data = dtype === 'float' ? floatsOf(what, given) : Float64Array.from(given, Number);
    this.#given.set(name, { type: 'constant', dtype, shape, base: shape, data, source: name });
  }

  hasInitializer(name: string): boolean {
    return this.#given.has(name) || this.#initializers.has(name);
  }

  initializer(name: string): Constant | undefined {
    const tensor = this.#initializers.get(name);
    return this.#given.get(name) ?? (tensor && this.data(tensor));
  }

  data(tensor: OnnxTensor): Constant {
    let constant = this.#read.get(tensor);
    if (!constant) {
      const count = tensor.dims.reduce((n, d) => n * d, 1);
      constant = readTensorData(tensor, this.#sidecars);
      this.#budget.spend((dtypeClass(tensor.dtype) === 'float' ? 4 : 8) * count);
      this.#read.set(tensor, constant);
    }
    return constant;
  }

  /** What one reading of the graph may compute. */
  budget(): Budget {
    return new Budget(this.#bound, this.#readings);
  }

  /** The graph's inputs that are given at each run. */
  freeInputs(): OnnxValueInfo[] {
    return this.graph.inputs.filter(({ name }) => !this.hasInitializer(name));
  }

  outputNames(): string[] {
    const all = this.graph.outputs.map(({ name }) => name);
    const wanted = this.options.outputs ?? all;
    const known = new Set(all);
    const stray = wanted.find((name) => !known.has(name));
    if (stray !== undefined)
      throw new GruError('invalid_argument', `the graph has no output '${stray}'; it has ${all.join(', ')}`);
    if (wanted.length === 0 || new Set(wanted).size < wanted.length)
      throw wanted === all
        ? new GruError('invalid_file', 'the ONNX graph has no outputs, or one twice')
        : new GruError('invalid_argument', `onnx.outputs names none, or one twice; the graph has ${all.join(', ')}`);
    return wanted;
  }

  /** Entries of the report for a constant that went somewhere. */
  placed({ source, base }: Constant, target: string): ImportedTensor[] {
    if (source === '') return [];
    const tensor = this.#initializers.get(source);
    return [{ source, shape: tensor?.dims ?? base, dtype: tensor ? dtypeName(tensor.dtype) : 'float32', target }];
  }
}
