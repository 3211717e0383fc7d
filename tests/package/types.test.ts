import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { consumer, root } from './tarball.ts';

const project = consumer();

const CODE = `
import { createGru, loadModel, GruError, type GruModel, type Tensor } from 'gru-wasm';
import { createPool, type GruPool } from 'gru-wasm/pool';
import { createModelSync } from 'gru-wasm/worklet';
import { createRuntime } from 'gru-wasm/slim';
import * as js from 'gru-wasm/js';
import * as statically from 'gru-wasm/static';
import { keras } from 'gru-wasm/formats/keras';
import { onnx } from 'gru-wasm/formats/onnx';
import { pytorch } from 'gru-wasm/formats/pytorch';
import { rtneural } from 'gru-wasm/formats/rtneural';
import { parseSafetensors } from 'gru-wasm/formats/safetensors';
import { tfjs } from 'gru-wasm/formats/tfjs';

export async function use(): Promise<Tensor> {
  const config = { inputSize: 1, hiddenSize: 1, resetAfter: true };
  const model: GruModel = await createGru(config, { kernel: [1, 2, 3], recurrentKernel: [1, 2, 3] });
  const pool: GruPool = await createPool(model);
  await pool.close();
  // @ts-expect-error: a source is needed
  await loadModel();
  // @ts-expect-error: resetAfter is needed
  await createGru({ inputSize: 1, hiddenSize: 1 }, { kernel: [1], recurrentKernel: [1] });
  const loaded = await statically.loadModel(model.save(), { formats: [keras, onnx, pytorch, tfjs] });
  model[Symbol.dispose]();
  return loaded.run(new Float32Array(3)).output;
}
export { GruError, createModelSync, createRuntime, js, parseSafetensors, rtneural };
`;

/** Extension of the file, which says what it is a module of; module; moduleResolution. */
const PROJECTS = [
  ['ts', 'node16', 'node16'],
  ['cts', 'node16', 'node16'],
  ['ts', 'esnext', 'bundler'],
  ['ts', 'esnext', 'node10'],
  ['cts', 'commonjs', 'node10'],
] as const;

/** More versions of TypeScript, and nodenext: `npm run consumers`. */
test.each(PROJECTS)('types hold in a .%s of module %s by %s', (extension, module, moduleResolution) => {
  project.write(`use.${extension}`, CODE);
  const old = moduleResolution === 'node10' ? { ignoreDeprecations: '6.0' } : {};
  const compilerOptions = {
    ...{ noEmit: true, strict: true, exactOptionalPropertyTypes: true, skipLibCheck: false, types: [] },
    ...{ target: 'es2022', lib: ['es2022', 'dom'], module, moduleResolution, ...old },
  };
  project.write('tsconfig.json', JSON.stringify({ compilerOptions, files: [`use.${extension}`] }));
  const tsc = join(root, 'node_modules/typescript/bin/tsc');
  let printed = '';
  try {
    execFileSync(process.execPath, [tsc, '-p', '.'], { cwd: project.folder, encoding: 'utf8', stdio: 'pipe' });
  } catch (error) {
    printed = (error as { stdout: string }).stdout;
  }
  expect(printed).toBe('');
});
