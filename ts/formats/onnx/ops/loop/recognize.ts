import type { LayerSpec } from '../../../../spec/spec.ts';
import type { Budget } from '../../limits.ts';
import { readGru, readLstm, readRnn, type Cell } from './cells.ts';
import { Evaluator } from './evaluate.ts';
import { isSource } from './linear.ts';
import { isNumber, NotTerms, Terms, type Factor, type Term } from './terms.ts';

/** A state of a body: values of the spec. */
export interface BodyState {
  size: number;
  /** What the body reads it as, and what it gives for the next step. */
  before: string;
  after: string;
}

/** A cell of a body, and which of the states it carries. */
export interface Recognized {
  cell: Cell;
  states: BodyState[];
  /** The input that says, by 0, at which steps the states stay as they are. */
  mask: string | undefined;
  /** States that are what the cell gives, and at masked steps what they were before, or zeros: Keras's outputs. */
  outputs: BodyState[];
  padded: 'hold' | 'zero';
  /** Values that are its hidden state at the steps that count, and something else at the others. */
  fresh: string[];
}

/** What a state becomes at the steps that count, and at the others. */
interface Unmasked {
  next: Term[];
  mask: string | undefined;
  padded: 'hold' | 'zero';
}

/** A body: the layers of its nodes, what is given to it, and its states. */
export interface Body {
  layers: readonly LayerSpec[];
  refused: ReadonlyMap<string, string>;
  /** Values that hold a step of a sequence, with their sizes. */
  inputs: ReadonlyMap<string, number>;
  /** Those of them that are 0 or 1. */
  masks: readonly string[];
  states: readonly BodyState[];
}

/**
 * The cells of a body, each after those that it reads.
 *
 * @throws NotTerms saying what is no cell that is known
 */
export function recognizeCells(body: Body, budget: Budget): Recognized[] {
  const terms = new Terms(budget);
  const evaluator = new Evaluator(terms, body.layers, body.refused, body.masks);
  for (const [ref, size] of body.inputs) evaluator.give(ref, size);
  for (const { before, size } of body.states) evaluator.give(before, size);
  const cells: Recognized[] = [];
  const known = new Map(body.inputs);
  /** Of values that cells give at the steps that count: which steps those are. */
  const freshAt = new Map<string, string>();
  let left = [...body.states];
  let refusal = new NotTerms('a body without states');
  while (left.length > 0) {
    const found = findCell(left);
    if (!found) throw refusal;
    cells.push(found);
    left = left.filter((state) => !found.states.includes(state));
    for (const padded of ['hold', 'zero'] as const) {
      const outputs = left.filter((state) => isOutput(found, state, padded));
      if (outputs.length === 0) continue;
      Object.assign(found, { outputs, padded });
      left = left.filter((state) => !outputs.includes(state));
      break;
    }
    found.fresh = freshOf(found);
    // from now on what this cell gives is an input
    const given = [...found.states, ...found.outputs].map(({ after, size }) => ({ after, size }));
    for (const { after, size } of [...given, ...found.fresh.map((after) => ({ after, size: found.cell.hiddenSize }))]) {
      known.set(after, size);
      evaluator.give(after, size);
    }
  }
  return cells;

  function findCell(states: readonly BodyState[]): Recognized | undefined {
    for (const state of states) {
      try {
        const found = readState(state, states);
        if (found) return found;
      } catch (cause) {
        if (!(cause instanceof NotTerms)) throw cause;
        refusal = cause;
      }
    }
    return undefined;
  }

  /** What a masked cell gives before its mask: the cells upon it, of the same mask, read that. */
  function freshOf({ mask, states: [hidden] }: Recognized): string[] {
    if (mask === undefined || !hidden) return [];
    const wanted = terms.key(unmasked(hidden).next);
    const names = body.layers.flatMap(({ name }) => (isSum(name, wanted) && name !== hidden.after ? [name] : []));
    for (const name of names) freshAt.set(name, mask);
    return names;
  }

  function isSum(name: string, key: string): boolean {
    try {
      return terms.key(evaluator.whole(name)) === key;
    } catch (cause) {
      if (cause instanceof NotTerms) return false;
      throw cause;
    }
  }

  /** A cell that reads what another one gives before its mask has the same mask. */
  function checked(found: Recognized): Recognized {
    for (const name of found.cell.inputs) {
      if (freshAt.has(name) && freshAt.get(name) !== found.mask)
        throw new NotTerms('a cell that reads another one at masked steps');
    }
    return found;
  }

  function readState(state: BodyState, states: readonly BodyState[]): Recognized | undefined {
    const { before, size } = state;
    const { next, mask, padded } = unmasked(state);
    if (padded === 'zero') throw new NotTerms('a state that is zeros at masked steps');
    const sources = { state: before, hiddenSize: size, inputs: known };
    const foreign = states.filter((other) => other !== state && reads(next, other.before));
    for (const other of foreign) {
      if (other.size !== size) continue;
      const cells = unmasked(other);
      if (cells.mask !== mask || cells.padded !== padded) continue;
      const cell = readLstm(next, cells.next, { ...sources, cell: other.before }, (list) => terms.key(list));
      if (cell) return checked({ cell, states: [state, other], mask, outputs: [], padded: 'hold', fresh: [] });
    }
    if (foreign.length > 0) throw new NotTerms('a state that depends on another one');
    const cell = readGru(next, sources) ?? readRnn(next, sources);
    if (!cell) throw new NotTerms('a state that no GRU, LSTM or simple RNN computes so');
    return checked({ cell, states: [state], mask, outputs: [], padded: 'hold', fresh: [] });
  }

  /** Of m n + (1 - m) h, which is m n - m h + h, and of m n it is n. */
  function unmasked({ before, after, size }: BodyState): Unmasked {
    const all = evaluator.whole(after);
    for (const mask of body.masks) {
      const isMask = (factor: Factor) => isSource(factor, mask);
      const masked = all.filter(({ factors }) => factors.some(isMask));
      if (masked.length === 0) continue;
      const [kept, ...others] = all.filter((term) => !masked.includes(term));
      const isKept = kept?.factors.length === 1 && isSource(kept.factors[0], before) && isNumber(kept.coefficient, 1);
      if ((kept && !isKept) || others.length > 0)
        throw new NotTerms('a mask that does something else than to keep a state');
      const without = masked.map((term) => ({ ...term, factors: term.factors.filter((factor) => !isMask(factor)) }));
      return { next: terms.sum(size, kept ? [...without, kept] : without), mask, padded: kept ? 'hold' : 'zero' };
    }
    return { next: all, mask: undefined, padded: 'hold' };
  }

  function isOutput({ mask, states: [hidden] }: Recognized, state: BodyState, padded: Unmasked['padded']): boolean {
    if (mask === undefined || hidden?.size !== state.size) return false;
    try {
      const own = unmasked(state);
      return own.mask === mask && own.padded === padded && terms.key(own.next) === terms.key(unmasked(hidden).next);
    } catch (cause) {
      if (cause instanceof NotTerms) return false;
      throw cause;
    }
  }
}

/** Whether terms depend on a value that is given. */
function reads(terms: readonly Term[], name: string): boolean {
  const seen = new Set<number>();
  const pending: Factor[] = terms.flatMap(({ factors }) => factors);
  for (let factor = pending.pop(); factor; factor = pending.pop()) {
    if (seen.has(factor.id)) continue;
    seen.add(factor.id);
    if (isSource(factor, name)) return true;
    if (factor.kind === 'function') for (const term of factor.of) for (const next of term.factors) pending.push(next);
    if (factor.kind === 'product') for (const next of factor.of) pending.push(next);
  }
  return false;
}
