import { GruError } from '../../base/errors.ts';
import type { ImportedModel } from '../report.ts';
import { Attempt } from './attempt.ts';
import { nodeName } from './attributes.ts';
import { unwrapIds } from './ids.ts';
import { extractNode, recurrentNodes } from './extract.ts';
import { keepStates, suggestStates } from './kept-states.ts';
import { operatorName, type OnnxNode } from './messages.ts';
import { countReaders, neededNodes, subgraphs } from './nodes.ts';
import { OPERATORS } from './ops/index.ts';
import { reroll, together } from './reroll/index.ts';
import { InputRoles, type Assumed } from './roles.ts';
import type { Source } from './source.ts';
import { RolesChanged } from './value.ts';

/** Reads a graph into a spec. The file's bytes bound what may be computed. */
export function interpret(source: Source): ImportedModel {
  const imported = interpretNodes(source);
  const { states } = source.options;
  return states === undefined ? suggestStates(imported) : keepStates(imported, states);
}

function interpretNodes(source: Source): ImportedModel {
  try {
    const { node } = source.options;
    return node === undefined ? readRolled(source) : extractNode(source, node);
  } catch (cause) {
    if (!(cause instanceof GruError) || cause.code !== 'unsupported') throw cause;
    const names = recurrentNodes(source).map((node) => `'${nodeName(node)}'`);
    if (names.length === 0 || source.graph.nodes.length < 2 || source.options.node !== undefined) throw cause;
    const list = names.slice(0, 20).join(', ') + (names.length > 20 ? ', ...' : '');
    throw new GruError(
      'unsupported',
      `${cause.message}. A recurrent node of this graph can be loaded by itself: { onnx: { node: name } } with one of ${list}`,
      { cause },
    );
  }
}

/**
 * Reads the graph; where that fails, with what is written out in many nodes as what it says; then with steps taken by their numbers; then with
 * steps that the file fixes as features, where these are wanted; at last with all that it fixes as features.
 */
function readRolled(source: Source): ImportedModel {
  const unwrapped = unwrapIds(source.graph);
  try {
    return readWhole(source, unwrapped, ['feature', 'any']);
  } catch (cause) {
    if (!(cause instanceof GruError) || cause.code !== 'unsupported') throw cause;
    const graph = { ...source.graph, nodes: together({ ...source.graph, nodes: unwrapped }) };
    const rolled = reroll(graph, (tensor) => source.data(tensor));
    // layers on the states of each step are written out as the cells are
    const nodes = rolled === graph ? graph.nodes : together(rolled);
    const isOther = nodes !== source.graph.nodes;
    let refusal: unknown = cause;
    for (const ways of [['feature', 'any'], ['numbered'], ['steps'], ['fixed']] as const) {
      try {
        if (isOther || ways[0] !== 'feature') return readWhole(source, nodes, ways);
      } catch (next) {
        // whatever nodes in the place of the file's are not, the file is
        if (!(next instanceof GruError) || next.code === 'unsupported') refusal = next;
      }
    }
    throw refusal;
  }
}

/**
 * Reads the graph with the usual assumption about axes, [time, batch, features]; where that fails before any operator has
 * said otherwise, with the batch first, also of ids; then as if parts were taken of steps as well as of features. What stopped the reading that
 * got furthest is what is refused.
 */
function readWhole(source: Source, all: readonly OnnxNode[], ways: readonly Assumed['parts'][]): ImportedModel {
  const outputs = source.outputNames();
  const nodes = neededNodes(all, outputs);
  checkOperators(nodes);
  const readers = countReaders(nodes, outputs);
  const inputs = source.freeInputs().filter(({ name }) => readers.has(name));
  let refusal: { cause: GruError; progress: number } | undefined;
  let hasParts = false;
  for (const parts of ways) {
    if (parts === 'any' && !hasParts) continue;
    let areMixed = false;
    for (const first of ['time', 'batch', 'batch of all'] as const) {
      const roles = new InputRoles(inputs, { first, parts });
      if (first === 'batch of all' && !roles.areMixed && !areMixed) continue;
      let attempt: Attempt | undefined;
      try {
        return untilSettled(() => (attempt = new Attempt(source, roles, nodes, readers)).run(outputs));
      } catch (cause) {
        if (!(cause instanceof GruError)) throw cause;
        if (!refusal && (cause.code === 'invalid_argument' || cause.code === 'io')) throw cause;
        const progress = attempt?.progress ?? 0;
        if (!refusal || progress > refusal.progress) refusal = { cause, progress };
        hasParts ||= roles.hasParts;
        areMixed ||= roles.areMixed;
      }
    }
  }
  throw refusal!.cause;
}

/** Reads until the roles stay as they are: each failed attempt settles an axis of an input. */
function untilSettled(read: () => ImportedModel): ImportedModel {
  for (let attempt = 0; ; attempt++) {
    try {
      return read();
    } catch (changed) {
      if (!(changed instanceof RolesChanged)) throw changed;
      if (attempt > 24)
        throw new GruError('unsupported', 'what the axes of the inputs of the graph mean cannot be told');
    }
  }
}

/** @throws GruError `unsupported` listing the operators of these nodes that are not read. */
function checkOperators(nodes: readonly OnnxNode[]): void {
  const unknown = new Map<string, OnnxNode>();
  const check = (node: OnnxNode) => {
    const name = operatorName(node);
    if (!Object.hasOwn(OPERATORS, name)) unknown.set(name, unknown.get(name) ?? node);
    for (const graph of subgraphs(node)) for (const inner of graph.nodes) check(inner);
  };
  for (const node of nodes) check(node);
  if (unknown.size === 0) return;
  const found = [...unknown].slice(0, 20).map(([name, node]) => `${name} (node '${nodeName(node)}')`);
  const hint = UNROLLED.find(({ operators }) => operators.some((name) => unknown.has(name)))?.hint ?? '';
  throw new GruError(
    'unsupported',
    `operators that are not supported: ${found.join(', ')}; supported: ${Object.keys(OPERATORS).join(', ')}${hint}`,
  );
}

/** What exporters write instead of a recurrent node, and what can be done. */
const UNROLLED = [
  {
    // torch's dynamo exporter on nn.RNN
    operators: ['SplitToSequence', 'SequenceAt'],
    hint:
      '. A recurrent layer that its exporter unrolled holds for one number of steps only: ' +
      'export with dynamo: False, or load the model in its own format',
  },
];
