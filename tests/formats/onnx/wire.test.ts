import { BinaryWriter, WireType } from '@bufbuild/protobuf/wire';
import { describe, expect, test } from 'vitest';
import { readOnnx } from '../../../ts/formats/onnx.ts';
import { onnxModel, tensor, type Attribute, type Node } from './build.ts';

/** What protobuf allows and no ONNX file has, or what a reader may take for something else. */

const relu: Node = { op: 'Relu', inputs: ['x'], outputs: ['y'], name: 'relu' };
const plain = (name = 'y') =>
  onnxModel({
    nodes: [{ ...relu, outputs: [name] }],
    inputs: [{ name: 'x', shape: ['t', 'b', 4] }],
    outputs: [name],
  });

const message = (fill: (w: BinaryWriter) => BinaryWriter): Uint8Array => fill(new BinaryWriter()).finish();
const join = (...parts: (Uint8Array | number[])[]) => Uint8Array.from(parts.flatMap((part) => [...part]));
const refused = async (bytes: Uint8Array, code: string, text: RegExp) => {
  await expect(readOnnx(bytes)).rejects.toMatchObject({
    name: 'GruError',
    code,
    message: expect.stringMatching(text) as string,
  });
};
/** The bytes with one place replaced, which has to be there once. */
function patched(bytes: Uint8Array, from: number[], to: number[]): Uint8Array {
  const places = [...bytes.keys()].filter((at) => from.every((byte, i) => bytes[at + i] === byte));
  expect(places).toHaveLength(1);
  return join(bytes.subarray(0, places[0]), to, bytes.subarray(places[0]! + from.length));
}

test('a file as it should be', async () => {
  expect((await readOnnx(plain())).spec.outputs).toMatchObject([{ name: 'y' }]);
});

describe('varints', () => {
  const [DOC, VERSION] = [6, 5];
  const tag = (field: number, wire: 0 | 2) => (field << 3) | wire;
  test.each<[string, number[]]>([
    ['a number of 11 bytes', [tag(1, 0), ...Array<number>(10).fill(0x80), 0]],
    ['a number of 65 bits', [tag(1, 0), ...Array<number>(9).fill(0xff), 2]],
    ['a skipped number of 11 bytes', [tag(VERSION, 0), ...Array<number>(10).fill(0x80), 0]],
    ['a number without an end', [tag(VERSION, 0), 0x80, 0x80]],
    ['a length of 2^32', [tag(DOC, 2), 0x80, 0x80, 0x80, 0x80, 0x10]],
    ['a length of 6 bytes', [tag(DOC, 2), 0x80, 0x80, 0x80, 0x80, 0x80, 0]],
    ['a length of 2^32 for a text', [tag(2, 2), 0x81, 0x80, 0x80, 0x80, 0x10, 0x61]],
    ['a tag of 2^32', [0x80, 0x80, 0x80, 0x80, 0x10]],
    ['a tag of 6 bytes', [0x8a, 0x80, 0x80, 0x80, 0x80, 0]],
    ['field 0', [0, 0]],
    ['a length beyond the end', [tag(DOC, 2), 0xff, 0xff, 0xff, 0xff, 0x0f]],
  ])('%s', async (_, bytes) => {
    await refused(join(plain(), bytes), 'invalid_file', /damaged/);
  });

  test('the longest ones are read', async () => {
    // -1 takes ten bytes
    const version = message((w) => w.tag(VERSION, WireType.Varint).int64(-1).tag(1, WireType.Varint).int64(-1));
    expect((await readOnnx(join(plain(), version))).spec.layers).toHaveLength(1);
  });
});

describe('wire types', () => {
  const field = (number: number, wire: WireType) => message((w) => w.tag(number, wire));
  test.each<[string, Uint8Array]>([
    ['a group', join(field(6, WireType.StartGroup), field(6, WireType.EndGroup))],
    ['groups inside each other', join(...Array.from({ length: 5000 }, () => field(6, WireType.StartGroup)))],
    ['the end of a group', field(6, WireType.EndGroup)],
    ['a group for a message that is read', join(field(7, WireType.StartGroup), field(7, WireType.EndGroup))],
    ['a number for a text', message((w) => w.tag(2, WireType.Varint).int64(1))],
    ['a text for a number', message((w) => w.tag(1, WireType.LengthDelimited).string('a'))],
    ['type 6', Uint8Array.of((6 << 3) | 6)],
    ['type 7', Uint8Array.of((6 << 3) | 7)],
  ])('%s', async (_, bytes) => {
    await refused(join(plain(), bytes), 'invalid_file', /damaged/);
  });

  test('a group in place of an attribute that is skipped', async () => {
    const group = [(6 << 3) | WireType.StartGroup, (6 << 3) | WireType.EndGroup];
    const attribute = message((w) => w.tag(1, WireType.LengthDelimited).string('alpha').raw(Uint8Array.from(group)));
    const node = message((w) => {
      w.tag(1, WireType.LengthDelimited).string('x').tag(2, WireType.LengthDelimited).string('y');
      return w.tag(4, WireType.LengthDelimited).string('Relu').tag(5, WireType.LengthDelimited).bytes(attribute);
    });
    const graph = message((w) => w.tag(1, WireType.LengthDelimited).bytes(node));
    await refused(
      message((w) => w.tag(7, WireType.LengthDelimited).bytes(graph)),
      'invalid_file',
      /group/,
    );
  });
});

describe('text that is no UTF-8', () => {
  const [long, bad] = [[...Buffer.from('name_of_y')], 0xff];

  test('in a name', async () => {
    const bytes = plain('name_of_y');
    const at = Buffer.from(bytes).indexOf(Buffer.from(long));
    const broken = bytes.slice();
    broken[at] = bad;
    await refused(broken, 'invalid_file', /damaged/);
  });

  test('in a string attribute: of a node that is needed, and of another', async () => {
    const file = (outputs: string[]) =>
      onnxModel({
        nodes: [relu, { op: 'Softmax', inputs: ['y'], outputs: ['z'], name: 's', attributes: { axis: 'blob' } }],
        inputs: [{ name: 'x', shape: ['t', 'b', 4] }],
        outputs,
      });
    const blob = [...Buffer.from('blob')];
    const break_ = (bytes: Uint8Array) => patched(bytes, blob, [0xc3, 0x28, 0xff, 0xfe]);
    await refused(break_(file(['z'])), 'unsupported', /'axis' is no text in UTF-8/);
    expect((await readOnnx(break_(file(['y'])))).spec.layers).toHaveLength(1);
  });
});

describe('whole numbers beyond 2^53', () => {
  const huge = 2n ** 53n + 1n;
  const int64 = (name: string, values: bigint[]) => tensor(name, [values.length], values as never, 7);
  const graph = (nodes: Node[], initializers: Uint8Array[] = [], opset = 17) =>
    onnxModel({
      opset,
      nodes: [...nodes, { op: 'Reshape', inputs: ['x', 's'], outputs: ['r'] }, { ...relu, inputs: ['r'] }],
      inputs: [{ name: 'x', shape: ['t', 'b', 4] }],
      outputs: ['y'],
      initializers,
    });
  const node = (op: string, inputs: string[], output: string, attributes: Record<string, Attribute> = {}): Node => ({
    op,
    inputs,
    outputs: [output],
    name: output,
    attributes,
  });

  test.each(['Add', 'Sub', 'Mul', 'Div', 'Equal', 'Less', 'Greater'])('%s', async (op) => {
    const last = op === 'Equal' || op === 'Less' || op === 'Greater' ? node('Cast', ['c'], 's', { to: 7 }) : undefined;
    const nodes = [node(op, ['a', 'b'], last ? 'c' : 's'), ...(last ? [last] : [])];
    const of = (a: bigint, b: bigint) => graph(nodes, [int64('a', [a]), int64('b', [b])]);
    await refused(of(huge, 2n ** 53n), 'unsupported', new RegExp(`${op} node .*2\\^53`));
    await refused(of(3n, -(2n ** 62n)), 'unsupported', new RegExp(`${op} node .*2\\^53`));
  });

  test.each<[string, Node[]]>([
    ['a product of small ones', [node('Mul', ['a', 'b'], 's')]],
    ['their reduction', [node('Concat', ['a', 'b'], 'c', { axis: 0 }), node('ReduceProd', ['c'], 's')]],
    ['of a size', [node('Shape', ['x'], 'h'), node('Mul', ['h', 'a'], 'c'), node('Mul', ['c', 'b'], 's')]],
    ['Range', [node('Mul', ['a', 'a'], 'c'), node('Range', ['c', 'c', 'a'], 's')]],
  ])('%s', async (_, nodes) => {
    const file = graph(nodes, [int64('a', [2n ** 30n]), int64('b', [2n ** 30n])]);
    await refused(file, 'unsupported', /2\^53/);
  });

  test.each<[string, Attribute]>([
    ['axis', Number(huge)],
    ['axis', -(2 ** 60)],
  ])('attribute %s', async (name, value) => {
    const concat = node('Concat', ['a', 'b'], 's', { [name]: value });
    await refused(graph([concat], [int64('a', [1n]), int64('b', [1n])]), 'unsupported', /attribute 'axis' .*2\^53/);
  });

  test('ends of slices may be the largest', async () => {
    const [max, min] = [2n ** 63n - 1n, -(2n ** 63n)];
    const slice = (opset: number) => {
      const inputs = opset < 10 ? ['x'] : ['x', 'from', 'to', 'axes'];
      const attributes = { starts: [0], ends: [2 ** 62], axes: [2] };
      return onnxModel({
        opset,
        nodes: [
          { op: 'Slice', inputs, outputs: ['c'], name: 'slice', ...(opset < 10 ? { attributes } : {}) },
          { ...relu, inputs: ['c'] },
        ],
        inputs: [{ name: 'x', shape: ['t', 'b', 4] }],
        outputs: ['y'],
        initializers: [int64('from', [min]), int64('to', [max]), int64('axes', [2n])],
      });
    };
    for (const opset of [9, 17])
      expect((await readOnnx(slice(opset))).spec.layers.at(-1)).toMatchObject({ inputs: ['x'] });
  });
});

describe('shapes whose product is beyond 2^53', () => {
  const [big, many] = [2 ** 40, 16];
  const node = (op: string, inputs: string[], attributes: Record<string, Attribute> = {}): Node => ({
    op,
    inputs,
    outputs: ['z'],
    name: 'z',
    attributes,
  });
  const ints = (name: string, values: number[]) => tensor(name, [values.length], values, 7);
  // no elements: the other axes may be of any size, and nothing may walk along them
  const shapes = [[big, 2, 0], [big, 0], [0, big, big], Array<number>(many).fill(big).concat(0).slice(1)];
  const nodes = [
    node('Slice', ['e', 'zero', 'one', 'one']),
    node('Slice', ['e', 'zero', 'one', 'zero']),
    node('Gather', ['e', 'zero'], { axis: 1 }),
    node('Gather', ['e', 'zero'], { axis: 0 }),
    node('Concat', ['e', 'e'], { axis: 1 }),
    node('Concat', ['e', 'e'], { axis: 0 }),
    node('Split', ['e'], { axis: 0 }),
    node('Split', ['e'], { axis: 1 }),
    node('Transpose', ['e']),
    node('Add', ['e', 'e']),
    node('Cast', ['e'], { to: 7 }),
    node('Reshape', ['e', 'open']),
    node('Flatten', ['e']),
    node('Expand', ['e', 'one']),
    node('Tile', ['e', 'one']),
    node('ReduceSum', ['e']),
    node('Size', ['e']),
    node('MatMul', ['x', 'e']),
    node('Gather', ['e', 'x']),
  ];
  test.each(shapes.map((shape) => [shape.map((n) => (n === big ? 'B' : n)).join(' '), shape] as const))(
    '[%s]',
    async (_, shape) => {
      const empty = [tensor('e', [...shape], []), tensor('z0', [...shape], [])];
      const made = node('ConstantOfShape', ['s']);
      for (const last of nodes) {
        for (const stored of [true, false]) {
          const bytes = onnxModel({
            nodes: [...(stored ? [] : [{ ...made, outputs: ['e'] }]), last, { ...relu, op: 'Add', inputs: ['x', 'z'] }],
            inputs: [{ name: 'x', shape: ['t', 'b', 4] }],
            outputs: ['y'],
            initializers: [
              ...(stored ? empty.slice(0, 1) : [ints('s', [...shape])]),
              ints('zero', [0]),
              ints('one', [1]),
              ints('open', [0, -1]),
            ],
          });
          await expect(readOnnx(bytes)).rejects.toMatchObject({ name: 'GruError' });
        }
      }
    },
  );

  test('full ones', async () => {
    const bytes = onnxModel({
      nodes: [{ ...relu, op: 'Add', inputs: ['x', 'e'] }],
      inputs: [{ name: 'x', shape: ['t', 'b', 4] }],
      outputs: ['y'],
      initializers: [tensor('e', [2 ** 32, 2 ** 32], [1])],
    });
    await refused(bytes, 'invalid_file', /tensor 'e': the shape/);
  });

  test('of an input', async () => {
    const bytes = onnxModel({
      nodes: [relu],
      inputs: [{ name: 'x', shape: ['t', 'b', big, big] }],
      outputs: ['y'],
    });
    await refused(bytes, 'unsupported', /input 'x'.*2\^53/);
  });
});
