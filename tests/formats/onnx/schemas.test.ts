import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { GruError } from '../../../ts/base/errors.ts';
import { interpret } from '../../../ts/formats/onnx/interpret.ts';
import type { OnnxAttribute, OnnxGraph, OnnxModel, OnnxNode } from '../../../ts/formats/onnx/messages.ts';
import { operatorName } from '../../../ts/formats/onnx/messages.ts';
import { OPERATORS } from '../../../ts/formats/onnx/ops/index.ts';
import { parseModel } from '../../../ts/formats/onnx/protobuf.ts';
import { Source } from '../../../ts/formats/onnx/source.ts';
import { useAllKinds } from '../../../ts/layers/full.ts';
import { onnxModel, tensor, type Attribute, type Node } from './build.ts';
import { wordsOf } from '../refusal.ts';
import { filled } from '../../filled.ts';

useAllKinds();

/**
 * Every attribute that the standard ever gave an operator that is read (attributes.json: onnx.defs.get_all_schemas_with_history), set to
 * other values in every recorded graph: somewhere it changes what is made of the graph or is refused. One that nothing reads would be
 * a wrong number.
 */

const FIXTURES = new URL('../../fixtures/', import.meta.url).pathname;
const SCHEMAS = JSON.parse(readFileSync(join(FIXTURES, 'onnx/attributes.json'), 'utf8')) as Record<
  string,
  Record<string, string>
>;

/** Defaults of the attributes, by the opset since which they are so (of the same schemas). */
const DEFAULTS = JSON.parse(readFileSync(join(FIXTURES, 'onnx/defaults.json'), 'utf8')) as Record<
  string,
  [number, Record<string, number | string | string[]>][]
>;

/** Small graphs, each once. */
const MODELS = ['cases', 'onnx'].flatMap((root) =>
  readdirSync(join(FIXTURES, root)).flatMap((folder) => {
    const path = join(FIXTURES, root, folder);
    if (!statSync(path).isDirectory()) return [];
    const files = readdirSync(path).filter((file) => file.endsWith('.onnx'));
    return files.map((file) => join(path, file)).filter((file) => statSync(file).size < 30_000);
  }),
);

function made(model: OnnxModel): string {
  try {
    const { spec, report } = interpret(new Source(model, new Map(), {}, 1e6));
    const text = (_: string, value: unknown) =>
      ArrayBuffer.isView(value)
        ? Array.from(value as Float32Array).join()
        : typeof value === 'number'
          ? Math.fround(value)
          : value;
    return JSON.stringify([spec, report.graph], text);
  } catch (error) {
    return wordsOf(error);
  }
}

const isRefusal = (text: string) => /^[a-z_]+: /.test(text);

const READ: { name: string; model: OnnxModel; whole: string }[] = [];

/** Operators at the top of graphs that are read, a few of each. */
const FOUND = new Map<string, { model: OnnxModel; node: OnnxNode; whole: string }[]>();
function add(model: OnnxModel, name: string, only?: string): void {
  const whole = made(model);
  if (isRefusal(whole)) {
    expect(only && whole).toBeUndefined();
    return;
  }
  READ.push({ name, model, whole });
  for (const node of model.graph.nodes) {
    const list = FOUND.get(operatorName(node)) ?? [];
    if (list.length < 6 && (only ?? node.op) === node.op) list.push({ model, node, whole });
    if (list.length > 0) FOUND.set(operatorName(node), list);
  }
}
for (const file of MODELS) {
  try {
    add(parseModel(new Uint8Array(readFileSync(file))), file.slice(FIXTURES.length));
  } catch (error) {
    // some are there to be refused
    if (!(error instanceof GruError)) throw error;
  }
}

/** A graph of each operator that no small recorded one has at its top: x (batch, steps, 4), and constants. */
const constant = (name: string, shape: number[], ...data: number[]) => tensor(name, shape, data);
const whole = (name: string, shape: number[], ...data: number[]) => tensor(name, shape, data, 7);
const WEIGHTS = [
  constant('I', [4, 4], ...Array.from({ length: 16 }, (_, i) => Number(i % 5 === 0))),
  constant('two', [], 2),
  constant('slope', [4], 0.1, 0.2, 0.3, 0.4),
  constant('values', [2], 0, 1),
  whole('depth', [], 4),
  whole('steps', [], 1),
  whole('stored', [4], 1, 2, 3, 4),
  constant('factors', [4], 1, 1, 0.5, 2),
  whole('zeros', [4], 0, 1, 2, 3),
];
const branch = (op: string): Attribute => ({ graph: { nodes: [{ op, inputs: ['h'], outputs: [op] }], inputs: [], outputs: [op] } }); // prettier-ignore
const equal: Node = { op: 'Equal', inputs: ['two', 'two'], outputs: ['is'] };
const argmax: Node = { op: 'ArgMax', inputs: ['h'], outputs: ['ids'], attributes: { axis: -1, keepdims: 0 } };
const turned: Node = { op: 'Transpose', inputs: ['h'], outputs: ['c'], attributes: { perm: [0, 2, 1] } };
interface Small {
  opset?: number;
  inputs?: string[];
  attributes?: Record<string, Attribute>;
  before?: Node[];
  after?: Node[];
}
const SMALL: Record<string, Small> = {
  ...Object.fromEntries(
    ['Abs', 'Ceil', 'Celu', 'Dropout', 'Exp', 'Floor', 'Log', 'LogSoftmax', 'LpNormalization', 'Selu', 'Shrink'].map(
      (op) => [op, {}],
    ),
  ),
  ...Object.fromEntries(['Mean', 'Min', 'Sum'].map((op) => [op, { inputs: ['h', 'x'] }])),
  ...Object.fromEntries(
    ['ReduceL1', 'ReduceL2', 'ReduceLogSum', 'ReduceLogSumExp', 'ReduceMin'].map((op) => [
      op,
      { attributes: { axes: [2] } },
    ]),
  ),
  ArgMax: { attributes: { axis: -1 }, after: [{ op: 'Cast', inputs: ['p'], outputs: ['q'], attributes: { to: 1 } }] },
  CumSum: { inputs: ['h', 'steps'] },
  DequantizeLinear: {
    inputs: ['stored', 'factors', 'zeros'],
    attributes: { axis: 0 },
    opset: 21,
    after: [{ op: 'Mul', inputs: ['h', 'p'], outputs: ['q'] }],
  },
  Einsum: { inputs: ['h', 'I'], attributes: { equation: 'bti,ih->bth' } },
  Gelu: { opset: 20 },
  GroupNormalization: { opset: 21, inputs: ['c', 'factors', 'slope'], attributes: { num_groups: 2 }, before: [turned] },
  If: { inputs: ['is'], before: [equal], attributes: { then_branch: branch('Relu'), else_branch: branch('Tanh') } },
  OneHot: { inputs: ['ids', 'depth', 'values'], before: [argmax] },
  Or: {
    inputs: ['is', 'is'],
    before: [equal],
    after: [
      { op: 'Where', inputs: ['p', 'slope', 'factors'], outputs: ['w'] },
      { op: 'Mul', inputs: ['h', 'w'], outputs: ['q'] },
    ],
  },
  PRelu: { inputs: ['h', 'slope'] },
  RMSNormalization: { opset: 23, inputs: ['h', 'factors'] },
  Swish: { opset: 24 },
  Upsample: {
    opset: 9,
    inputs: ['c', 'scales'],
    before: [
      turned,
      {
        op: 'Constant',
        inputs: [],
        outputs: ['scales'],
        attributes: { value: { tensor: constant('', [3], 1, 1, 2) } },
      },
    ],
  },
};
for (const [op, { opset = 13, inputs = ['h'], attributes = {}, before = [], after = [] }] of Object.entries(SMALL)) {
  const nodes: Node[] = [
    { op: 'MatMul', inputs: ['x', 'I'], outputs: ['h'] },
    ...before,
    { op, inputs, outputs: ['p'], attributes },
    ...after,
  ];
  const outputs = [after.at(-1)?.outputs[0] ?? 'p'];
  add(parseModel(onnxModel({ opset, nodes, inputs: [{ name: 'x', shape: ['b', 't', 4] }], outputs, initializers: WEIGHTS })), op, op); // prettier-ignore
}

const TYPES: Record<string, number> = {
  FLOAT: 1,
  INT: 2,
  STRING: 3,
  TENSOR: 4,
  GRAPH: 5,
  FLOATS: 6,
  INTS: 7,
  STRINGS: 8,
};

/** Values of a type that are no operator's default. */
function values(name: string, kind: string): OnnxAttribute[] {
  const attribute = (rest: Partial<OnnxAttribute>): OnnxAttribute => ({ name, type: TYPES[kind]!, ...rest });
  switch (kind) {
    case 'INT':
      return [2, 1, 0, -2, 7].map((i) => attribute({ i }));
    case 'FLOAT':
      return [0.37, 2.5].map((f) => attribute({ f }));
    case 'STRING':
      return ['reverse', 'SAME_UPPER', 'tanh', 'unheard-of'].map((s) => attribute({ s }));
    case 'INTS':
      return [[2], [0], [1, 1], [2, 2], [3, 1]].map((ints) => attribute({ ints }));
    case 'FLOATS':
      return [[0.3], [0.3, 0.4, 0.5]].map((floats) => attribute({ floats }));
    case 'STRINGS':
      return [['Relu'], ['Relu', 'Relu'], ['Relu', 'Relu', 'Relu']].map((strings) => attribute({ strings }));
    default:
      return [attribute({ other: 'something else' })];
  }
}

/** The model with another attribute in one of its nodes. */
function withAttribute(model: OnnxModel, node: OnnxNode, attribute: OnnxAttribute): OnnxModel {
  const own = { ...node, attributes: [...node.attributes.filter(({ name }) => name !== attribute.name), attribute] };
  return { ...model, graph: { ...model.graph, nodes: model.graph.nodes.map((one) => (one === node ? own : one)) } };
}

/** What changes no result, for a reason. */
const HARMLESS: Record<string, string> = {
  'BatchNormalization.momentum': 'of training',
  'Dropout.ratio': 'of training',
  'Dropout.seed': 'of training',
  'Dropout.is_test': 'of training',
  'Cast.saturate': 'of casts to 8 bits',
  'Cast.round_mode': 'of casts to 8 bits',
  'LayerNormalization.stash_type': 'float32 is what is computed in',
  'RMSNormalization.stash_type': 'float32 is what is computed in',
  'GroupNormalization.stash_type': 'float32 is what is computed in',
  'MaxPool.storage_order': 'of indices, which are refused',
  'Resize.cubic_coeff_a': 'of the mode cubic, which is refused',
  'Resize.exclude_outside': 'of the mode cubic, which is refused',
  'Resize.extrapolation_value': 'of tf_crop_and_resize, which is refused',
  'Reshape.allowzero': 'no size of these graphs is 0',
  'DequantizeLinear.output_dtype': 'all are float32',
  ...Object.fromEntries(
    [
      'ReduceL1',
      'ReduceL2',
      'ReduceLogSum',
      'ReduceLogSumExp',
      'ReduceMax',
      'ReduceMean',
      'ReduceMin',
      'ReduceProd',
      'ReduceSum',
      'ReduceSumSquare',
    ].map((op) => [`${op}.noop_with_empty_axes`, 'axes are given']),
  ),
  'ReduceMax.keepdims': 'of sizes here, which are scalars either way',
  'ReduceProd.keepdims': 'of sizes here, which are scalars either way',
};

describe('attributes of the standard', () => {
  test('what is harmless is of the standard', () => {
    const stray = Object.keys(HARMLESS).filter((name) => !SCHEMAS[name.split('.')[0]!]?.[name.split('.')[1]!]);
    expect(stray).toEqual([]);
  });

  const known = Object.keys(SCHEMAS).filter((op) => Object.hasOwn(OPERATORS, op));

  test('are those of all operators that are read', () => {
    expect(known.filter((op) => !FOUND.has(op))).toEqual([]);
  });

  test.each(known.filter((op) => FOUND.has(op)))('%s', (op) => {
    const unread = Object.entries(SCHEMAS[op]!).filter(([name, kind]) => {
      const where = FOUND.get(op)!;
      return !where.some(({ model, node, whole }) =>
        values(name, kind).some((attribute) => made(withAttribute(model, node, attribute)) !== whole),
      );
    });
    expect(unread.map(([name]) => `${op}.${name}`).filter((name) => !Object.hasOwn(HARMLESS, name))).toEqual([]);
    const { model, node } = FOUND.get(op)![0]!;
    expect(made(withAttribute(model, node, { name: 'unheard_of', type: 2, i: 1 }))).toSatisfy(isRefusal);
  });
});

/** The graph with each attribute that is left out as what its operator takes it for. */
function withDefaults(graph: OnnxGraph, opset: number): OnnxGraph {
  const nodes = graph.nodes.map((node) => {
    const own = node.attributes.map((attribute) =>
      attribute.g ? { ...attribute, g: withDefaults(attribute.g, opset) } : attribute,
    );
    const [, defaults = {}] = DEFAULTS[operatorName(node)]?.findLast(([since]) => opset >= since) ?? [];
    const others = Object.entries(defaults).flatMap(([name, value]): OnnxAttribute[] => {
      if (own.some((attribute) => attribute.name === name)) return [];
      const kind = SCHEMAS[node.op]![name]!;
      const field = { INT: 'i', FLOAT: 'f', STRING: 's', STRINGS: 'strings' }[kind]!;
      return [{ name, type: TYPES[kind]!, [field]: value }];
    });
    return { ...node, attributes: [...own, ...others] };
  });
  return { ...graph, nodes };
}

test.each(filled(READ, 'graphs that are read'))('written defaults change nothing: $name', ({ model, whole }) => {
  expect(made({ ...model, graph: withDefaults(model.graph, model.opset) })).toBe(whole);
});
