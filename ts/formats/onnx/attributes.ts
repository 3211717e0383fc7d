import { GruError, type GruErrorCode } from '../../base/errors.ts';
import type { OnnxAttribute, OnnxGraph, OnnxNode, OnnxTensor } from './messages.ts';
import { originOf } from './origin.ts';

/** The attributes of a node. Each one has to be asked for: {@link finish} refuses those that were not. */
export class Attributes {
  readonly #node: OnnxNode;
  readonly #left = new Map<string, OnnxAttribute>();

  constructor(node: OnnxNode) {
    this.#node = node;
    for (const attribute of node.attributes) {
      if (this.#left.has(attribute.name))
        throw nodeError(node, `attribute '${attribute.name}' is given twice`, 'invalid_file');
      this.#left.set(attribute.name, attribute);
    }
  }

  #take(name: string): OnnxAttribute | undefined {
    const attribute = this.#left.get(name);
    this.#left.delete(name);
    if (attribute?.other !== undefined) throw nodeError(this.#node, `attribute '${name}' is ${attribute.other}`);
    return attribute;
  }

  #value<T>(
    name: string,
    type: number,
    what: string,
    read: (attribute: OnnxAttribute) => T | undefined,
  ): T | undefined {
    const attribute = this.#take(name);
    if (!attribute) return undefined;
    const value = read(attribute);
    if (value === undefined || (attribute.type !== 0 && attribute.type !== type)) {
      throw nodeError(this.#node, `attribute '${name}' is no ${what}`, 'invalid_file');
    }
    return value;
  }

  has(name: string): boolean {
    return this.#left.has(name);
  }

  /** @param anySize Values that a double may have rounded are taken. */
  int(name: string, anySize = false): number | undefined {
    const value = this.#value(name, 2, 'whole number', ({ i, type }) => i ?? (type === 2 ? 0 : undefined));
    if (value !== undefined && !anySize && !Number.isSafeInteger(value))
      throw nodeError(this.#node, `attribute '${name}' is ${value}, beyond 2^53`);
    return value;
  }

  float(name: string): number | undefined {
    return this.#value(name, 1, 'number', ({ f, type }) => f ?? (type === 1 ? 0 : undefined));
  }

  text(name: string): string | undefined {
    return this.#value(name, 3, 'string', ({ s, type }) => s ?? (type === 3 ? '' : undefined));
  }

  ints(name: string): number[] | undefined {
    return this.#value(name, 7, 'list of whole numbers', ({ ints }) => ints);
  }

  floats(name: string): number[] | undefined {
    return this.#value(name, 6, 'list of numbers', ({ floats }) => floats);
  }

  texts(name: string): string[] | undefined {
    return this.#value(name, 8, 'list of strings', ({ strings }) => strings);
  }

  tensor(name: string): OnnxTensor | undefined {
    return this.#value(name, 4, 'tensor', ({ t }) => t);
  }

  graph(name: string): OnnxGraph | undefined {
    return this.#value(name, 5, 'graph', ({ g }) => g);
  }

  /** @throws GruError `unsupported` naming an attribute that nobody asked for. */
  finish(): void {
    const [left] = this.#left.keys();
    if (left !== undefined) throw nodeError(this.#node, `attribute '${left}' is not supported`);
  }
}

/** What a node is called in messages. */
export function nodeName(node: OnnxNode): string {
  return [node.name, ...node.outputs].find((name) => name !== '') ?? '';
}

/** A node of the file in words, for messages: what it is, and what it is read as where that is something else. */
export function nodeText(node: OnnxNode): string {
  const { insteadOf: own = node } = node;
  return `${own.op} node '${nodeName(own)}'${originOf(own)}${own === node ? '' : `, read as ${node.op}`}`;
}

/** An error that names a node. */
export class NodeError extends GruError {}

export function nodeError(node: OnnxNode, message: string, code: GruErrorCode = 'unsupported'): NodeError {
  return new NodeError(code, `${nodeText(node)}: ${message}`);
}
