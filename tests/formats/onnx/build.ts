import { BinaryWriter, WireType } from '@bufbuild/protobuf/wire';

/** Writes ONNX models for tests: the messages of onnx.proto, as far as tests need them. */

export type Attribute =
  | number
  | string
  | number[]
  | string[]
  | { float: number }
  | { floats: number[] }
  | { tensor: Uint8Array }
  /** In a function: the attribute of this name of the node that calls it, of a type. */
  | { ref: string; type: number }
  | { graph: Graph };

export interface Node {
  op: string;
  inputs: string[];
  outputs: string[];
  name?: string;
  domain?: string;
  overload?: string;
  attributes?: Record<string, Attribute>;
  metadata?: Record<string, string>;
}

export interface Info {
  name: string;
  /** TensorProto.DataType; 1 is float. */
  dtype?: number;
  /** Undefined: the file says none. */
  shape?: (number | string)[] | undefined;
}

export interface Graph {
  nodes: Node[];
  inputs: Info[];
  /** A name alone is a scalar by what it says: readers of ours do not look. */
  outputs: (string | Info)[];
  initializers?: Uint8Array[];
}

export interface OnnxFunction {
  name: string;
  domain?: string;
  overload?: string;
  inputs: string[];
  outputs: string[];
  attributes?: string[];
  /** Attributes that a call may leave out. */
  defaults?: Record<string, Attribute>;
  nodes: Node[];
  opset?: number;
}

export interface Model extends Graph {
  opset?: number;
  producer?: string;
  functions?: OnnxFunction[];
}

const LENGTH = WireType.LengthDelimited;

function message(fill: (writer: BinaryWriter) => void): Uint8Array {
  const writer = new BinaryWriter();
  fill(writer);
  return writer.finish();
}

function put(writer: BinaryWriter, field: number, bytes: Uint8Array): void {
  writer.tag(field, LENGTH).bytes(bytes);
}

/** TensorProto with raw float32 or (dtype 7) int64 data. */
export function tensor(name: string, shape: number[], values: ArrayLike<number>, dtype: 1 | 7 = 1): Uint8Array {
  const data = dtype === 1 ? Float32Array.from(values) : BigInt64Array.from(Array.from(values, BigInt));
  return message((w) => {
    for (const size of shape) w.tag(1, WireType.Varint).int64(size);
    w.tag(2, WireType.Varint).int32(dtype).tag(8, LENGTH).string(name);
    put(w, 9, new Uint8Array(data.buffer));
  });
}

function attribute(name: string, value: Attribute): Uint8Array {
  return message((w) => {
    w.tag(1, LENGTH).string(name);
    const type = (code: number) => w.tag(20, WireType.Varint).int32(code);
    if (typeof value === 'number') {
      w.tag(3, WireType.Varint).int64(value);
      type(2);
    } else if (typeof value === 'string') {
      w.tag(4, LENGTH).string(value);
      type(3);
    } else if (Array.isArray(value)) {
      for (const item of value) {
        if (typeof item === 'string') w.tag(9, LENGTH).string(item);
        else w.tag(8, WireType.Varint).int64(item);
      }
      type(typeof value[0] === 'string' ? 8 : 7);
    } else if ('float' in value) {
      w.tag(2, WireType.Bit32).float(value.float);
      type(1);
    } else if ('floats' in value) {
      for (const item of value.floats) w.tag(7, WireType.Bit32).float(item);
      type(6);
    } else if ('ref' in value) {
      w.tag(21, LENGTH).string(value.ref);
      type(value.type);
    } else if ('graph' in value) {
      put(w, 6, graph(value.graph));
      type(5);
    } else {
      put(w, 5, value.tensor);
      type(4);
    }
  });
}

function node({ op, inputs, outputs, name = '', domain, overload, attributes = {}, metadata = {} }: Node): Uint8Array {
  return message((w) => {
    for (const input of inputs) w.tag(1, LENGTH).string(input);
    for (const output of outputs) w.tag(2, LENGTH).string(output);
    w.tag(3, LENGTH).string(name).tag(4, LENGTH).string(op);
    for (const [key, value] of Object.entries(attributes)) put(w, 5, attribute(key, value));
    if (domain !== undefined) w.tag(7, LENGTH).string(domain);
    if (overload !== undefined) w.tag(8, LENGTH).string(overload);
    for (const [key, value] of Object.entries(metadata))
      put(
        w,
        9,
        message((e) => e.tag(1, LENGTH).string(key).tag(2, LENGTH).string(value)),
      );
  });
}

function info({ name, dtype = 1, shape }: Info): Uint8Array {
  const dims = message((w) => {
    for (const size of shape ?? []) {
      put(
        w,
        1,
        message((d) =>
          typeof size === 'number' ? d.tag(1, WireType.Varint).int64(size) : d.tag(2, LENGTH).string(size),
        ),
      );
    }
  });
  const tensorType = message((w) => {
    w.tag(1, WireType.Varint).int32(dtype);
    if (shape) put(w, 2, dims);
  });
  const type = message((w) => {
    put(w, 1, tensorType);
  });
  return message((w) => {
    w.tag(1, LENGTH).string(name);
    put(w, 2, type);
  });
}

function graph({ nodes, inputs, outputs, initializers = [] }: Graph): Uint8Array {
  return message((w) => {
    for (const item of nodes) put(w, 1, node(item));
    w.tag(2, LENGTH).string('g');
    for (const item of initializers) put(w, 5, item);
    for (const item of inputs) put(w, 11, info(item));
    for (const output of outputs) put(w, 12, info(typeof output === 'string' ? { name: output, shape: [] } : output));
  });
}

function version(opset: number): Uint8Array {
  return message((o) => o.tag(1, LENGTH).string('').tag(2, WireType.Varint).int64(opset));
}

function functionOf({ opset = 17, ...made }: OnnxFunction): Uint8Array {
  return message((w) => {
    w.tag(1, LENGTH).string(made.name);
    for (const name of made.inputs) w.tag(4, LENGTH).string(name);
    for (const name of made.outputs) w.tag(5, LENGTH).string(name);
    for (const name of made.attributes ?? []) w.tag(6, LENGTH).string(name);
    for (const item of made.nodes) put(w, 7, node(item));
    put(w, 9, version(opset));
    w.tag(10, LENGTH).string(made.domain ?? 'own');
    for (const [key, value] of Object.entries(made.defaults ?? {})) put(w, 11, attribute(key, value));
    if (made.overload !== undefined) w.tag(13, LENGTH).string(made.overload);
  });
}

export function onnxModel({ opset = 17, producer = 'test', functions = [], ...whole }: Model): Uint8Array {
  return message((w) => {
    w.tag(1, WireType.Varint).int64(8).tag(2, LENGTH).string(producer);
    put(w, 7, graph(whole));
    put(w, 8, version(opset));
    for (const made of functions) put(w, 25, functionOf(made));
  });
}
