import { cpus } from 'node:os';
import { Command } from 'commander';
import { createModel, loadModel } from '../../api/default.ts';
import type { ModelOptions } from '../../api/options.ts';
import { originOf } from '../../api/origin.ts';
import type { Engine } from '../../backends/wasm/engine.ts';
import { hasRelaxedSimd, hasSimd } from '../../backends/wasm/detect.ts';
import { EXIT } from '../exit.ts';
import { print, printJson } from '../print.ts';
import { hasServer } from './server.ts';

interface Finding {
  name: string;
  found: string;
}

/** `gru doctor` */
export function doctorCommand(version: string): Command {
  return new Command('doctor')
    .description('say what this machine has and what gru-wasm makes of it, in ten lines to paste into a report')
    .option('--json', 'print it as JSON')
    .addHelpText('after', '\nExample:\n  gru doctor')
    .action(async (flags: { json?: boolean }) => {
      const findings = await examine(version);
      const json = Object.fromEntries(findings.map(({ name, found }) => [name, found]));
      const lines = findings.map(({ name, found }) => `${`${name}:`.padEnd(15)}${found}`);
      await (flags.json ? printJson(json) : print(lines.join('\n')));
      if (json['bits']!.startsWith('DIFFER')) process.exitCode = EXIT.differs;
    });
}

async function examine(version: string): Promise<Finding[]> {
  const { versions, platform, arch } = process;
  const cores = cpus();
  const chosen = await trial({});
  const backend = originOf(chosen.model)?.backend;
  await backend?.settled?.();
  const kernels = backend?.shared?.kernels;
  const bytes = kernels === undefined ? undefined : await productsOfBytes(chosen.model.save({ dtype: 'i8' }));
  const yes = (has: boolean) => (has ? 'yes' : 'no');
  return [
    { name: 'gru-wasm', found: version },
    { name: 'Node', found: `${versions.node} (V8 ${versions.v8}) on ${platform} ${arch}` },
    { name: 'processor', found: `${cores[0]?.model ?? 'unknown'}, ${cores.length} threads` },
    { name: 'SIMD', found: yes(hasSimd()) },
    { name: 'relaxed SIMD', found: yes(hasRelaxedSimd()) },
    { name: 'shared memory', found: yes(typeof SharedArrayBuffer === 'function') },
    { name: 'backend', found: `${backend!.name}: ${WHY[backend!.name] ?? ''}` },
    {
      name: 'kernels',
      found: kernels === undefined ? 'of JavaScript' : `set ${kernels}, the fastest; i8 ${bytes}`,
    },
    { name: 'bits', found: await compareBits() },
    {
      name: 'server',
      found: (await hasServer()) ? 'gru-wasm-server is installed' : 'gru-wasm-server is not installed',
    },
  ];
}

const WHY: Record<string, string> = {
  'wasm-relaxed': 'the fastest, and this host has relaxed SIMD',
  'wasm-baseline': 'this host has no relaxed SIMD',
  js: 'this host runs no WebAssembly SIMD',
};

/** A small GRU's output, by a backend. */
async function trial(options: ModelOptions) {
  const numbers = (length: number) => Float32Array.from({ length }, (_, i) => Math.sin(i * i));
  const [inputSize, hiddenSize] = [5, 7];
  const weights = {
    'forward.input': numbers(3 * hiddenSize * inputSize),
    'forward.recurrent': numbers(3 * hiddenSize * hiddenSize),
  };
  const inputs = [{ name: 'x', dtype: 'float32' as const, size: inputSize }];
  const layers = [{ name: 'gru', type: 'gru' as const, inputSize, hiddenSize, resetAfter: true, weights }];
  const model = await createModel({ inputs, layers }, options);
  return { model, data: model.run(numbers(20 * inputSize)).output.data };
}

/** How this host multiplies by weights of 8 bits. */
async function productsOfBytes(file: Uint8Array): Promise<string> {
  const { module } = originOf(await loadModel(file))!.backend.shared!;
  const { dot_of_bytes: kind } = new WebAssembly.Instance(module).exports as unknown as Engine;
  return kind() > 1 ? 'by the dot product of bytes' : 'as fast as i16: no dot product of bytes';
}

/** Whether the backends that are to give the same bits do, and how far the fastest is from them. */
async function compareBits(): Promise<string> {
  const [fast, js] = await Promise.all([trial({}), trial({ backend: 'js' })]);
  const worst = fast.data.reduce((most, value, i) => Math.max(most, Math.abs(value - js.data[i]!)), 0);
  if (!hasSimd()) return 'one backend: nothing to compare';
  const baseline = await trial({ backend: 'wasm', deterministic: true });
  const same = baseline.data.every((value, i) => Object.is(value, js.data[i]));
  return `${same ? 'baseline and JavaScript give the same' : 'DIFFER between baseline and JavaScript: please report it'}${fast.model.backend === 'wasm-relaxed' ? `; relaxed within ${worst.toExponential(1)}` : ''}`;
}
