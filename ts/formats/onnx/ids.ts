import { isStandard, type OnnxGraph, type OnnxNode } from './messages.ts';
import { makersOf, withReplaced } from './nodes.ts';
import { attribute, numberReader } from './reroll/steps.ts';

/** Types that whole numbers stay what they are in, or keep their sign: float, int32, int64, double. */
const SIGNED = [1, 6, 7, 11];

/** More are no way to write it. */
const MOST_NODES = 100;

/**
 * Embeddings of which the graph itself counts ids below 0 from the end of the table (id < 0 ? id + rows : id, chosen by Where or by
 * factors of 0 and 1) take the ids as they are: that is what Gather does with them. The same nodes where there is no such thing.
 */
export function unwrapIds(graph: OnnxGraph): OnnxNode[] {
  const ids = new WrappedIds(graph);
  const tables = new Map(graph.initializers.map(({ name, dims }) => [name, dims[0]]));
  return withReplaced(graph.nodes, (node) => {
    const [table = '', indices = ''] = node.inputs;
    const rows = tables.get(table);
    if (node.op !== 'Gather' || rows === undefined || (attribute(node, 'axis')?.i ?? 0) !== 0) return undefined;
    const given = ids.of(indices, rows);
    return given === undefined ? undefined : [{ ...node, inputs: [table, given] }];
  });
}

class WrappedIds {
  readonly #makers: Map<string, OnnxNode>;
  readonly #number: (name: string | undefined) => number | undefined;
  /** Nodes that may still be looked at: names may go round in a circle. */
  #left = 0;

  constructor(graph: OnnxGraph) {
    this.#number = numberReader(graph);
    this.#makers = makersOf(graph.nodes.filter(({ domain }) => isStandard(domain)));
  }

  /** The ids, where this is id < 0 ? id + rows : id. */
  of(name: string, rows: number): string | undefined {
    this.#left = MOST_NODES;
    return this.#unwrapped(name, rows);
  }

  #unwrapped(name: string, rows: number): string | undefined {
    const node = this.#made(name, 'Where', 'Add', 'Cast', 'Identity');
    if (!node) return undefined;
    if (node.op === 'Cast' || node.op === 'Identity')
      return this.#isCast(node) ? this.#unwrapped(node.inputs[0]!, rows) : undefined;
    if (node.op === 'Where') {
      const [condition = '', x = '', y = ''] = node.inputs;
      if (this.#isBelow(condition, y) === true) return this.#isShifted(x, y, rows) ? y : undefined;
      return this.#isBelow(condition, x) === false && this.#isShifted(y, x, rows) ? x : undefined;
    }
    // (id < 0) (id + rows) + (id >= 0) id
    const products = node.inputs.map((input) => this.#made(input, 'Mul')?.inputs ?? []);
    for (const [p, q] of [products, [...products].reverse()] as [string[], string[]][]) {
      for (const [factor = '', other = ''] of [q, [...q].reverse()]) {
        if (this.#isBelow(factor, other) !== false) continue;
        for (const [first = '', shifted = ''] of [p, [...p].reverse()])
          if (this.#isBelow(first, other) === true && this.#isShifted(shifted, other, rows)) return other;
      }
    }
    return undefined;
  }

  #made(name: string, ...ops: string[]): OnnxNode | undefined {
    const node = --this.#left < 0 ? undefined : this.#makers.get(name);
    return node && (ops.length === 0 || ops.includes(node.op)) ? node : undefined;
  }

  #isCast(node: OnnxNode): boolean {
    return node.op === 'Identity' || SIGNED.includes(attribute(node, 'to')?.i ?? 0);
  }

  /** Whether a value is the ids, as another type perhaps. */
  #isSame(name: string, ids: string): boolean {
    for (let at = name, node; ; at = node.inputs[0]!) {
      if (at === ids) return true;
      node = this.#made(at, 'Cast', 'Identity');
      if (!node || !this.#isCast(node)) return false;
    }
  }

  /** Whether a value says which ids are below 0 (true), or which are not (false); undefined: neither. */
  #isBelow(name: string, ids: string): boolean | undefined {
    const node = this.#made(name);
    const [x = '', y = ''] = node?.inputs ?? [];
    const isOf = (value: string, zero: string) => this.#isSame(value, ids) && this.#number(zero) === 0;
    switch (node?.op) {
      case 'Cast':
      case 'Identity':
        return this.#isBelow(x, ids);
      case 'Not': {
        const before = this.#isBelow(x, ids);
        return before === undefined ? undefined : !before;
      }
      case 'Less':
        return isOf(x, y) ? true : undefined;
      case 'Greater':
        return isOf(y, x) ? true : undefined;
      case 'GreaterOrEqual':
        return isOf(x, y) ? false : undefined;
      case 'LessOrEqual':
        return isOf(y, x) ? false : undefined;
      default:
        return undefined;
    }
  }

  #isShifted(name: string, ids: string, rows: number): boolean {
    const [x = '', y = ''] = this.#made(name, 'Add')?.inputs ?? [];
    const is = (value: string, number: string) => this.#isSame(value, ids) && this.#number(number) === rows;
    return is(x, y) || is(y, x);
  }
}
