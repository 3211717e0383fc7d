import { nodeError } from '../attributes.ts';
import { floatsOf, requireConstant, requireInput } from '../constants.ts';
import type { NodeContext, Operator } from '../context.ts';
import {
  axesText,
  feature,
  featureSize,
  isFeature,
  role,
  selectColumns,
  width,
  type Constant,
  type Rows,
} from '../value.ts';
import { multiplyRows } from './attention.ts';
import { floatRows, layerName } from './columns.ts';

/** A factor of the sum, and its axes by letter. */
interface Operand {
  value: Rows | Constant;
  letters: string;
}

/** Axes by letter: `btgi,gih->btgh`. */
function letters({ attributes, inputs, node }: NodeContext): { of: string[]; out: string } {
  const equation = (attributes.text('equation') ?? '').replaceAll(' ', '');
  const [, left = '', out = ''] = /^([a-zA-Z]+(?:,[a-zA-Z]+)+)->([a-zA-Z]+)$/.exec(equation) ?? [];
  const of = left.split(',');
  const isOnce = (list: string) => new Set(list).size === list.length;
  if (out === '' || ![...of, out].every(isOnce))
    throw nodeError(node, `attribute 'equation' '${equation}' is not supported; supported: as btgi,gih->btgh`);
  if (of.length !== inputs.length)
    throw nodeError(
      node,
      `attribute 'equation' '${equation}' is of ${of.length} inputs, it has ${inputs.length}`,
      'invalid_file',
    );
  return { of, out };
}

/** Two computed values as a MatMul has them: `bqd,bkd->bqk`, `bqk,bkd->bqd`, with or without each of the axes that stays. */
function productOfRows(context: NodeContext, first: Rows, second: Rows, named: [string, string, string]): Rows {
  const out = named[2];
  const [x, a] = withoutOnes(first, named[0], named[1] + out);
  const [y, b] = withoutOnes(second, named[1], named[0] + out);
  const isIn = (letter: string, ...lists: string[]) => lists.every((list) => list.includes(letter));
  const lead = Array.from(out).filter((letter) => isIn(letter, a, b));
  const [sum, ...sums] = Array.from(a).filter((letter) => isIn(letter, b) && !isIn(letter, out));
  const [own, other] = [a, b].map((list) => Array.from(list).filter((letter) => !isIn(letter, a, b)));
  const [left, right] = [own!.join(''), other!.join('')];
  const isPlain = sum !== undefined && sums.length === 0 && left.length <= 1 && right.length <= 1;
  const fits = isPlain && a.length === x.axes.length && b.length === y.axes.length;
  if (fits && out === [...lead, right, left].join('') && left !== '' && right !== '')
    return productOfRows(context, y, x, [b, a, out]);
  if (!fits || out !== [...lead, left, right].join(''))
    throw nodeError(
      context.node,
      `attribute 'equation' '${named.slice(0, 2).join()}->${out}' of two computed values is not supported; supported: as a MatMul, bqd,bkd->bqk, bqk,bkd->bqd`,
    );
  const made = multiplyRows(
    context,
    permuted(context, x, a, [...lead, left, sum]),
    permuted(context, y, b, [...lead, sum, right]),
  );
  const isThere = [...lead.map(() => true), left !== '', right !== ''];
  return { ...made, axes: made.axes.filter((_, i) => isThere[i]) };
}

/** Without axes of size 1 that the letters of nothing else name: a sum over one entry. */
function withoutOnes(rows: Rows, letters: string, others: string): [Rows, string] {
  const isLeft = (letter: string, i: number) => others.includes(letter) || role(rows.axes[i] ?? [feature(2)]) !== 'one';
  const axes = rows.axes.filter((_, i) => isLeft(letters[i] ?? '', i));
  return [{ ...rows, axes }, Array.from(letters).filter(isLeft).join('')];
}

/** The axes that these letters name in another order; one of size 1 for no letter. */
function permuted({ graph }: NodeContext, rows: Rows, from: string, to: readonly string[]): Rows {
  const order = to.flatMap((letter) => (letter === '' ? [] : [from.indexOf(letter)]));
  const columns = rows.scores ? rows.columns : selectColumns(rows, [], order, graph.budget);
  const axes = to.map((letter) => (letter === '' ? [] : rows.axes[from.indexOf(letter)]!));
  return { ...rows, axes, columns, exclusive: false };
}

/** The two that come next: a value and a constant that are summed over an axis of both at once, where there are such. */
function nextTwo(operands: readonly Operand[], out: string): [Operand, Operand] {
  const isSummed = (letter: string) =>
    !out.includes(letter) && operands.filter((one) => one.letters.includes(letter)).length === 2;
  const constants = operands.filter(({ value }) => value.type === 'constant');
  const values = operands.filter(({ value }) => value.type === 'rows');
  for (const x of values) {
    const w = constants.find((one) =>
      Array.from(one.letters).some((letter) => x.letters.includes(letter) && isSummed(letter)),
    );
    if (w) return [x, w];
  }
  const [x, w] = [...values, ...constants];
  return [x!, w!];
}

/** The axes of the product of two: those that are still needed, of a linear layer's result in the place of what it sums. */
function lettersOf(x: Operand, w: Operand, needed: ReadonlySet<string>): string {
  const isNeeded = (letter: string) => needed.has(letter);
  const [a, b] = [x, w].map((one) => Array.from(one.letters)) as [string[], string[]];
  const own = b.filter((letter) => isNeeded(letter) && !a.includes(letter));
  if (w.value.type === 'rows') {
    const shared = (letter: string) => b.includes(letter);
    const left = a.filter(isNeeded);
    return [...left.filter(shared), ...left.filter((letter) => !shared(letter)), ...own].join('');
  }
  const sum = a.find((letter) => !isNeeded(letter));
  return a.flatMap((letter) => (letter === sum ? own : isNeeded(letter) ? [letter] : [])).join('');
}

/** Two at a time. */
export const einsum: Operator = (context) => {
  const { of, out } = letters(context);
  let operands = of.map((list, i): Operand => ({ value: requireInput(context, i), letters: list }));
  while (operands.length > 1) {
    const [x, w] = nextTwo(operands, out);
    const rest = operands.filter((one) => one !== x && one !== w);
    const made = rest.length === 0 ? out : lettersOf(x, w, new Set([...rest.map((one) => one.letters), out].join('')));
    const value = productOfTwo({ ...context, inputs: [x.value, w.value] }, [x.letters, w.letters, made]);
    operands = [{ value, letters: made }, ...rest];
  }
  return operands.map(({ value }) => value);
};

/** Linear layers of the features of a row, or one of each of their groups: a matrix that is zero between groups. */
function productOfTwo(context: NodeContext, named: [string, string, string]): Rows {
  const { graph, node } = context;
  const [x, w, y] = named;
  const first = requireInput(context, 0);
  const rows = first.type === 'rows' && first.scores ? first : floatRows(context, 0);
  const second = requireInput(context, 1);
  if (second.type === 'rows') return productOfRows(context, rows, floatRows(context, 1), named);
  const matrix = requireConstant(context, 1, 'the matrix');
  const { shape, data } = floatsOf(context, matrix, 'the matrix');
  const summed = Array.from(x).filter((letter) => !y.includes(letter));
  const grouped = Array.from(x).filter((letter) => w.includes(letter) && y.includes(letter));
  const made = Array.from(w).filter((letter) => !x.includes(letter));
  // a vector is a matrix of one column, which the result has no axis for
  const [sum, out = ''] = [summed[0]!, made[0]];
  const isLinear = summed.length === 1 && made.length <= 1 && grouped.length <= 1 && w.includes(sum) && y.includes(out);
  const fits =
    isLinear &&
    Array.from(x)
      .map((letter) => (letter === sum ? out : letter))
      .join('') === y;
  const isFit =
    x.length === rows.axes.length && w.length === shape.length && w.length === 1 + made.length + grouped.length;
  const refuse = () =>
    nodeError(
      node,
      `multiplies ${axesText(rows.axes)} by [${shape.join(', ')}]; supported: linear layers of features, or of groups of them`,
    );
  if (!fits || !isFit) throw refuse();
  const roles = Array.from(x).map((letter) => (w.includes(letter) ? ('feature' as const) : undefined));
  const known = graph.demand(rows, roles) && Array.from(x).every((letter, i) => w.includes(letter) === isFeature(rows.axes[i]!) || featureSize(rows.axes[i]!) === 1); // prettier-ignore
  const size = (letter: string) => shape[w.indexOf(letter)]!;
  const stride = (letter: string) => shape.slice(w.indexOf(letter) + 1).reduce((n, d) => n * d, 1);
  const groups = grouped.length > 0 ? size(grouped[0]!) : 1;
  const isOrdered = grouped.length === 0 || x.indexOf(grouped[0]!) < x.indexOf(sum);
  const sizes = Array.from(x).every((letter, i) => !w.includes(letter) || featureSize(rows.axes[i]!) === size(letter));
  const [inputs, outputs] = [size(sum), out === '' ? 1 : size(out)];
  if (!known || !isOrdered || !sizes || width(rows) !== groups * inputs) throw refuse();
  const [inputSize, outputSize] = [groups * inputs, groups * outputs];
  graph.budget.spend(4 * inputSize * outputSize);
  const kernel = new Float32Array(inputSize * outputSize);
  for (let g = 0; g < groups; g++) {
    for (let o = 0; o < outputs; o++) {
      for (let i = 0; i < inputs; i++) {
        const from = (grouped.length > 0 ? g * stride(grouped[0]!) : 0) + i * stride(sum) + o * stride(out);
        kernel[(g * outputs + o) * inputSize + g * inputs + i] = data[from]!;
      }
    }
  }
  const axes = rows.axes.flatMap((axis, i) => (x[i] !== sum ? [axis] : out === '' ? [] : [[feature(outputs)]]));
  const result = graph.builder.dense(rows, layerName(context), { inputSize, outputSize, weights: { kernel } }, axes);
  graph.place(matrix, `${result.columns[0]?.ref ?? ''}/kernel`);
  return result;
}
