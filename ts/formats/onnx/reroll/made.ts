import { nodeName } from '../attributes.ts';
import type { OnnxAttribute, OnnxNode } from '../messages.ts';

/** Attributes and constants of nodes that are made in the place of others. */

export const int = (name: string, i: number): OnnxAttribute => ({ name, type: 2, i });
export const ints = (name: string, list: number[]): OnnxAttribute => ({ name, type: 7, ints: list });

/** The value of a Constant of whole numbers. */
export function whole(values: readonly number[]): OnnxAttribute {
  const raw = new Uint8Array(BigInt64Array.from(values, BigInt).buffer);
  return { name: 'value', type: 4, t: { name: '', dims: [values.length], dtype: 7, raw, packed: {} } };
}

/** The value of a Constant of one whole number. */
export function scalar(value: number): OnnxAttribute {
  const { name, type, t } = whole([value]);
  return { name, type, t: { ...t!, dims: [] } };
}

/** A node that another one is read as. */
export function readAs(node: OnnxNode, op: string, inputs: string[], attributes: OnnxAttribute[]): OnnxNode {
  const { insteadOf = node } = node;
  return { op, name: nodeName(node), domain: '', inputs, outputs: node.outputs, attributes, insteadOf };
}

/** Makes nodes of one output in the place of another node: errors name that one. */
export class NodeMaker {
  readonly nodes: OnnxNode[] = [];
  readonly #replaced: OnnxNode;

  constructor(replaced: OnnxNode) {
    this.#replaced = replaced;
  }

  /** A name that an output of the next node may have. */
  get name(): string {
    return `${this.#replaced.outputs[0] ?? ''}/${this.nodes.length}`;
  }

  /** The name of the node's output. */
  add(op: string, inputs: string[], attributes: OnnxAttribute[] = []): string {
    const { name } = this;
    this.nodes.push({ ...readAs(this.#replaced, op, inputs, attributes), outputs: [name] });
    return name;
  }

  constant(values: readonly number[]): string {
    return this.add('Constant', [], [whole(values)]);
  }
}
