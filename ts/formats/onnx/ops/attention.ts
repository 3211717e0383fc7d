import { nodeError } from '../attributes.ts';
import type { SpecBuilder } from '../builder.ts';
import type { NodeContext } from '../context.ts';
import { equalSizes } from '../size.ts';
import {
  axesText,
  axisSize,
  bakedFactor,
  feature,
  featureSize,
  isFeature,
  role,
  selectColumns,
  width,
  type Causal,
  type Factor,
  type Rows,
  type Scores,
} from '../value.ts';

/** Products of two computed values: scores, what they weigh, and sums over steps. */

/** x y: over the features of both scores, over the steps a weighted sum or, of scores after their softmax, attention. */
export function multiplyRows(context: NodeContext, x: Rows, y: Rows): Rows {
  const rank = x.axes.length;
  const made =
    rank === y.axes.length && rank >= 2 ? (productOf(context, x, y) ?? weighFixed(context, x, y)) : undefined;
  if (made) return made;
  throw nodeError(
    context.node,
    `multiplies ${axesText(x.axes)} by ${axesText(y.axes)}; supported: queries by keys, their softmax by values, steps by steps`,
  );
}

function productOf(context: NodeContext, x: Rows, y: Rows): Rows | undefined {
  const last = x.axes.length - 1;
  const [lead, others] = [x.axes.slice(0, last - 1), y.axes.slice(0, last - 1)];
  // In front are the batch, and heads, which are features of both.
  if (axesText(lead) !== axesText(others) || lead.flat().some((factor) => factor.role === 'time')) return undefined;
  const heads = lead.reduce((n, axis) => n * featureSize(axis), 1);
  const [overX, overY] = [x.axes[last]!, y.axes[last - 1]!];
  if (y.scores) {
    // values^T weights^T = (weights values)^T
    const made = x.scores || !isTime(overX) ? undefined : productOf(context, transposed(y), transposed(x));
    return made && transposed(made);
  }
  if (x.scores) return isTime(overX) && isTime(overY) ? attend(context, x, x.scores, overX, y) : undefined;
  if (isFeature(overX) && isFeature(overY))
    return dotOf(context, x, y) ?? score(...inOneDirection(context, x, y), heads);
  if (!isTime(overX) || !isTime(overY) || heads !== 1) return undefined;
  return weigh(context, ...inOneDirection(context, x, y));
}

/** Steps of which one goes from last to first, both from first to last. */
function inOneDirection({ graph }: NodeContext, x: Rows, y: Rows): [Rows, Rows] {
  const { steps } = graph.builder;
  return x.reversed === y.reversed ? [x, y] : [steps.straight(x), steps.straight(y)];
}

/** (n, k) of a vector by (k, m), where k are the steps of the second: as many as the file fixes. */
function weighFixed(context: NodeContext, x: Rows, y: Rows): Rows | undefined {
  const { graph } = context;
  const last = x.axes.length - 1;
  const [over, time] = [x.axes[last]!, y.axes[last - 1]!];
  const steps = featureSize(over);
  const isFixed = isTime(time) && time.some((factor) => (factor.size ?? bakedFactor(factor, graph.baked)) === steps);
  if (x.kind !== 'vector' || x.scores || !isFeature(over) || !isFixed || y.scores || y.reversed) return undefined;
  const order = [last, ...x.axes.keys()].slice(0, -1);
  const columns = selectColumns(x, [], order, graph.budget);
  const cut = graph.builder.steps.cutLike({ ...x, columns }, steps, width(x) / steps, y);
  return productOf(context, { ...x, kind: 'sequence', axes: [...x.axes.slice(0, -1), time], columns: cut, exclusive: false }, y); // prettier-ignore
}

/** Whether scores are those of one row a sequence with each step, so that they are a number a step. */
function areNumbers({ x, y, heads, additive, mask, causal, low, part }: Scores): boolean {
  return x.kind !== y.kind && heads === 1 && !additive && !mask && !causal && !low && !part;
}

/** Scores of one row a sequence with each step of another value, or its weights, as a number a step; undefined for all others. */
export function numbersOfScores(builder: SpecBuilder, rows: Rows, name: string): Rows | undefined {
  if (!areNumbers(rows.scores!)) return undefined;
  const { x, y, scale, keys } = rows.scores!;
  const sequence = x.kind === 'sequence' ? x : y;
  const axes = rows.axes.map(unmarked);
  const sum = builder.reduceFeatures(builder.merge([x, y], `${name}_products`, 'mul'), `${name}_scores`, 'sum');
  const plain = { ...sequence, axes, columns: sum.columns, inputs: rows.inputs, exclusive: false };
  const scaled = scale === 1 ? plain : builder.affine(plain, `${name}_scaled`, scale);
  return keys === undefined ? scaled : builder.steps.softmax(scaled, `${name}_weights`);
}

/** The last two axes exchanged, of which one at most is features, so that these stay in their order. */
function transposed(rows: Rows): Rows {
  const last = rows.axes.length - 1;
  const axes = [...rows.axes.slice(0, last - 1), rows.axes[last]!, rows.axes[last - 1]!];
  return { ...rows, axes, exclusive: false };
}

const isTime = (axis: readonly Factor[]) => role(axis) === 'time';

/** (1, k) by (k, 1) of two vectors: the sum of their products; undefined for what are none. */
function dotOf({ graph, node }: NodeContext, x: Rows, y: Rows): Rows | undefined {
  const last = x.axes.length - 1;
  const [k, isRow] = [featureSize(x.axes[last]!), role(x.axes[last - 1]!) === 'one' && role(y.axes[last]!) === 'one'];
  if (x.kind !== 'vector' || y.kind !== 'vector' || !isRow || width(x) !== k || width(y) !== k) return undefined;
  const name = node.name || (node.outputs[0] ?? '');
  const products = graph.builder.merge([x, y], `${name}_products`, 'mul');
  const sum = graph.builder.reduceFeatures(products, name, 'sum');
  return { ...sum, axes: [...x.axes.slice(0, -1), []] };
}

/** (queries, k) by (k, keys). Either may be one row a sequence. */
function score(x: Rows, y: Rows, heads: number): Rows | undefined {
  const last = x.axes.length - 1;
  const [rows, columns] = [x.axes[last - 1]!, y.axes[last]!];
  const fits = (value: Rows, axis: readonly Factor[]) =>
    value.kind === 'sequence' ? isTime(axis) : role(axis) === 'one';
  if (!fits(x, rows) || !fits(y, columns) || (x.kind === 'vector' && y.kind === 'vector')) return undefined;
  if (width(x) !== width(y)) return undefined;
  return {
    ...x,
    kind: 'sequence',
    axes: [...x.axes.slice(0, last - 1), mark(rows, 'x'), mark(columns, 'y')],
    columns: [],
    inputs: [...new Set([...x.inputs, ...y.inputs])],
    exclusive: false,
    scores: { x, y, heads, scale: 1 },
  };
}

function mark(axis: readonly Factor[], of: 'x' | 'y'): Factor[] {
  return axis.map((factor) => (factor.role === 'time' ? { ...factor, of } : factor));
}

function unmarked(axis: readonly Factor[]): Factor[] {
  return axis.map((factor) => {
    const own = { ...factor };
    delete own.of;
    return own;
  });
}

const whose = (axis: readonly Factor[]) => axis.find(({ role: r }) => r === 'time')?.of;

/**
 * x + y of each step of one with each step of the other, as additive scores begin; undefined for values that lie along each other.
 *
 * @throws GruError `unsupported` for any other operation on steps by steps
 */
export function gridOf({ node }: NodeContext, x: Rows, y: Rows, isSum: boolean): Rows | undefined {
  const timeOf = ({ axes }: Rows) => axes.findIndex((axis) => axis.some(({ role: r }) => r === 'time'));
  const [atX, atY] = [timeOf(x), timeOf(y)];
  if (atX < 0 || atY < 0 || atX === atY) return undefined;
  if (atX > atY) return gridOf({ node } as NodeContext, y, x, isSum);
  const last = x.axes.length - 1;
  const isOne = (axis: readonly Factor[]) => role(axis) === 'one';
  const lead = (rows: Rows) => axesText(rows.axes.slice(0, atX));
  const fits =
    atY === atX + 1 &&
    last === atY + 1 &&
    isTime(x.axes[atX]!) &&
    isTime(y.axes[atY]!) &&
    isOne(x.axes[atY]!) &&
    isOne(y.axes[atX]!) &&
    featureSize(x.axes[last]!) === width(x) &&
    featureSize(y.axes[last]!) === width(y) &&
    lead(x) === lead(y);
  if (!isSum || !fits || width(x) !== width(y) || x.reversed !== y.reversed)
    throw nodeError(
      node,
      `combines ${axesText(x.axes)} with ${axesText(y.axes)}, steps by steps; supported: scores of attention, sums over k of tanh(x[k] + y[k]) and products`,
    );
  return {
    ...x,
    axes: [...x.axes.slice(0, atX), mark(x.axes[atX]!, 'x'), mark(y.axes[atY]!, 'y'), x.axes[last]!],
    columns: [],
    inputs: [...new Set([...x.inputs, ...y.inputs])],
    exclusive: false,
    scores: { x, y, heads: 1, scale: 1, additive: { form: 'sum' } },
  };
}

/** tanh of a grid; undefined for what is none. */
export function tanhOfGrid({ scores, ...rows }: Rows): Rows | undefined {
  return scores?.additive?.form === 'sum' ? { ...rows, scores: { ...scores, additive: { form: 'tanh' } } } : undefined;
}

/** The features of a grid times a factor each; undefined for what is none, or has factors. */
export function weighGrid({ scores, ...rows }: Rows, factors: Float32Array): Rows | undefined {
  const { form, factors: known } = scores?.additive ?? {};
  if (!scores || form !== 'tanh' || known || factors.length !== width(scores.x)) return undefined;
  return { ...rows, scores: { ...scores, additive: { form, factors } } };
}

/** The sums over the features of a grid, which are scores; undefined for what is none. */
export function sumOfGrid({ scores, ...rows }: Rows, keep: boolean): Rows | undefined {
  if (scores?.additive?.form !== 'tanh') return undefined;
  const axes = keep ? [...rows.axes.slice(0, -1), []] : rows.axes.slice(0, -1);
  return { ...rows, axes, scores: { ...scores, additive: { ...scores.additive, form: 'score' } } };
}

/** Below this a step has no part beside others: e to its power is 0. */
const NONE = -1e8;

/**
 * Scores where a mask chooses them, and else so low that the step has no part; where none has one it is the mean, as these numbers
 * swallow the scores.
 *
 * @param filled the one number that masked scores are, for all masks
 */
export function maskScores(context: NodeContext, rows: Rows, repeated: Rows, isKept: boolean, filled = NaN): Rows {
  const mask = forAllHeads(repeated);
  const { graph, node } = context;
  const { scores } = rows;
  const axes = [...Array<Factor[]>(Math.max(rows.axes.length - mask.axes.length, 0)).fill([]), ...mask.axes];
  const at = axes.findIndex((axis) => axis.some(({ role: r }) => r === 'time'));
  const of = at < 0 ? undefined : whose(rows.axes[at] ?? []);
  if (
    !scores ||
    scores.keys ||
    scores.mask ||
    (scores.causal && scores.filled !== filled) ||
    scores.low ||
    scores.part ||
    width(mask) !== 1 ||
    mask.kind !== 'sequence' ||
    of === undefined ||
    mask.reversed !== scores[of].reversed
  )
    throw nodeError(
      node,
      'masks scores of steps by steps; supported: by one mask of the steps of keys, also of later steps with the same number, before their softmax',
    );
  const kept = isKept ? mask : graph.builder.affine({ ...mask, exclusive: false }, `${node.name}_kept`, -1, 1);
  const inputs = [...new Set([...rows.inputs, ...mask.inputs])];
  return { ...rows, inputs, scores: { ...scores, mask: { rows: kept, of }, filled } };
}

/** One number a step that was repeated for each head, as such. */
export function forAllHeads(rows: Rows): Rows {
  const [first] = rows.columns;
  const isOne =
    first?.length === 1 && rows.columns.every(({ ref, start }) => ref === first.ref && start === first.start);
  if (!isOne || rows.columns.length === 1) return rows;
  return { ...rows, columns: [first], axes: rows.axes.map((axis) => axis.filter(({ role: r }) => r !== 'feature')) };
}

/** Scores plus what is 0 at some steps of the keys and very low at others; undefined for other terms of scores that are a number a step. */
export function penalize(context: NodeContext, rows: Rows, repeated: Rows, isMinus: boolean): Rows | undefined {
  const other = forAllHeads(repeated);
  const pair = context.graph.builder.pairOf(other);
  const [zero, one] = pair && isMinus ? [-pair.zero, -pair.one] : [pair?.zero ?? NaN, pair?.one ?? NaN];
  if (pair && one === 0 && zero <= NONE)
    return maskScores(context, rows, { ...other, columns: pair.columns }, true, infinite(zero));
  if (pair && Math.abs(zero) === 0 && one <= NONE)
    return maskScores(context, rows, { ...other, columns: pair.columns }, false, infinite(one));
  if (areNumbers(rows.scores!)) return undefined;
  throw nodeError(context.node, `adds to scores of steps by steps; supported: 0 and numbers below ${NONE}, by a mask`);
}

/** A number that was infinite when a mask was computed: added to whatever is, it stays that. */
function infinite(penalty: number): number {
  return penalty <= -3.4028234663852886e38 ? -Infinity : NaN;
}

/** Scores of which those of later steps are so low that these have no part. */
export function forgetLater({ graph, node }: NodeContext, rows: Rows, mask: Causal, low: number, filled: number): Rows {
  const scores = rows.scores!;
  const { x, y, keys, part, low: isLow } = scores;
  const [asking, asked] = rows.axes.slice(-2).map(whose);
  const areSteps = mask.shape
    .slice(-2)
    .every((size, i) => equalSizes(axisSize(rows.axes.at(i - 2)!), size, graph.baked) === true);
  const fits = asking === 'x' && asked === 'y' && !x.reversed && !y.reversed && areSteps;
  if (!fits || keys || (scores.mask && scores.filled !== filled) || part || isLow || !(low <= NONE))
    throw nodeError(
      node,
      `masks later steps of scores ${axesText(rows.axes)} by ${low}; supported: by one mask, with numbers below ${NONE}, before their softmax`,
    );
  return { ...rows, scores: { ...scores, causal: true, filled } };
}

const DONE = { form: 'score' };

/** Scores less a number, for {@link joinParts}; undefined for any other. */
export function lowered(rows: Rows, shift: number): Rows | undefined {
  const { scores } = rows;
  if (!scores || scores.keys || scores.part || shift > NONE) return undefined;
  return { ...rows, scores: { ...scores, low: true } };
}

/** Scores times a mask, for {@link joinParts}; undefined for any other factor. */
export function partOf({ graph }: NodeContext, rows: Rows, mask: Rows): Rows | undefined {
  const { scores } = rows;
  if (!scores || scores.keys || scores.part || !graph.builder.pairOf(mask)) return undefined;
  return { ...rows, inputs: [...new Set([...rows.inputs, ...mask.inputs])], scores: { ...scores, part: mask } };
}

/** mask (scores - 1e9) + (1 - mask) scores: how Keras 3 chooses between the two. */
export function joinParts(context: NodeContext, x: Rows, y: Rows): Rows {
  const { builder } = context.graph;
  const [low, high] = x.scores?.low ? [x, y] : [y, x];
  const [lowered, kept] = [low.scores, high.scores];
  const [a, b] = [lowered, kept].map((scores) => scores?.part && builder.pairOf(scores.part));
  const same = (['x', 'y', 'scale', 'additive', 'mask', 'causal'] as const).every(
    (key) => lowered?.[key] === kept?.[key],
  );
  const isBit = (n: number | undefined) => n === 0 || n === 1;
  const areOpposite = a?.columns[0]!.ref === b?.columns[0]!.ref && a?.zero === b?.one && a?.one === b?.zero;
  if (!same || !lowered?.low || !kept?.part || kept.low || !a || !areOpposite || !isBit(a.zero) || a.zero + a.one !== 1)
    throw nodeError(
      context.node,
      'adds scores of steps by steps; supported: those of a mask and those of its opposite',
    );
  const own = { ...kept };
  delete own.part;
  const mask = { ...kept.part, columns: a.columns };
  return maskScores(context, { ...high, scores: own }, mask, a.one === 0);
}

/** Softmax of scores over the steps of one of the two, which so are the keys. */
export function softmaxOfScores({ node }: NodeContext, rows: Rows, scores: Scores, axis: number): Rows {
  const keys = whose(rows.axes[axis]!);
  if (
    keys === undefined ||
    !isTime(rows.axes[axis]!) ||
    scores.keys ||
    scores.low ||
    scores.part ||
    (scores.additive ?? DONE).form !== 'score'
  ) {
    throw nodeError(
      node,
      `attribute 'axis' ${axis} of scores ${axesText(rows.axes)}; supported: one softmax over keys`,
    );
  }
  return { ...rows, scores: { ...scores, keys } };
}

/** Scores times a number. */
export function scaleScores({ node }: NodeContext, rows: Rows, scores: Scores, factor: number): Rows {
  if (scores.keys || scores.low || scores.part)
    throw nodeError(node, 'changes weights after their softmax; supported: scores before it');
  return { ...rows, scores: { ...scores, scale: scores.scale * factor } };
}

/** (queries, keys) by (keys, values). */
function attend(
  context: NodeContext,
  rows: Rows,
  scores: Scores,
  over: readonly Factor[],
  given: Rows,
): Rows | undefined {
  const { graph, node } = context;
  const { x, y, heads, scale, keys, additive, mask, causal } = scores;
  if (!keys || whose(over) !== keys || (mask && mask.of !== keys) || (causal && keys !== 'y')) return undefined;
  const [query, keyed] = keys === 'y' ? [x, y] : [y, x];
  const last = rows.axes.length - 1;
  if ((keyed.reversed !== given.reversed && (mask || causal)) || width(given) % heads !== 0) return undefined;
  const [key, values] = inOneDirection(context, keyed, given);
  const asking = unmarked(rows.axes[last - 1]!);
  const columns = graph.builder.steps.attention(query, key, values, node.name || (node.outputs[0] ?? ''), {
    heads,
    scale,
    ...(additive && { score: 'additive' as const, weights: additive.factors ? { factors: additive.factors } : {} }),
    ...(causal && { causal }),
    ...(mask && { mask: graph.builder.ref(mask.rows.columns, 'sequence'), withoutKeys: 'average' as const }),
  });
  return {
    ...query,
    axes: [...rows.axes.slice(0, last - 1), asking, values.axes[last]!],
    columns,
    inputs: [...new Set([...rows.inputs, ...values.inputs])],
    exclusive: false,
  };
}

/** (n, steps) by (steps, m): a vector of n m sums. */
function weigh({ graph, node }: NodeContext, x: Rows, y: Rows): Rows | undefined {
  const last = x.axes.length - 1;
  const [n, m] = [x.axes[last - 1]!, y.axes[last]!];
  if (!isFeature(n) || !isFeature(m)) return undefined;
  const columns = graph.builder.steps.weightedSum(x, y, node.name || (node.outputs[0] ?? ''));
  return {
    ...x,
    kind: 'vector',
    axes: [...x.axes.slice(0, last - 1), [feature(featureSize(n))], [feature(featureSize(m))]],
    columns,
    inputs: [...new Set([...x.inputs, ...y.inputs])],
    reversed: false,
    exclusive: false,
  };
}
