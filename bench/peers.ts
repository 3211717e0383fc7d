/** Our side of peers.py: a request a line of standard input, an answer a line of standard output. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { loadModel, type GruModel } from 'gru-wasm';
import { commit, machine } from './machine.ts';

interface Request {
  /** Loads the model of `folder` in this precision, and writes its output to a file of that name. */
  prepare?: 'f32' | 'i16' | 'i8';
  folder: string;
  cell: 'gru' | 'lstm';
  shape: [batch: number, steps: number, size: number];
  /** Calls the model of this precision for so many seconds. */
  time?: string;
  seconds: number;
}

const prepared = new Map<string, { model: GruModel; input: { data: Float32Array; shape: number[] } }>();

async function answer({ prepare, folder, cell, shape, time, seconds }: Request): Promise<object> {
  if (prepare) {
    prepared.get(prepare)?.model.dispose();
    const layer = { name: 'cell', [cell]: '' };
    const model = await loadModel(join(folder, 'model.safetensors'), {
      precision: prepare,
      pytorch: { layers: [layer] as never },
    });
    const input = { data: new Float32Array(new Uint8Array(readFileSync(join(folder, 'x'))).buffer), shape };
    prepared.set(prepare, { model, input });
    writeFileSync(join(folder, prepare), model.run(input).output.data);
    return { backend: model.backend };
  }
  if (time !== undefined) {
    const { model, input } = prepared.get(time)!;
    const start = performance.now();
    let taken = 0;
    let calls = 0;
    for (; taken < 1000 * seconds; taken = performance.now() - start, calls++) model.run(input);
    return { seconds: taken / 1000 / calls };
  }
  return { node: process.versions.node, machine: machine().cpu, commit: commit() };
}

for await (const line of createInterface({ input: process.stdin })) {
  console.log(JSON.stringify(await answer(JSON.parse(line) as Request)));
}
