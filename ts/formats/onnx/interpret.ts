import { GruError } from '../../base/errors.ts';
import type { ImportedModel } from '../report.ts';
import { Attempt } from './attempt.ts';
import { nodeName } from './attributes.ts';
import { cellsOfSteps } from './cells-of-steps.ts';
import { unwrapIds } from './ids.ts';
import { extractNode, recurrentNodes } from './extract.ts';
import { keepStates, suggestStates } from './kept-states.ts';
import type { OnnxNode } from './messages.ts';
import { countReaders, neededNodes } from './nodes.ts';
import { reroll, together } from './reroll/index.ts';
import { InputRoles, type Assumed } from './roles.ts';
import type { Source } from './source.ts';
import { unknownOperators } from './unknown-operators.ts';
import { RolesChanged } from './value.ts';

/** Reads a graph into a spec. The file's bytes bound what may be computed. */
export function interpret(source: Source): ImportedModel {
  const imported = interpretNodes(source);
  const { states } = source.options;
  const budget = source.budget();
  if (states === undefined) return suggestStates(imported, budget);
  return keepStates(cellsOfSteps(imported, states, budget), states);
}

function interpretNodes(source: Source): ImportedModel {
  try {
    const { node } = source.options;
    return node === undefined ? readRolled(source) : extractNode(source, node);
  } catch (cause) {
    if (!(cause instanceof GruError) || cause.code !== 'unsupported' || source.options.node !== undefined) throw cause;
    const instead = [...recurrentAlone(source), ...ownFile(source)];
    if (instead.length === 0) throw cause;
    throw new GruError('unsupported', [cause.message, ...instead].join('. '), { cause });
  }
}

function recurrentAlone(source: Source): string[] {
  const names = recurrentNodes(source).map((node) => `'${nodeName(node)}'`);
  if (names.length === 0 || source.graph.nodes.length < 2) return [];
  const list = names.slice(0, 20).join(', ') + (names.length > 20 ? ', ...' : '');
  return [`A recurrent node of this graph can be loaded by itself: { onnx: { node: name } } with one of ${list}`];
}

/** What the graph was exported from: of some of what exporters write in many nodes that says which layer it is. */
function ownFile({ producer }: Source): string[] {
  if (isKeras(producer)) return ['The .keras or .h5 file that it was made from can be loaded instead'];
  return producer.startsWith('pytorch')
    ? [
        'Its weights can be loaded from a state dict (.pt, .safetensors) instead, with the layers in { pytorch: { layers } }',
      ]
    : [];
}

function isKeras(producer: string): boolean {
  return /^(?:tf2onnx|keras2onnx)/.test(producer);
}

/** Why a graph was not read in some way, and how far that came. */
interface Refusal {
  cause: GruError;
  /** Nodes that were left to read. */
  left: number;
  /** The axes of the inputs were taken to be what the file's producer makes them. */
  isLikely: boolean;
  /** Ways of reading steps that were asked for. */
  wanted: ReadonlySet<Assumed['parts']>;
}

/** What is told of several: what came furthest, of those that took the axes for what they are most likely. */
function furthest(first: Refusal | undefined, other: Refusal): Refusal {
  if (!first) return other;
  const isBetter = first.isLikely === other.isLikely ? other.left < first.left : other.isLikely;
  return { ...(isBetter ? other : first), wanted: new Set([...first.wanted, ...other.wanted]) };
}

/**
 * Reads the graph; where that fails, with what is written out in many nodes as what it says; then with steps taken by their numbers, and with
 * steps that the file fixes as features, where these are wanted; at last with all that it fixes as features.
 */
function readRolled(source: Source): ImportedModel {
  const unwrapped = unwrapIds(source.graph);
  const asItIs = readWhole(source, unwrapped, ['feature', 'any'])!;
  if (!('cause' in asItIs)) return asItIs;
  if (asItIs.cause.code !== 'unsupported') throw asItIs.cause;
  const graph = { ...source.graph, nodes: together({ ...source.graph, nodes: unwrapped }) };
  const rolled = reroll(graph, (tensor) => source.data(tensor));
  // layers on the states of each step are written out as the cells are
  const nodes = rolled === graph ? graph.nodes : together(rolled);
  const isOther = nodes !== source.graph.nodes;
  let refusal: Refusal | undefined;
  const wanted = new Set(isOther ? [] : asItIs.wanted);
  for (const ways of [['feature', 'any'], ['numbered'], ['steps'], ['fixed']] as const) {
    const [way] = ways;
    // of those that come as far it is told before the last way, which takes what the file fixes for features
    if (way === 'fixed') refusal = furthest(refusal, asItIs);
    // a graph that asks for no such way is read no further in it
    if (way === 'feature' ? !isOther : way !== 'fixed' && !wanted.has(way)) continue;
    const made = readWhole(source, nodes, ways);
    if (!made) continue;
    if (!('cause' in made)) return made;
    for (const other of made.wanted) wanted.add(other);
    // whatever nodes in the place of the file's are not, the file is
    if (made.cause.code === 'unsupported') refusal = furthest(refusal, made);
  }
  throw refusal!.cause;
}

/**
 * Reads the graph with the usual assumption about axes, [time, batch, features]; where that fails before any operator has
 * said otherwise, with the batch first, also of ids; then as if parts were taken of steps as well as of features. Undefined where `fixed` changes nothing.
 */
function readWhole(
  source: Source,
  all: readonly OnnxNode[],
  ways: readonly Assumed['parts'][],
): ImportedModel | Refusal | undefined {
  const outputs = source.outputNames();
  const nodes = neededNodes(all, outputs);
  const unknown = unknownOperators(all, nodes, outputs);
  if (unknown) return { cause: unknown, left: nodes.length, isLikely: false, wanted: new Set() };
  const readers = countReaders(nodes, outputs);
  const inputs = source.freeInputs().filter(({ name }) => readers.has(name));
  let refusal: Refusal | undefined;
  let hasParts = false;
  for (const parts of ways) {
    if (parts === 'any' && !hasParts) continue;
    let areMixed = false;
    for (const first of ['time', 'batch', 'batch of all'] as const) {
      const roles = new InputRoles(inputs, { first, parts });
      if (first === 'batch of all' && !roles.areMixed && !areMixed) continue;
      if (parts === 'fixed' && !roles.hasParts) continue;
      let attempt: Attempt | undefined;
      // Where steps are counted, and the file has several names for them, they are told apart if that gives a model.
      const apart = () => {
        if (!attempt?.counts) return undefined;
        const own = new InputRoles(inputs, { first, parts, own: true });
        const made = orNone(() => untilSettled(() => new Attempt(source, own, nodes, readers).run(outputs)));
        for (const way of own.wanted) roles.wanted.add(way);
        return made;
      };
      try {
        const made = untilSettled(() => (attempt = new Attempt(source, roles, nodes, readers)).run(outputs));
        return apart() ?? made;
      } catch (cause) {
        if (!(cause instanceof GruError)) throw cause;
        const told = apart();
        if (told) return told;
        if (!refusal && (cause.code === 'invalid_argument' || cause.code === 'io')) throw cause;
        const left = nodes.length - (attempt?.progress ?? 0);
        const isLikely = isKeras(source.producer) && roles.areBatchFirst;
        refusal = furthest(refusal, { cause, left, isLikely, wanted: roles.wanted });
        hasParts ||= roles.hasParts;
        areMixed ||= roles.areMixed;
      }
    }
  }
  return refusal;
}

/** What is read, or nothing where it is refused. */
function orNone(read: () => ImportedModel): ImportedModel | undefined {
  try {
    return read();
  } catch (cause) {
    if (cause instanceof GruError) return undefined;
    throw cause;
  }
}

/** Reads until the roles stay as they are: each failed attempt settles an axis of an input. */
function untilSettled(read: () => ImportedModel): ImportedModel {
  for (let attempt = 0; ; attempt++) {
    try {
      return read();
    } catch (changed) {
      if (!(changed instanceof RolesChanged)) throw changed;
      if (attempt > 24)
        throw new GruError(
          'unsupported',
          'what the axes of the inputs of the graph mean cannot be told: name them batch and time when it is exported (dynamic_axes), or by { onnx: { inputShapes } }',
        );
    }
  }
}
