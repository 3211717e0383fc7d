import protobuf from 'protobufjs';
import { GATES } from './cases.ts';
import type { Task } from './engine.ts';
import { swapEach } from './task.ts';

/** The part of https://github.com/onnx/onnx/blob/main/onnx/onnx.proto that these operators need. */
const { root } = protobuf.parse(`
  syntax = "proto2";
  message ModelProto { optional int64 ir_version = 1; optional GraphProto graph = 7; repeated OperatorSetId opset_import = 8; }
  message OperatorSetId { optional string domain = 1; optional int64 version = 2; }
  message GraphProto {
    repeated NodeProto node = 1; optional string name = 2; repeated TensorProto initializer = 5;
    repeated ValueInfoProto input = 11; repeated ValueInfoProto output = 12;
  }
  message NodeProto { repeated string input = 1; repeated string output = 2; optional string op_type = 4; repeated AttributeProto attribute = 5; optional string domain = 7; }
  message AttributeProto { optional string name = 1; optional int64 i = 3; optional bytes s = 4; repeated int64 ints = 8; optional int32 type = 20; }
  message TensorProto { repeated int64 dims = 1; optional int32 data_type = 2; optional string name = 8; optional bytes raw_data = 9; }
  message ValueInfoProto { optional string name = 1; optional TypeProto type = 2; }
  message TypeProto { optional TensorType tensor_type = 1; message TensorType { optional int32 elem_type = 1; optional Shape shape = 2; } }
  message Shape { repeated Dimension dim = 1; message Dimension { optional int64 dim_value = 1; } }
`);
const FLOAT = 1;
const INT64 = 7;
const ATTRIBUTE = { int: 2, string: 3, ints: 7 };

const tensor = (name: string, dims: number[], data: Float32Array | BigInt64Array) => ({
  name,
  dims,
  dataType: data instanceof Float32Array ? FLOAT : INT64,
  rawData: new Uint8Array(data.buffer, data.byteOffset, data.byteLength),
});
const value = (name: string, shape: number[]) => ({
  name,
  type: { tensorType: { elemType: FLOAT, shape: { dim: shape.map((dimValue) => ({ dimValue })) } } },
});
const int = (name: string, i: number) => ({ name, i, type: ATTRIBUTE.int });

/** Puts the arrays one after another. */
function concat(arrays: Float32Array[]): Float32Array {
  const all = new Float32Array(arrays.reduce((n, a) => n + a.length, 0));
  let at = 0;
  for (const array of arrays) {
    all.set(array, at);
    at += array.length;
  }
  return all;
}

/** Blocks of rows from the order of ours (z, r, n; i, f, g, o) to the operator's (z, r, h; i, o, f, c). */
const ORDER = { gru: [0, 1, 2], lstm: [0, 3, 1, 2], rnn: [0] };

/** The task as the bytes of an ONNX model, in the operator's own layout. */
export function onnxModel(task: Task): Uint8Array {
  const { taps, heads } = task.case;
  if (taps !== undefined) return convolution(task, taps);
  return heads === undefined ? recurrent(task) : attention(task, heads);
}

/** x (batch, inputSize, steps) to y (batch, hiddenSize, steps) by Conv, padded before the first step. */
function convolution({ case: c, layers }: Task, taps: number): Uint8Array {
  const { inputSize: I, hiddenSize: O, steps, batch } = c;
  const { input, bias } = layers[0]![0]!;
  // (outputs, taps, inputs) to (outputs, inputs, taps)
  const kernel = swapEach(input, O, taps);
  const pads = { name: 'pads', ints: [taps - 1, 0], type: ATTRIBUTE.ints };
  return modelOf({
    node: [{ opType: 'Conv', input: ['x', 'W', 'B'], output: ['y'], attribute: [pads] }],
    initializer: [tensor('W', [O, I, taps], kernel), tensor('B', [O], bias)],
    input: [value('x', [batch, I, steps])],
    output: [value('y', [batch, O, steps])],
  });
}

/** x to y, (batch, steps, inputSize) both: by com.microsoft.MultiHeadAttention, its operator for this. */
function attention({ case: c }: Task, heads: number): Uint8Array {
  const shape = [c.batch, c.steps, c.inputSize];
  const node = { opType: 'MultiHeadAttention', domain: 'com.microsoft', input: ['x', 'x', 'x'], output: ['y'] };
  return modelOf({
    node: [{ ...node, attribute: [int('num_heads', heads)] }],
    initializer: [],
    input: [value('x', shape)],
    output: [value('y', shape)],
  });
}

function modelOf(graph: { node: object[]; initializer: object[]; input: object[]; output: object[] }): Uint8Array {
  const model = root.lookupType('ModelProto');
  const opsetImport = [
    { domain: '', version: 14 },
    { domain: 'com.microsoft', version: 1 },
  ];
  return model.encode(model.fromObject({ irVersion: 8, opsetImport, graph: { name: 'graph', ...graph } })).finish();
}

/**
 * x (steps, batch, inputSize) and h0 to y (steps, batch, directions * hiddenSize) and the final state. As PyTorch exports it: each
 * operator's (steps, directions, batch, hiddenSize) is transposed and reshaped, where there are two directions or layers to join.
 */
function recurrent({ case: c, layers, h0 }: Task): Uint8Array {
  const { hiddenSize: H, batch, cell, resetAfter } = c;
  const G = GATES[cell];
  const steps = c.kind === 'step' ? 1 : c.steps;
  const initializer: ReturnType<typeof tensor>[] = [];
  const node: object[] = [];
  const takesState = c.kind === 'step' || h0 !== undefined;
  const ordered = (data: Float32Array) => {
    const block = data.length / G;
    return concat(ORDER[cell].map((gate) => data.subarray(gate * block, (gate + 1) * block)));
  };
  let from = 'x';
  layers.forEach((layer, l) => {
    const D = layer.length;
    const [W, R, B] = [`W${l}`, `R${l}`, `B${l}`];
    const inputs = layer[0]!.input.length / (G * H);
    const recurrentBias = layer.map(({ recurrentBias }) => {
      const all = new Float32Array(G * H);
      if (recurrentBias) all.set(recurrentBias, 2 * H);
      return all;
    });
    initializer.push(
      tensor(W, [D, G * H, inputs], concat(layer.map((w) => ordered(w.input)))),
      tensor(R, [D, G * H, H], concat(layer.map((w) => ordered(w.recurrent)))),
      tensor(B, [D, 2 * G * H], concat(layer.flatMap((w, d) => [ordered(w.bias), recurrentBias[d]!]))),
    );
    const joins = layers.length > 1 || D > 1;
    const isLast = l === layers.length - 1;
    const y = isLast ? 'y' : `y${l}`;
    node.push({
      opType: cell.toUpperCase(),
      input: [from, W, R, B, '', ...(takesState ? ['h0'] : [])],
      output: [joins ? `rows${l}` : y, ...(isLast ? ['state'] : [])],
      attribute: [
        int('hidden_size', H),
        ...(cell === 'gru' ? [int('linear_before_reset', Number(resetAfter))] : []),
        ...(D === 2
          ? [{ name: 'direction', s: new TextEncoder().encode('bidirectional'), type: ATTRIBUTE.string }]
          : []),
      ],
    });
    if (joins) {
      initializer.push(tensor(`shape${l}`, [3], BigInt64Array.of(0n, 0n, -1n)));
      const attribute = [{ name: 'perm', ints: [0, 2, 1, 3], type: ATTRIBUTE.ints }];
      node.push({ opType: 'Transpose', input: [`rows${l}`], output: [`joined${l}`], attribute });
      node.push({ opType: 'Reshape', input: [`joined${l}`, `shape${l}`], output: [y] });
    }
    from = y;
  });
  const D = layers.at(-1)!.length;
  const joined = layers.length > 1 || D > 1;
  return modelOf({
    node,
    initializer,
    input: [value('x', [steps, batch, c.inputSize]), ...(takesState ? [value('h0', [D, batch, H])] : [])],
    output: [
      value('y', joined ? [steps, batch, D * H] : [steps, D, batch, H]),
      ...(c.kind === 'step' ? [value('state', [D, batch, H])] : []),
    ],
  });
}
