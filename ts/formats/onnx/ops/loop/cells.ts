import type { Activation, LayerBase, RecurrentBase } from '../../../../spec/spec.ts';
import { sameActivation, type RecurrentSpec } from '../../builder.ts';
import { filled, isSource, readLinear, scaledRows, stackGates, type CellSources, type Linear } from './linear.ts';
import { isNumber, NotTerms, type Factor, type FunctionFactor, type Term } from './terms.ts';

/** A recurrent layer that a cell's equations are those of. */
export interface Cell {
  type: RecurrentSpec['type'];
  /** Inputs that it reads side by side, by name. */
  inputs: string[];
  inputSize: number;
  hiddenSize: number;
  /** @param direction of the weights' keys */
  layer: (base: RecurrentBase & LayerBase, direction: 'forward' | 'reverse') => RecurrentSpec;
}

/** What a kind of layer has beside its sizes and weights. */
interface Fields {
  type: RecurrentSpec['type'];
  activation: Activation;
  recurrentActivation?: Activation;
  outputActivation?: Activation;
  resetAfter?: boolean;
  inputForget?: boolean;
}

const keyed = (direction: string, weights: Record<string, Float32Array | undefined>) =>
  Object.fromEntries(Object.entries(weights).flatMap(([key, data]) => (data ? [[`${direction}.${key}`, data]] : [])));

function cell(
  { hiddenSize }: CellSources,
  { names, inputSize, input, recurrent, bias }: ReturnType<typeof stackGates>,
  fields: Fields,
  more: Record<string, Float32Array | undefined> = {},
): Cell {
  return {
    type: fields.type,
    inputs: names,
    inputSize,
    hiddenSize,
    layer: (base, direction) =>
      ({
        ...base,
        ...fields,
        weights: keyed(direction, { input, recurrent, bias, ...more }),
      }) as unknown as RecurrentSpec,
  };
}

/** A product of these factors, in any order, with this coefficient: the factor left over. */
function partner(
  terms: readonly Term[],
  coefficient: number,
  known: (factor: Factor) => boolean,
): Factor[] | undefined {
  const found = terms.filter(
    (term) => isNumber(term.coefficient, coefficient) && term.factors.length === 2 && term.factors.some(known),
  );
  return found.length === 1 ? found[0]!.factors.filter((factor) => !known(factor)) : undefined;
}

function requireFunction(factor: Factor | undefined, what: string): FunctionFactor {
  if (factor?.kind !== 'function') throw new NotTerms(`${what} that is no function of a sum`);
  return factor;
}

function requirePlain(linear: Linear, what: string): Linear {
  if (linear.rest.length > 0) throw new NotTerms(`${what} that is more than W x + U h + b`);
  return linear;
}

/** 1 - f(x) = f(-x), for the functions of which that is true (terms say hard_sigmoid with beta 0.5). */
function complement(gate: FunctionFactor): Term[] {
  const { name } = typeof gate.activation === 'string' ? { name: gate.activation } : gate.activation;
  if (name !== 'sigmoid' && name !== 'hard_sigmoid') throw new NotTerms(`1 - ${name} as a gate`);
  return gate.of.map(({ coefficient, factors }) => ({
    factors,
    coefficient: typeof coefficient === 'number' ? -coefficient : coefficient.map((c) => -c),
  }));
}

const has = ({ factors }: Term, factor: Factor) => factors.some(({ id }) => id === factor.id);

/** z and n of h' = z h + (1 - z) n, or, with the gate's role changed, of (1 - z) h + z n; n is a function of a sum, or a sum. */
function readUpdate(terms: readonly Term[], isState: (factor: Factor) => boolean) {
  const kept = partner(terms, 1, isState);
  const taken = partner(terms, -1, isState);
  const [gate] = kept ?? taken ?? [];
  if (gate?.kind !== 'function') return undefined;
  const others = terms.filter((term) => !(term.factors.length === 2 && term.factors.some(isState) && has(term, gate)));
  const gated = others.flatMap((term) => {
    if (!has(term, gate)) return [];
    const { coefficient } = term;
    return [
      {
        coefficient: kept ? negative(coefficient) : coefficient,
        factors: term.factors.filter(({ id }) => id !== gate.id),
      },
    ];
  });
  const rest = others.filter((term) => !has(term, gate));
  const isRest = kept
    ? gated.length === rest.length && gated.every((term) => rest.some((other) => isSame(term, other)))
    : rest.length === 1 &&
      rest[0]!.factors.length === 1 &&
      isState(rest[0]!.factors[0]!) &&
      isNumber(rest[0]!.coefficient, 1);
  if (!isRest) return undefined;
  const sum = kept ? rest : gated;
  const [only] = sum.length === 1 ? sum : [];
  const [f] = only?.factors.length === 1 && isNumber(only.coefficient, 1) ? only.factors : [];
  const candidate = f?.kind === 'function' ? f : { activation: 'linear' as const, of: sum };
  return { z: kept ? gate.of : complement(gate), activation: gate.activation, candidate };
}

const negative = (coefficient: Term['coefficient']) =>
  typeof coefficient === 'number' ? -coefficient : coefficient.map((c) => -c);

function isSame(x: Term, y: Term): boolean {
  const isAll = x.factors.length === y.factors.length && x.factors.every((factor) => has(y, factor));
  const [p, q] = [x.coefficient, y.coefficient];
  if (!isAll || typeof p !== typeof q) return false;
  // but for the rounding of folded constants
  const close = (a: number, b: number) => Math.abs(a - b) <= 1e-6 * Math.max(Math.abs(a), Math.abs(b));
  return typeof p === 'number' ? close(p, q as number) : p.every((value, i) => close(value, (q as Float32Array)[i]!));
}

/** A GRU: h' = z h + (1 - z) n. */
export function readGru(terms: readonly Term[], sources: CellSources): Cell | undefined {
  const update = readUpdate(terms, (factor) => isSource(factor, sources.state));
  if (!update) return undefined;
  const { candidate, activation } = update;
  const z = requirePlain(readLinear(update.z, sources), 'an update gate');
  const n = readLinear(candidate.of, sources);
  const { reset, ...form } = readReset(n, sources);
  const r = requirePlain(readLinear(reset.of, sources), 'a reset gate');
  if (!sameActivation(activation, reset.activation)) throw new NotTerms('gates of differing functions');
  const gates = stackGates([z, r, { ...n, recurrent: form.recurrent }], sources);
  return cell(
    sources,
    gates,
    {
      type: 'gru',
      resetAfter: form.resetAfter,
      recurrentActivation: activation,
      activation: candidate.activation,
    },
    { recurrentBias: form.recurrentBias },
  );
}

/** How the candidate has the reset gate in it: U (r h), or r (U h + b). */
function readReset({ recurrent, rest }: Linear, { state, hiddenSize }: CellSources) {
  if (recurrent) throw new NotTerms('a candidate whose state no gate resets');
  const isState = (factor: Factor) => isSource(factor, state);
  const found: { before?: Float32Array; after?: Float32Array; either?: Float32Array; recurrentBias?: Float32Array } =
    {};
  const take = (what: keyof typeof found, values: Float32Array) => {
    if (found[what]) throw new NotTerms('a state that is reset twice');
    found[what] = values;
  };
  const gates: FunctionFactor[] = [];
  for (const { coefficient, factors } of rest) {
    const [only, second] = factors;
    // U (r h), or r (U h + b)
    const isBefore = second === undefined && only?.kind === 'product' && only.of.filter(isState).length === 1;
    const parts = isBefore ? only.of : factors;
    const [gate, another] = parts.filter((factor) => factor.kind === 'function');
    const [other, more] = parts.filter(({ kind }) => kind !== 'function');
    if (!gate || another || more) throw new NotTerms('a candidate that is more than W x + b and the reset state');
    gates.push(gate);
    if (isBefore) take('before', scaledRows(only.matrix, coefficient, hiddenSize));
    else if (!other) take('recurrentBias', filled(coefficient, hiddenSize));
    else if (other.kind === 'product' && other.of.length === 1 && isState(other.of[0]!))
      take('after', scaledRows(other.matrix, coefficient, hiddenSize));
    // r h row by row is both.
    else if (isState(other)) take('either', diagonal(filled(coefficient, hiddenSize)));
    else throw new NotTerms('a candidate that is more than W x + b and the reset state');
  }
  const [reset] = gates;
  if (!reset || gates.some(({ id }) => id !== reset.id)) throw new NotTerms('a candidate without one reset gate');
  const { before, after, either, recurrentBias } = found;
  const resetAfter = after !== undefined || recurrentBias !== undefined;
  if ((before && (resetAfter || either)) || (after && either)) throw new NotTerms('a state that is reset twice');
  return { reset, resetAfter, recurrent: before ?? after ?? either, recurrentBias };
}

function diagonal(values: Float32Array): Float32Array {
  const matrix = new Float32Array(values.length ** 2);
  values.forEach((value, i) => (matrix[i * (values.length + 1)] = value));
  return matrix;
}

/** A simple RNN: h' = f(W x + U h + b). */
export function readRnn(terms: readonly Term[], sources: CellSources): Cell | undefined {
  const [term] = terms;
  const [factor] = term?.factors ?? [];
  const isFunction = terms.length === 1 && term!.factors.length === 1 && factor?.kind === 'function';
  if (isFunction && !isNumber(term!.coefficient, 1)) return undefined;
  const isProduct = ({ factors: [one] }: Term) => one?.kind === 'product' && isSource(one.of[0], sources.state);
  // without a function it is a layer if it has a matrix: a running sum is none
  if (!isFunction && !terms.some(isProduct)) return undefined;
  const linear = readLinear(isFunction ? factor.of : terms, sources);
  if (linear.rest.length > 0) return undefined;
  const activation = isFunction ? factor.activation : 'linear';
  return cell(sources, stackGates([linear], sources), { type: 'rnn', activation });
}

/**
 * An LSTM: c' = f c + i g, h' = o k(c'), with peepholes p c of i and f and p c' of o.
 *
 * @param terms of h' and of c'
 */
export function readLstm(
  hidden: readonly Term[],
  cellTerms: readonly Term[],
  sources: CellSources & { cell: string },
  key: (terms: readonly Term[]) => string,
): Cell | undefined {
  const isCell = (factor: Factor) => isSource(factor, sources.cell);
  const [product, ...more] = hidden;
  if (more.length > 0 || product?.factors.length !== 2 || !isNumber(product.coefficient, 1)) return undefined;
  const output = product.factors.find((factor) => factor.kind === 'function' && key(factor.of) === key(cellTerms));
  const [o] = product.factors.filter((factor) => factor !== output);
  if (output?.kind !== 'function' || o?.kind !== 'function') return undefined;
  const outputActivation = output.activation;

  const { f, i, g, inputForget } = readGates(cellTerms, isCell);
  const peephole = ({ rest }: Linear, what: string): Float32Array | undefined => {
    const [term, ...others] = rest;
    if (!term) return undefined;
    if (others.length > 0 || term.factors.length !== 1 || !isCell(term.factors[0]!))
      throw new NotTerms(`${what} that is more than W x + U h + p c + b`);
    return filled(term.coefficient, sources.hiddenSize);
  };
  const [input, candidate, out] = [i, g, o].map(({ of }) => readLinear(of, sources)) as [Linear, Linear, Linear];
  const forget = f && readLinear(f.of, sources);
  const peepholes = [peephole(input, 'an input gate'), forget && peephole(forget, 'a forget gate'), newPeephole(out)];
  requirePlain(candidate, 'a candidate');
  if ([o, ...(f ? [f] : [])].some((gate) => !sameActivation(gate.activation, i.activation)))
    throw new NotTerms('gates of differing functions');
  // a coupled forget gate has rows, which nothing reads
  const gates = [
    input,
    forget ?? { ...input, inputs: new Map(), recurrent: undefined, bias: undefined },
    candidate,
    out,
  ];
  const p = peepholes.some(Boolean) ? new Float32Array(3 * sources.hiddenSize) : undefined;
  for (const [k, values] of peepholes.entries()) if (values) p!.set(values, k * sources.hiddenSize);
  return cell(
    sources,
    stackGates(gates, sources),
    {
      type: 'lstm',
      ...(inputForget && { inputForget }),
      recurrentActivation: i.activation,
      activation: g.activation,
      outputActivation,
    },
    { peepholes: p },
  );

  /** p c', of which the terms are those of c', each p times. */
  function newPeephole({ rest }: Linear): Float32Array | undefined {
    if (rest.length === 0) return undefined;
    const values = filled(rest[0]!.coefficient, sources.hiddenSize);
    const once = rest.map((term) => ({ ...term, coefficient: 1 }));
    const same = rest.every((term) => filled(term.coefficient, values.length).every((c, j) => c === values[j]));
    if (!same || key(once) !== key(cellTerms))
      throw new NotTerms("an output gate that is more than W x + U h + p c' + b");
    return values;
  }
}

/** f, i and g of c' = f c + i g, or of c' = (1 - i) c + i g. */
function readGates(terms: readonly Term[], isCell: (factor: Factor) => boolean) {
  const [forget] = partner(terms, 1, isCell) ?? [];
  if (forget && terms.length === 2) {
    const f = requireFunction(forget, 'a forget gate');
    const rest = terms.find(({ factors }) => !factors.some(isCell));
    if (!rest || !isNumber(rest.coefficient, 1) || rest.factors.length !== 2) throw new NotTerms('a cell state');
    const [x, y] = rest.factors.map((factor) => requireFunction(factor, 'an input gate')) as [
      FunctionFactor,
      FunctionFactor,
    ];
    // of two functions that are the same it does not matter which is called the gate
    const [i, g] = sameActivation(x.activation, f.activation) ? [x, y] : [y, x];
    return { f, i, g, inputForget: false };
  }
  const [coupled] = partner(terms, -1, isCell) ?? [];
  const single = terms.find(({ factors, coefficient }) => factors.length === 1 && isNumber(coefficient, 1));
  const pair = terms.find(({ factors }) => factors.length === 2 && !factors.some(isCell));
  if (!coupled || terms.length !== 3 || !single || !isCell(single.factors[0]!) || !pair || !has(pair, coupled))
    throw new NotTerms('a cell state');
  const i = requireFunction(coupled, 'an input gate');
  const [g] = pair.factors.filter((factor) => factor.id !== i.id);
  if (!isNumber(pair.coefficient, 1)) throw new NotTerms('a cell state');
  return { f: undefined, i, g: requireFunction(g, 'a candidate'), inputForget: true };
}
