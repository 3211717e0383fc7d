import type { PadSpec } from '../../../spec/spec.ts';
import { nodeError } from '../attributes.ts';
import { axisIndex, plainIntegers, numbersOf, requireConstant, requireInput } from '../constants.ts';
import type { NodeContext, Operator } from '../context.ts';
import { axesText, checkParts, featureSize, role, type Rows } from '../value.ts';
import { floatRows, layerName } from './columns.ts';
import { pickRows } from './parts.ts';
import { asFloats } from './whole.ts';

const MODES = { constant: 'constant', edge: 'edge', reflect: 'reflect' } as const;

/** Entries before and behind each axis, as attributes or, from opset 11 on, inputs say it. */
function padsOf(context: NodeContext, rank: number): [number, number][] {
  const { attributes, inputs, node, opset } = context;
  const pads = opset < 11 ? attributes.ints('pads') : plainIntegers(context, requireInput(context, 1), 'pads');
  const given = opset >= 18 ? inputs[3] : undefined;
  const axes = given ? plainIntegers(context, given, 'axes') : Array.from({ length: rank }, (_, i) => i);
  const count = axes.length;
  const isSteps = (n: number) => Math.abs(n) <= 2 ** 24;
  if (pads?.length !== 2 * count || !pads.every(isSteps) || new Set(axes).size !== count)
    throw nodeError(node, `pads and axes do not fit ${rank} dimensions`, 'invalid_file');
  const all = Array.from<unknown, [number, number]>({ length: rank }, () => [0, 0]);
  axes.forEach((axis, i) => (all[axisIndex(context, axis, rank)] = [pads[i]!, pads[i + count]!]));
  return all;
}

function valueOf(context: NodeContext): number {
  const { attributes, inputs, node, opset } = context;
  if (opset < 11) return attributes.float('value') ?? 0;
  if (!inputs[2]) return 0;
  const { data } = numbersOf(context, requireConstant(context, 2, 'constant_value'), 'constant_value');
  if (data.length === 1) return data[0]!;
  throw nodeError(node, `constant_value holds ${data.length} numbers`, 'invalid_file');
}

/** Steps before and behind all others; numbers below 0 take steps away, before what is left is padded. */
export const pad: Operator = (context) => {
  const { attributes, graph, node } = context;
  const x = floatRows(context, 0);
  const name = attributes.text('mode') ?? 'constant';
  const mode = Object.hasOwn(MODES, name) ? MODES[name as keyof typeof MODES] : undefined;
  if (!mode)
    throw nodeError(node, `attribute 'mode' '${name}' is not supported; supported: ${Object.keys(MODES).join(', ')}`);
  const value = valueOf(context);
  const pads = padsOf(context, x.axes.length);
  const axes = pads.flatMap(([before, after], i) => (before === 0 && after === 0 ? [] : [i]));
  const [axis] = axes;
  if (axis === undefined) return [x];
  const inEach =
    axes.length === 1 && mode !== 'constant' ? padPositions(context, x, axis, pads[axis]!, mode) : undefined;
  if (inEach) return [inEach];
  const roles = x.axes.map((_, i) => (i === axis ? ('time' as const) : undefined));
  if (axes.length > 1 || !graph.demand(x, roles) || role(x.axes[axis]!) !== 'time')
    throw nodeError(node, `pads axis ${axes.join(', ')} of ${axesText(x.axes)}; supported: the steps`);
  const [before, after] = pads[axis]!;
  return [padSteps(context, x, before, after, { mode, ...(mode === 'constant' && value !== 0 ? { value } : {}) })];
};

/** Features of each step, where the file fixes them and the graph is read in no other way: those at the ends again. */
function padPositions(
  context: NodeContext,
  x: Rows,
  axis: number,
  pads: [number, number],
  mode: 'edge' | 'reflect',
): Rows | undefined {
  const [before, after] = pads;
  const size = featureSize(x.axes[axis]!);
  const fits = Math.min(before, after) >= 0 && (mode === 'edge' || Math.max(before, after) < size);
  if (!context.graph.flattensSteps() || x.kind !== 'sequence' || role(x.axes[axis]!) !== 'feature' || !fits)
    return undefined;
  const inside = (i: number) =>
    mode === 'edge' ? Math.min(Math.max(i, 0), size - 1) : size - 1 - Math.abs(size - 1 - Math.abs(i));
  const entries = Array.from({ length: checkParts(before + size + after) }, (_, i) => inside(i - before));
  return pickRows(context, x, axis, entries);
}

/** Rows with steps before the first and behind the last one; numbers below 0 take so many away. */
export function padSteps(
  context: NodeContext,
  given: Rows,
  before: number,
  after: number,
  fill: Pick<PadSpec, 'mode' | 'value'>,
): Rows {
  const { graph } = context;
  const { steps } = graph.builder;
  const name = layerName(context);
  const rows = asFloats(context, given);
  const [first, last] = rows.reversed ? [after, before] : [before, after];
  const away = { before: Math.min(first, 0), after: Math.min(last, 0) };
  const cropped = away.before < 0 || away.after < 0 ? steps.pad(rows, name, away) : rows;
  const put = { before: Math.max(first, 0), after: Math.max(last, 0) };
  return put.before > 0 || put.after > 0 ? steps.pad(cropped, name, { ...put, ...fill }) : cropped;
}
