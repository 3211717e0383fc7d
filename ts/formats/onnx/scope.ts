import { GruError } from '../../base/errors.ts';
import { Attributes, NodeError, nodeError } from './attributes.ts';
import type { GraphContext, NodeContext } from './context.ts';
import { operatorName, type OnnxNode, type OnnxTensor } from './messages.ts';
import { OPERATORS, maxInputs } from './ops/index.ts';
import { readCausal } from './ops/causal.ts';
import { readOrder, sortedBy } from './ops/order.ts';
import type { Source } from './source.ts';
import type { Value } from './value.ts';

/** Reads the nodes that an operator alone knows how to read: those that touch the index of a loop. */
export type Reading = (context: NodeContext) => (Value | undefined)[] | undefined;

/** What the values of a scope are read with. */
interface ScopeOptions {
  source: Source;
  graph: GraphContext;
  /** How often each name is read. */
  readers: ReadonlyMap<string, number>;
}

/** The values of a graph by name, as its nodes are read one after the other. */
export class Scope {
  readonly source: Source;
  readonly graph: GraphContext;
  readonly #readers: ReadonlyMap<string, number>;
  readonly #values = new Map<string, Value>();

  constructor({ source, graph, readers }: ScopeOptions) {
    this.source = source;
    this.graph = graph;
    this.#readers = readers;
  }

  set(name: string, value: Value): void {
    this.#values.set(name, value);
  }

  /** The value of a name, if anything gives it. */
  find(name: string): Value | undefined {
    return this.#values.get(name) ?? this.source.initializer(name);
  }

  value(name: string, reader?: OnnxNode): Value {
    const value = this.find(name);
    if (value) return value;
    const message = `reads '${name}', which no earlier node gives`;
    throw reader
      ? nodeError(reader, message, 'invalid_file')
      : new GruError('invalid_file', `output '${name}' of the graph is given by no node`);
  }

  /** The scope of a graph inside of a node; names of this one are seen as `seen` makes them. */
  inner(options: Omit<ScopeOptions, 'source'> & InnerOptions): Scope {
    return new InnerScope(this, options);
  }

  /** @throws GruError that names the node */
  read(node: OnnxNode): void {
    try {
      this.#read(node);
    } catch (cause) {
      if (!(cause instanceof GruError) || cause instanceof NodeError) throw cause;
      throw nodeError(node, cause.message, cause.code);
    }
  }

  #read(node: OnnxNode): void {
    const { source, graph } = this;
    const most = maxInputs(operatorName(node), source.opset);
    if (node.inputs.length > most) {
      throw nodeError(
        node,
        `has ${node.inputs.length} inputs; opset ${source.opset} has at most ${most}`,
        'invalid_file',
      );
    }
    const inputs = node.inputs.map((name) => (name === '' ? undefined : this.value(name, node)));
    const attributes = new Attributes(node);
    graph.budget.spend(200 + 8 * inputs.length);
    const results = this.#results({ node, opset: source.opset, attributes, inputs, graph, scope: this });
    attributes.finish();
    for (const [i, name] of node.outputs.entries()) {
      if (name === '') continue;
      if (this.#values.has(name) || source.hasInitializer(name))
        throw nodeError(node, `gives '${name}', which is given already`, 'invalid_file');
      const result = results[i];
      if (!result) {
        if (this.#readers.has(name)) throw nodeError(node, `its output ${i} ('${name}') is not supported`);
        continue;
      }
      const isShared = (this.#readers.get(name) ?? 0) > 1;
      this.#values.set(name, result.type === 'rows' && isShared ? { ...result, exclusive: false } : result);
    }
  }

  /** All that a node makes of sorted sequences is sorted, but what puts them back. */
  #results(context: NodeContext): (Value | undefined)[] {
    const known = readOrder(context) ?? readCausal(context);
    if (known) return known;
    const by = sortedBy(context);
    const results = this.operate(context);
    return by === undefined
      ? results
      : results.map((value) => (value?.type === 'rows' ? { ...value, sortedBy: by } : value));
  }

  protected operate(context: NodeContext): (Value | undefined)[] {
    const { node } = context;
    const name = operatorName(node);
    const operator = Object.hasOwn(OPERATORS, name) ? OPERATORS[name] : undefined;
    if (!operator) throw nodeError(node, 'is not supported');
    return operator(context);
  }
}

interface InnerOptions {
  initializers: readonly OnnxTensor[];
  /** What a value of the surrounding graph is inside. */
  seen: (value: Value) => Value;
  /** Comes before the operators. */
  reading: Reading;
}

class InnerScope extends Scope {
  readonly #outer: Scope;
  readonly #initializers: Map<string, OnnxTensor>;
  readonly #seen: (value: Value) => Value;
  readonly #reading: Reading;

  constructor(
    outer: Scope,
    { graph, readers, initializers, seen, reading }: Omit<ScopeOptions, 'source'> & InnerOptions,
  ) {
    super({ source: outer.source, graph, readers });
    this.#outer = outer;
    this.#initializers = new Map(initializers.map((tensor) => [tensor.name, tensor]));
    this.#seen = seen;
    this.#reading = reading;
  }

  override find(name: string): Value | undefined {
    const own = super.find(name);
    if (own) return own;
    const tensor = this.#initializers.get(name);
    if (tensor) return this.source.data(tensor);
    const value = this.#outer.find(name);
    return value && this.#seen(value);
  }

  protected override operate(context: NodeContext): (Value | undefined)[] {
    return this.#reading(context) ?? super.operate(context);
  }
}
