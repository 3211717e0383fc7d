import type { Inspection, ModelSpec } from 'gru-wasm';

/** A box of the picture: an input, a layer or an output. */
export interface Box {
  name: string;
  kind: string;
  shape: string;
  /** Its row, from the top: one below the lowest box that it reads. */
  row: number;
  /** Its place in the row. */
  column: number;
}

export interface Picture {
  boxes: Box[];
  /** Indices of boxes, in the direction of the values; `skips` where boxes lie between. */
  lines: { from: number; to: number; skips: boolean }[];
  rows: number;
  columns: number;
}

/** What a layer reads: the values that it is given, a mask, initial states. */
interface Reads {
  inputs?: string[];
  mask?: string;
  initialState?: string[];
}

/** Lays a model out: a row of boxes below the row of those that they read. */
export function draw({ inputs, layers, outputs }: ModelSpec, shapes: Inspection['layers']): Picture {
  const boxes: Box[] = [];
  const lines: Picture['lines'] = [];
  const places = new Map<string, number>();
  // A value is named by its layer, or by that and a port: `gru:last`.
  const placeOf = (value: string) => places.get(value) ?? places.get(value.replace(/:[^:]*$/, ''))!;
  const add = (name: string, kind: string, shape: string, reads: readonly string[]): void => {
    const from = [...new Set(reads.map(placeOf))];
    const row = Math.max(-1, ...from.map((index) => boxes[index]!.row)) + 1;
    const to = boxes.push({ name, kind, shape, row, column: boxes.filter((box) => box.row === row).length }) - 1;
    for (const index of from) lines.push({ from: index, to, skips: row - boxes[index]!.row > 1 });
    if (kind !== 'output') places.set(name, to);
  };
  for (const { name, dtype, size } of inputs) add(name, 'input', dtype === 'int32' ? 'ids' : String(size), []);
  layers.forEach((layer, i) => {
    const { inputs: given, mask, initialState = [] } = layer as Reads;
    const values = given ?? [layers[i - 1]?.name ?? inputs[0]!.name];
    const shape = shapes.find(({ name }) => name === layer.name)?.shape.at(-1) ?? '';
    add(layer.name, layer.type, String(shape), [...values, ...(mask === undefined ? [] : [mask]), ...initialState]);
  });
  for (const output of outputs ?? [layers.at(-1)!.name]) {
    const { name, from } = typeof output === 'string' ? { name: output, from: output } : output;
    add(name, 'output', '', [from]);
  }
  return {
    boxes,
    lines,
    rows: Math.max(...boxes.map(({ row }) => row)) + 1,
    columns: Math.max(...boxes.map(({ column }) => column)) + 1,
  };
}
