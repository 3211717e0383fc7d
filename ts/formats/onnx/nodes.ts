import type { OnnxGraph, OnnxNode } from './messages.ts';

/** The graphs that a node has: bodies and branches. */
export function subgraphs(node: OnnxNode): OnnxGraph[] {
  return node.attributes.flatMap(({ g }) => (g ? [g] : []));
}

/** Nodes, and those of the graphs inside of them. */
export function allNodes(nodes: readonly OnnxNode[]): OnnxNode[] {
  return nodes.flatMap((node) => [node, ...subgraphs(node).flatMap((graph) => allNodes(graph.nodes))]);
}

/** Names that a node reads: its inputs, and what the graphs inside of it take from around them. */
export function namesRead(node: OnnxNode): string[] {
  const inner = subgraphs(node).flatMap(({ nodes, outputs }) => [
    ...nodes.flatMap(namesRead),
    ...outputs.map(({ name }) => name),
  ]);
  return [...node.inputs, ...inner];
}

/** The nodes that these names need, in the file's order. */
export function neededNodes(nodes: readonly OnnxNode[], names: Iterable<string>): OnnxNode[] {
  const wanted = new Set(names);
  const needed: OnnxNode[] = [];
  for (const node of [...nodes].reverse()) {
    if (!node.outputs.some((name) => name !== '' && wanted.has(name))) continue;
    needed.push(node);
    for (const name of namesRead(node)) wanted.add(name);
  }
  return needed.reverse();
}

/** The node that gives each name. */
export function makersOf(nodes: readonly OnnxNode[]): Map<string, OnnxNode> {
  const makers = new Map<string, OnnxNode>();
  for (const node of nodes) for (const name of node.outputs) makers.set(name, node);
  return makers;
}

/** The nodes with others in the place of some: the same array where `by` gives none, so that nobody reads it again. */
export function withReplaced(nodes: OnnxNode[], by: (node: OnnxNode) => OnnxNode[] | undefined): OnnxNode[] {
  const others = nodes.map(by);
  if (others.every((list) => list === undefined)) return nodes;
  return nodes.flatMap((node, i) => others[i] ?? [node]);
}

/** How often each name is read. */
export function countReaders(nodes: readonly OnnxNode[], outputs: readonly string[]): Map<string, number> {
  const readers = new Map<string, number>();
  for (const name of [...nodes.flatMap(namesRead), ...outputs]) readers.set(name, (readers.get(name) ?? 0) + 1);
  return readers;
}
