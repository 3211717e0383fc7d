import { expect, test } from 'vitest';
import type { Backend } from '../../ts/backends/backend.ts';
import { jsBackend } from '../../ts/backends/js/index.ts';
import { ownBinaries } from '../../ts/backends/wasm/binaries.ts';
import { wasmBackend } from '../../ts/backends/wasm/index.ts';
import { GruError } from '../../ts/base/errors.ts';
import { readModel } from '../../ts/formats/index.ts';
import { resolveGraph } from '../../ts/spec/graph.ts';
import type { ImportOptions } from '../../ts/formats/report.ts';
import { contextOf, readFile, recordedFiles, type Recorded } from '../cases/recorded.ts';
import { situations } from '../cases/situations.ts';
import { Random } from '../random.ts';
import { firstDifference, runOn } from './engines.ts';
import { runNative, type Run } from './native.ts';

/** A file of a case. */
type File = Pick<Recorded, 'label' | 'folder' | 'file'> & { load?: ImportOptions | undefined };

/** The recorded model with inputs and states of our own; undefined for a file that needs options or is to be refused. */
async function runOf(recorded: File, random: Random, most: number): Promise<Run | undefined> {
  const read = readModel(readFile(recorded), contextOf(recorded, recorded.load));
  const imported = await read.catch((error: unknown) => {
    if (error instanceof GruError) return undefined;
    throw error;
  });
  if (!imported) return undefined;
  const graph = resolveGraph(imported.spec);
  const fixed = graph.fixedSteps.find((one) => one !== undefined)?.steps;
  const lengths = [random.int(1, most), random.int(0, most), random.int(1, most)].map((length) => fixed ?? length);
  const rows = lengths.reduce((sum, length) => sum + length, 0);
  const inputs = graph.inputs.map(({ dtype, kind, size, vocabularySize }) => {
    const count = (kind === 'sequence' ? rows : lengths.length) * size;
    if (dtype === 'float32') return random.floats(count);
    return Int32Array.from({ length: count }, () => random.int(0, Math.min(vocabularySize, 1e6) - 1));
  });
  // What a convolution has seen is no matter of chance.
  const hidden = graph.states.map(({ slot, size }) =>
    slot === 'past' ? new Float32Array(lengths.length * size) : random.floats(lengths.length * size),
  );
  return { graph, lengths, timeMajor: false, inputs, hidden };
}

function isWithinTables(backend: Backend, run: Run): boolean {
  try {
    runOn(backend, run);
    return true;
  } catch (error) {
    if (error instanceof GruError && error.code === 'id_out_of_range') return false;
    throw error;
  }
}

test('every recorded model: baseline wasm, native and JS', async () => {
  const baseline = await wasmBackend({ deterministic: true, binaries: ownBinaries });
  const random = new Random(5);
  const runs: { label: string; run: Run }[] = [];
  const files: File[] = [
    ...recordedFiles(),
    ...situations()
      .filter(({ situation }) => !situation.refuse)
      .map(({ label, folder, situation: { file, load } }) => ({ label, folder, file, load })),
  ];
  for (const recorded of files) {
    // A table of the steps has rows for as many as the file fixes, or as its positions leave.
    for (const most of [12, 3, 1]) {
      const run = await runOf(recorded, random, most);
      if (run && !isWithinTables(baseline, run)) continue;
      if (run) runs.push({ label: recorded.label, run });
      break;
    }
  }
  expect(runs.length).toBeGreaterThan(180);
  const native = runNative(runs.map(({ run }) => run));
  runs.forEach(({ label, run }, i) => {
    const wasm = runOn(baseline, run);
    expect(firstDifference(wasm, native[i]!), `wasm and native: ${label}`).toBeUndefined();
    expect(firstDifference(wasm, runOn(jsBackend, run)), `wasm and JS: ${label}`).toBeUndefined();
  });
});
