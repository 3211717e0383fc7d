import { GruError } from '../../base/errors.ts';
import { nodeName } from './attributes.ts';
import { operatorName, type OnnxNode } from './messages.ts';
import { neededNodes, subgraphs } from './nodes.ts';
import { OPERATORS } from './ops/index.ts';
import { originOf } from './origin.ts';

/** Operators, nodes of each, and outputs that a message names. */
const MOST = 20;

/** A node, and the one in whose body it is. */
interface Place {
  node: OnnxNode;
  around: OnnxNode | undefined;
}

/**
 * An error that names the nodes of operators that are not read, and says what can be done; undefined where all are.
 *
 * @param all the nodes of the graph
 * @param needed those that the outputs need
 */
export function unknownOperators(
  all: readonly OnnxNode[],
  needed: readonly OnnxNode[],
  outputs: readonly string[],
): GruError | undefined {
  const unknown = unknownIn(needed);
  if (unknown.size === 0) return undefined;
  const nodes = [...unknown.values()].reduce((n, places) => n + places.length, 0);
  const free = outputs
    .slice(0, MOST)
    .filter((output) => unknownIn(neededNodes(all, [output])).size === 0)
    .map((output) => `'${output}'`);
  const instead = [
    ...(free.length > 0 ? [`These outputs do not need them: { onnx: { outputs: [${free.join(', ')}] } }`] : []),
    ...UNROLLED.filter(({ operators }) => operators.some((name) => unknown.has(name))).map(({ hint }) => hint),
  ];
  return new GruError(
    'unsupported',
    [
      `replace ${nodes === 1 ? 'a node' : `${nodes} nodes`} of operators that are not supported, or take them out of the model: ${describe(unknown)}`,
      ...instead,
      'docs/what-runs.md lists the operators that are supported',
    ].join('. '),
  );
}

function unknownIn(nodes: readonly OnnxNode[]): Map<string, Place[]> {
  const unknown = new Map<string, Place[]>();
  const add = (node: OnnxNode, around?: OnnxNode) => {
    const name = operatorName(node);
    if (!Object.hasOwn(OPERATORS, name)) {
      const places = unknown.get(name) ?? [];
      places.push({ node, around });
      unknown.set(name, places);
    }
    for (const graph of subgraphs(node)) for (const inner of graph.nodes) add(inner, node);
  };
  for (const node of nodes) add(node);
  return unknown;
}

/** `Trilu (node 'a'), NonZero (nodes 'b' (model.py:3, in forward), 'c' in Loop 'd')` */
function describe(unknown: ReadonlyMap<string, Place[]>): string {
  return listed([...unknown], ([name, places]) => {
    const nodes = listed(places, ({ node, around }) => {
      const within = around ? ` in ${around.op} '${nodeName(around)}'` : '';
      return `'${nodeName(node)}'${originOf(node)}${within}`;
    });
    return `${name} (${places.length === 1 ? 'node' : 'nodes'} ${nodes})`;
  });
}

function listed<T>(all: readonly T[], text: (one: T) => string): string {
  const rest = all.length - MOST;
  return all.slice(0, MOST).map(text).join(', ') + (rest > 0 ? ` and ${rest} more` : '');
}

/** What exporters write instead of a recurrent node, and what can be done. */
const UNROLLED = [
  {
    // torch's dynamo exporter on nn.RNN
    operators: ['SplitToSequence', 'SequenceAt'],
    hint:
      'A recurrent layer that its exporter unrolled holds for one number of steps only: ' +
      'export with dynamo: False, or load the model in its own format',
  },
];
