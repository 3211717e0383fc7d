/** The messages of onnx.proto (github.com/onnx/onnx) as far as recurrent models need them; big data stay views into the file. */
export interface OnnxModel {
  producer: string;
  irVersion: number;
  /** Version of the standard operators. */
  opset: number;
  graph: OnnxGraph;
}

export interface OnnxGraph {
  nodes: OnnxNode[];
  initializers: OnnxTensor[];
  inputs: OnnxValueInfo[];
  outputs: OnnxValueInfo[];
}

export interface OnnxNode {
  inputs: string[];
  outputs: string[];
  name: string;
  op: string;
  domain: string;
  attributes: OnnxAttribute[];
  /** Which of the functions of one name it calls. */
  overload?: string;
  /** What the exporter notes of it, as it lies in the file: each a StringStringEntryProto. */
  metadata?: Uint8Array[];
  /** Of a node that was put together of what the file has written out for so many steps. */
  steps?: number;
  /** The node of the file that it is read in the place of: messages name that one. */
  insteadOf?: OnnxNode;
}

export interface OnnxAttribute {
  name: string;
  type: number;
  f?: number;
  i?: number;
  s?: string;
  t?: OnnxTensor;
  floats?: number[];
  ints?: number[];
  strings?: string[];
  /** The body of a loop, a branch. */
  g?: OnnxGraph;
  /** In a function: takes the attribute of this name of the node that calls it. */
  ref?: string;
  /** Holds something that no supported operator takes: a list of graphs, a sparse tensor, a type, a reference. */
  other?: string;
}

export interface OnnxTensor {
  name: string;
  dims: number[];
  dtype: number;
  raw?: Uint8Array;
  /** Packed values of float_data, int32_data, int64_data, double_data, as they lie in the file. */
  packed: Partial<Record<'float' | 'int32' | 'int64' | 'double', Uint8Array[]>>;
  external?: { location: string; offset: number; length?: number };
  /** Why its data cannot be read, if so. */
  unreadable?: string;
}

export interface OnnxValueInfo {
  name: string;
  dtype: number;
  /** A number, or the name of a dimension that is free ('' for one without a name); undefined: any shape. */
  shape?: (number | string)[];
}

/** Whether a domain is that of the standard operators. */
export function isStandard(domain: string): boolean {
  return domain === '' || domain === 'ai.onnx';
}

/** What an operator is called: by its domain too, where that is not the standard one. */
export function operatorName({ domain, op }: Pick<OnnxNode, 'domain' | 'op'>): string {
  return isStandard(domain) ? op : `${domain}.${op}`;
}
