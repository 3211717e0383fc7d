import { WireType, type BinaryReader } from '@bufbuild/protobuf/wire';
import { GruError } from '../../base/errors.ts';
import {
  Decoder,
  MAX_RANK,
  bytes,
  chunks,
  entry,
  float,
  integer,
  numbers,
  oneFloat,
  oneInteger,
  text,
  textOrBytes,
  type Field,
} from './decoder.ts';
import { inlineFunctions, type OnnxFunction } from './functions.ts';
import {
  isStandard,
  type OnnxAttribute,
  type OnnxGraph,
  type OnnxModel,
  type OnnxNode,
  type OnnxTensor,
  type OnnxValueInfo,
} from './messages.ts';
import { inOrder } from './nodes.ts';

function readTensor(decoder: Decoder, data: Uint8Array): OnnxTensor {
  const packed = { float: [], int32: [], int64: [], double: [] } as Record<
    'float' | 'int32' | 'int64' | 'double',
    Uint8Array[]
  >;
  const tensor: OnnxTensor = { name: '', dims: [], dtype: 0, packed };
  const external = new Map<string, string>();
  let location = 0;
  const unreadable = (why: string): Field => {
    return (reader, wire) => {
      tensor.unreadable = why;
      reader.skip(wire);
    };
  };
  decoder.message(
    data,
    'TensorProto',
    {
      1: numbers(tensor.dims, decoder, oneInteger, WireType.Varint),
      2: (r, w) => (tensor.dtype = integer(r, w)),
      3: unreadable('it is stored in segments'),
      4: chunks(packed.float, decoder, WireType.Bit32),
      5: chunks(packed.int32, decoder, WireType.Varint),
      6: unreadable('it holds strings'),
      7: chunks(packed.int64, decoder, WireType.Varint),
      8: (r, w) => (tensor.name = text(r, w)),
      9: (r, w) => (tensor.raw = bytes(r, w)),
      10: chunks(packed.double, decoder, WireType.Bit64),
      11: unreadable('it holds unsigned 64-bit integers'),
      13: (r, w) => {
        external.set(...entry(decoder, bytes(r, w)));
      },
      14: (r, w) => (location = integer(r, w)),
    },
    [12, 16],
  );
  if (tensor.dims.length > MAX_RANK || tensor.dims.some((d) => !Number.isSafeInteger(d) || d < 0)) {
    throw new GruError(
      'invalid_file',
      `the ONNX file gives tensor '${tensor.name}' the shape [${tensor.dims.slice(0, 20).join(', ')}]`,
    );
  }
  if (location === 1) {
    const stray = [...external.keys()].find((key) => !['location', 'offset', 'length', 'checksum'].includes(key));
    if (stray !== undefined)
      throw new GruError('unsupported', `tensor '${tensor.name}': unknown external_data key '${stray}'`);
    const length = external.get('length');
    tensor.external = {
      location: external.get('location') ?? '',
      offset: Number(external.get('offset') ?? 0),
      ...(length === undefined ? {} : { length: Number(length) }),
    };
  }
  return tensor;
}

function readAttribute(decoder: Decoder, data: Uint8Array): OnnxAttribute {
  const attribute: OnnxAttribute = { name: '', type: 0 };
  const floats: number[] = [];
  const ints: number[] = [];
  const strings: string[] = [];
  const other = (what: string): Field => {
    return (reader, wire) => {
      attribute.other = what;
      reader.skip(wire);
    };
  };
  const string = (r: BinaryReader, w: WireType) => {
    const read = textOrBytes(r, w);
    if (read === undefined) attribute.other = 'no text in UTF-8';
    return read ?? '';
  };
  decoder.message(
    data,
    'AttributeProto',
    {
      1: (r, w) => (attribute.name = text(r, w)),
      2: (r, w) => (attribute.f = float(r, w)),
      3: (r, w) => (attribute.i = integer(r, w)),
      4: (r, w) => (attribute.s = string(r, w)),
      5: (r, w) => (attribute.t = readTensor(decoder, bytes(r, w))),
      6: (r, w) => (attribute.g = decoder.nested(() => readGraph(decoder, bytes(r, w)))),
      7: numbers(floats, decoder, oneFloat, WireType.Bit32),
      8: numbers(ints, decoder, oneInteger, WireType.Varint),
      9: (r, w) => {
        decoder.count();
        strings.push(string(r, w));
      },
      10: other('tensors'),
      11: other('graphs'),
      14: other('a type'),
      15: other('types'),
      20: (r, w) => (attribute.type = integer(r, w)),
      21: (r, w) => {
        attribute.ref = text(r, w);
        attribute.other = 'a reference to an attribute of a function';
      },
      22: other('a sparse tensor'),
      23: other('sparse tensors'),
    },
    [13],
  );
  if (floats.length > 0 || attribute.type === 6) attribute.floats = floats;
  if (ints.length > 0 || attribute.type === 7) attribute.ints = ints;
  if (strings.length > 0 || attribute.type === 8) attribute.strings = strings;
  return attribute;
}

function names(into: string[], decoder: Decoder): Field {
  return (r, w) => {
    decoder.count();
    into.push(text(r, w));
  };
}

function readNode(decoder: Decoder, data: Uint8Array): OnnxNode {
  const node: OnnxNode = { inputs: [], outputs: [], name: '', op: '', domain: '', attributes: [] };
  decoder.message(
    data,
    'NodeProto',
    {
      1: names(node.inputs, decoder),
      2: names(node.outputs, decoder),
      3: (r, w) => (node.name = text(r, w)),
      4: (r, w) => (node.op = text(r, w)),
      5: (r, w) => node.attributes.push(readAttribute(decoder, bytes(r, w))),
      7: (r, w) => (node.domain = text(r, w)),
      8: (r, w) => (node.overload = text(r, w)),
      9: (r, w) => {
        decoder.count();
        (node.metadata ??= []).push(bytes(r, w));
      },
    },
    // doc_string, device_configurations
    [6, 10],
  );
  return node;
}

function readValueInfo(decoder: Decoder, data: Uint8Array): OnnxValueInfo {
  const info: OnnxValueInfo = { name: '', dtype: 0 };
  const dimension = (r: BinaryReader, w: WireType) => {
    let size: number | string = '';
    decoder.message(
      bytes(r, w),
      'Dimension',
      { 1: (dr, dw) => (size = integer(dr, dw)), 2: (dr, dw) => (size = text(dr, dw)) },
      [3],
    );
    info.shape?.push(size);
  };
  const tensorType = (r: BinaryReader, w: WireType) => {
    decoder.message(bytes(r, w), 'TypeProto.Tensor', {
      1: (tr, tw) => (info.dtype = integer(tr, tw)),
      2: (tr, tw) => {
        info.shape = [];
        decoder.message(bytes(tr, tw), 'TensorShapeProto', { 1: dimension });
      },
    });
  };
  decoder.message(
    data,
    'ValueInfoProto',
    {
      1: (r, w) => (info.name = text(r, w)),
      // other types than tensors keep dtype 0
      2: (r, w) => {
        decoder.message(bytes(r, w), 'TypeProto', { 1: tensorType }, [4, 5, 6, 7, 8, 9]);
      },
    },
    [3, 4],
  );
  return info;
}

function readGraph(decoder: Decoder, data: Uint8Array): OnnxGraph {
  const graph: OnnxGraph = { nodes: [], initializers: [], inputs: [], outputs: [] };
  decoder.message(
    data,
    'GraphProto',
    {
      1: (r, w) => graph.nodes.push(readNode(decoder, bytes(r, w))),
      5: (r, w) => graph.initializers.push(readTensor(decoder, bytes(r, w))),
      11: (r, w) => graph.inputs.push(readValueInfo(decoder, bytes(r, w))),
      12: (r, w) => graph.outputs.push(readValueInfo(decoder, bytes(r, w))),
      15: () => {
        throw new GruError('unsupported', 'the ONNX file has sparse initializers; store them densely');
      },
    },
    // name, doc_string, value_info, quantization_annotation (of tools), metadata_props
    [2, 10, 13, 14, 16],
  );
  return graph;
}

/** The version of the standard operators that an OperatorSetIdProto says. */
function readOpset(decoder: Decoder, data: Uint8Array): number | undefined {
  let domain = '';
  let version = 0;
  decoder.message(data, 'OperatorSetIdProto', {
    1: (r, w) => (domain = text(r, w)),
    2: (r, w) => (version = integer(r, w)),
  });
  return isStandard(domain) ? version : undefined;
}

function readFunction(decoder: Decoder, data: Uint8Array): OnnxFunction {
  const made: OnnxFunction = { name: '', domain: '', overload: '', inputs: [], outputs: [], attributes: [], defaults: [], nodes: [], opset: undefined }; // prettier-ignore
  decoder.message(
    data,
    'FunctionProto',
    {
      1: (r, w) => (made.name = text(r, w)),
      4: names(made.inputs, decoder),
      5: names(made.outputs, decoder),
      6: names(made.attributes, decoder),
      7: (r, w) => made.nodes.push(readNode(decoder, bytes(r, w))),
      9: (r, w) => (made.opset = readOpset(decoder, bytes(r, w)) ?? made.opset),
      10: (r, w) => (made.domain = text(r, w)),
      11: (r, w) => made.defaults.push(readAttribute(decoder, bytes(r, w))),
      13: (r, w) => (made.overload = text(r, w)),
    },
    // doc_string, value_info, metadata_props
    [8, 12, 14],
  );
  return made;
}

/** @throws GruError `invalid_file` for bytes that are no ONNX model, `unsupported` for what it has beyond the standard. */
export function parseModel(data: Uint8Array): OnnxModel {
  try {
    return readModel(new Decoder(data.length), data);
  } catch (cause) {
    if (cause instanceof GruError) throw cause;
    throw new GruError('invalid_file', `the ONNX file is damaged, or is none: ${(cause as Error).message}`, { cause });
  }
}

function readModel(decoder: Decoder, data: Uint8Array): OnnxModel {
  const model = { producer: ['', ''], irVersion: 0, opset: 0 };
  const graphs: Uint8Array[] = [];
  const functions: Uint8Array[] = [];
  decoder.message(
    data,
    'ModelProto',
    {
      1: (r, w) => (model.irVersion = integer(r, w)),
      2: (r, w) => (model.producer[0] = text(r, w)),
      3: (r, w) => (model.producer[1] = text(r, w)),
      7: (r, w) => graphs.push(bytes(r, w)),
      8: (r, w) => {
        model.opset = readOpset(decoder, bytes(r, w)) ?? model.opset;
      },
      25: (r, w) => {
        functions.push(bytes(r, w));
      },
    },
    // domain, model_version, doc_string, metadata_props, training_info, configuration (of devices)
    [4, 5, 6, 14, 20, 26],
  );
  if (graphs.length !== 1) throw new RangeError(graphs.length === 0 ? 'it has no graph' : 'it has several graphs');
  const graph = inlineFunctions(
    readGraph(decoder, graphs[0]!),
    functions.map((data) => readFunction(decoder, data)),
    model.opset,
    (objects) => {
      for (let i = 0; i < objects; i++) decoder.count();
    },
  );
  return { ...model, producer: model.producer.filter((part) => part !== '').join(' '), graph: inOrder(graph) };
}
