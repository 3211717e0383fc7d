import { nodeError } from './attributes.ts';
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
function namesRead(node: OnnxNode): string[] {
  return [...node.inputs, ...subgraphs(node).flatMap(namesTaken)];
}

/** Names that a graph inside of a node takes from around it. */
function namesTaken({ nodes, inputs, initializers, outputs }: OnnxGraph): string[] {
  const own = new Set([
    ...nodes.flatMap((node) => node.outputs),
    ...[...inputs, ...initializers].map(({ name }) => name),
  ]);
  return [...nodes.flatMap(namesRead), ...outputs.map(({ name }) => name)].filter((name) => !own.has(name));
}

/**
 * A graph whose nodes follow those that they read, as the specification asks for and some tools do not write; nodes that do stay in
 * their order. So are the graphs inside of nodes.
 *
 * @throws GruError `invalid_file` for nodes that read each other
 */
export function inOrder(graph: OnnxGraph): OnnxGraph {
  const nodes = graph.nodes.map((node) =>
    subgraphs(node).length === 0
      ? node
      : { ...node, attributes: node.attributes.map((a) => (a.g ? { ...a, g: inOrder(a.g) } : a)) },
  );
  const makers = makersOf([...nodes].reverse());
  makers.delete('');
  const ordered: OnnxNode[] = [];
  const states = new Map<OnnxNode, 'open' | 'done'>();
  for (const first of nodes) {
    const path = [first];
    for (let node = path.at(-1); node; node = path.at(-1)) {
      if (!states.has(node)) {
        states.set(node, 'open');
        for (const name of namesRead(node)) {
          const maker = makers.get(name);
          if (maker && states.get(maker) === 'open')
            throw nodeError(node, `reads '${name}', which is computed of what it gives`, 'invalid_file');
          if (maker && !states.has(maker)) path.push(maker);
        }
        continue;
      }
      path.pop();
      if (states.get(node) === 'open') ordered.push(node);
      states.set(node, 'done');
    }
  }
  return { ...graph, nodes: ordered };
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
