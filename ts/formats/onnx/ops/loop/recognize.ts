import type { LayerSpec } from '../../../../spec/spec.ts';
import type { Budget } from '../../limits.ts';
import { readGru, readLstm, readRnn, type Cell } from './cells.ts';
import { Evaluator } from './evaluate.ts';
import { isSource } from './linear.ts';
import { NotTerms, Terms, type Factor, type Term } from './terms.ts';

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
}

/** A body: the layers of its nodes, what is given to it, and its states. */
export interface Body {
  layers: readonly LayerSpec[];
  refused: ReadonlyMap<string, string>;
  /** Values that hold a step of a sequence, with their sizes. */
  inputs: ReadonlyMap<string, number>;
  states: readonly BodyState[];
}

/**
 * The cells of a body, each after those that it reads.
 *
 * @throws NotTerms saying what is no cell that is known
 */
export function recognizeCells(body: Body, budget: Budget): Recognized[] {
  const terms = new Terms(budget);
  const evaluator = new Evaluator(terms, body.layers, body.refused);
  for (const [ref, size] of body.inputs) evaluator.give(ref, size);
  for (const { before, size } of body.states) evaluator.give(before, size);
  const cells: Recognized[] = [];
  const known = new Map(body.inputs);
  let left = [...body.states];
  let refusal = new NotTerms('a body without states');
  while (left.length > 0) {
    const found = findCell(left);
    if (!found) throw refusal;
    cells.push(found);
    left = left.filter((state) => !found.states.includes(state));
    // from now on what this cell gives is an input
    for (const { after, size } of found.states) {
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

  function readState(state: BodyState, states: readonly BodyState[]): Recognized | undefined {
    const { before, after, size } = state;
    const next = evaluator.whole(after);
    const sources = { state: before, hiddenSize: size, inputs: known };
    const foreign = states.filter((other) => other !== state && reads(next, other.before));
    for (const other of foreign) {
      if (other.size !== size) continue;
      const cell = readLstm(next, evaluator.whole(other.after), { ...sources, cell: other.before }, (list) =>
        terms.key(list),
      );
      if (cell) return { cell, states: [state, other] };
    }
    if (foreign.length > 0) throw new NotTerms('a state that depends on another one');
    const cell = readGru(next, sources) ?? readRnn(next, sources);
    if (!cell) throw new NotTerms('a state that no GRU, LSTM or simple RNN computes so');
    return { cell, states: [state] };
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
    if (factor.kind === 'function') for (const term of factor.of) pending.push(...term.factors);
    if (factor.kind === 'product') pending.push(...factor.of);
  }
  return false;
}
