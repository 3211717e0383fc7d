import { GruError } from '../../base/errors.ts';
import { nodeError } from './attributes.ts';
import { isStandard, type OnnxAttribute, type OnnxGraph, type OnnxNode } from './messages.ts';

/** A function of the model's own: nodes that stand for each node that calls it. */
export interface OnnxFunction {
  name: string;
  domain: string;
  overload: string;
  inputs: string[];
  outputs: string[];
  /** Attributes that a call has to give. */
  attributes: string[];
  /** Those that it may give. */
  defaults: OnnxAttribute[];
  nodes: OnnxNode[];
  /** Version of the standard operators in it, where it says one. */
  opset: number | undefined;
}

/** Functions that call each other. */
const MAX_DEPTH = 16;

const keyOf = (domain: string, name: string, overload: string) =>
  JSON.stringify([isStandard(domain) ? '' : domain, name, overload]);

/**
 * The graph with the nodes of functions in the place of those that call them.
 *
 * @param opset version of the standard operators in the graph
 * @param spend bounds what is made: called with a number of objects
 * @throws GruError `unsupported` for functions that call themselves or are of another opset, `invalid_file` for calls that do not
 *   fit, what `spend` throws
 */
export function inlineFunctions(
  graph: OnnxGraph,
  functions: readonly OnnxFunction[],
  opset: number,
  spend: (objects: number) => void,
): OnnxGraph {
  if (functions.length === 0) return graph;
  return new Inliner(functions, opset, spend).graph(graph, []);
}

/** What names and attributes in the body of a function are at a call. */
interface Call {
  node: OnnxNode;
  called: OnnxFunction;
  prefix: string;
  names: ReadonlyMap<string, string>;
}

class Inliner {
  readonly #functions = new Map<string, OnnxFunction>();
  readonly #opset: number;
  readonly #spend: (objects: number) => void;
  #calls = 0;

  constructor(functions: readonly OnnxFunction[], opset: number, spend: (objects: number) => void) {
    this.#opset = opset;
    this.#spend = spend;
    for (const called of functions) {
      const key = keyOf(called.domain, called.name, called.overload);
      if (this.#functions.has(key))
        throw new GruError('invalid_file', `the ONNX file has two functions '${called.name}'`);
      this.#functions.set(key, called);
    }
  }

  graph(graph: OnnxGraph, within: readonly OnnxFunction[]): OnnxGraph {
    return { ...graph, nodes: graph.nodes.flatMap((node) => this.#node(node, within)) };
  }

  #node(node: OnnxNode, within: readonly OnnxFunction[]): OnnxNode[] {
    const called = this.#functions.get(keyOf(node.domain, node.op, node.overload ?? ''));
    if (!called) {
      const inner = (attribute: OnnxAttribute) =>
        attribute.g ? { ...attribute, g: this.graph(attribute.g, within) } : attribute;
      return [node.attributes.some(({ g }) => g) ? { ...node, attributes: node.attributes.map(inner) } : node];
    }
    if (within.includes(called)) throw nodeError(node, 'is a function that calls itself');
    if (within.length >= MAX_DEPTH) throw nodeError(node, `is a function within ${MAX_DEPTH} others`);
    return this.#body(node, called).flatMap((inner) => this.#node(inner, [...within, called]));
  }

  /** The nodes of a function as this call has them. */
  #body(node: OnnxNode, called: OnnxFunction): OnnxNode[] {
    const { inputs, outputs, opset } = called;
    if (opset !== undefined && opset !== this.#opset)
      throw nodeError(node, `is a function of opset ${opset} in a graph of opset ${this.#opset}`);
    if (node.inputs.length > inputs.length || node.outputs.length > outputs.length)
      throw nodeError(node, 'has more inputs or outputs than its function', 'invalid_file');
    const known = new Set([...called.attributes, ...called.defaults.map(({ name }) => name)]);
    const stray = node.attributes.find(({ name }) => !known.has(name));
    if (stray) throw nodeError(node, `attribute '${stray.name}' is none of its function's`, 'invalid_file');
    const prefix = `${called.name.slice(0, 64)}_${this.#calls++}/`;
    const names = new Map<string, string>();
    outputs.forEach((name, i) => {
      if (node.outputs[i]) names.set(name, node.outputs[i]);
    });
    const through: OnnxNode[] = [];
    inputs.forEach((name, i) => {
      const given = node.inputs[i] ?? '';
      const output = names.get(name);
      // an output that is an input
      if (output !== undefined)
        through.push({ inputs: [given], outputs: [output], name: prefix, op: 'Identity', domain: '', attributes: [] });
      names.set(name, given);
    });
    const call: Call = { node, called, prefix, names };
    return [...called.nodes.map((inner) => this.#inner(inner, call)), ...through];
  }

  #inner(inner: OnnxNode, call: Call): OnnxNode {
    const rename = (name: string) => (name === '' ? '' : this.#renamed(name, call));
    this.#spend(1 + inner.attributes.length + inner.name.length / 64);
    return {
      ...inner,
      inputs: inner.inputs.map(rename),
      outputs: inner.outputs.map(rename),
      name: inner.name === '' ? '' : call.prefix + inner.name,
      attributes: inner.attributes.flatMap((attribute) => this.#attribute(attribute, call)),
    };
  }

  #renamed(name: string, { names, prefix }: Call): string {
    this.#spend(2 + name.length / 64);
    return names.get(name) ?? prefix + name;
  }

  #attribute(attribute: OnnxAttribute, call: Call): OnnxAttribute[] {
    const { node, called } = call;
    if (attribute.ref !== undefined) {
      const all = [...node.attributes, ...called.defaults];
      const given = all.find(({ name }) => name === attribute.ref);
      return given ? [{ ...given, name: attribute.name }] : [];
    }
    return [attribute.g ? { ...attribute, g: this.#graph(attribute.g, call) } : attribute];
  }

  #graph(graph: OnnxGraph, call: Call): OnnxGraph {
    const rename = <T extends { name: string }>(list: readonly T[]): T[] =>
      list.map((one) => ({ ...one, name: this.#renamed(one.name, call) }));
    return {
      nodes: graph.nodes.map((inner) => this.#inner(inner, call)),
      initializers: rename(graph.initializers),
      inputs: rename(graph.inputs),
      outputs: rename(graph.outputs),
    };
  }
}
