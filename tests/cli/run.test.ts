import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, existsSync, openSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { loadModel, type Tensor } from '../../ts/index.ts';
import { parseSafetensors } from '../../ts/formats/safetensors.ts';
import { amp, bin, encoder, folder, gru } from './gru.ts';
import { runNode } from '../run-node.ts';

const at = folder();
const samples = Float32Array.from({ length: 3000 }, (_, i) => Math.fround(Math.sin(i * i * 0.001)));
const bytes = (values: Float32Array | Int32Array) => new Uint8Array(values.buffer);
writeFileSync(at('x.f32'), bytes(samples));
const model = await loadModel(amp);
const want = model.run(samples).output.data;
const floats = (path: string, start: number) =>
  new Float32Array(new Uint8Array(readFileSync(path).subarray(start)).buffer);

function run(...args: string[]): string {
  const { status, stderr, stdout } = gru(['run', amp, ...args]);
  expect(stderr).toBe('');
  expect(status).toBe(0);
  return stdout;
}

test.each([
  ['out.f32', 0],
  ['out.npy', 256],
  ['out.wav', 44],
  ['out.safetensors', 256],
])('raw floats to %s: the bits of a run', (name, start) => {
  run('-i', at('x.f32'), '-o', at(name));
  expect(floats(at(name), start)).toEqual(want);
});

test.each(['csv', 'tsv', 'ndjson', 'npy', 'wav', 'safetensors', 'npz'])('what it writes as %s it reads', (format) => {
  run('-i', at('x.f32'), '-o', at(`between.${format}`));
  run('-i', at(`between.${format}`), '-o', at('again.f32'));
  expect(floats(at('again.f32'), 0)).toEqual(model.run(want).output.data);
});

/** A `.npy` file, of float32 in C order unless the type says another. */
function npy(name: string, shape: string, data: ArrayBufferView, { type = '<f4', fortran = false } = {}): string {
  const order = fortran ? 'True' : 'False';
  const text = `{'descr': '${type}', 'fortran_order': ${order}, 'shape': ${shape}, }`.padEnd(117) + '\n';
  const head = [0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59, 1, 0, text.length, 0, ...Buffer.from(text)];
  writeFileSync(at(name), Uint8Array.from([...head, ...new Uint8Array(data.buffer)]));
  return at(name);
}

test('a .tsv file has tabs, and so has stdout where one comes in', () => {
  writeFileSync(at('word.tsv'), 'letter\n8\n5\n');
  expect(gru(['run', encoder, '-i', at('word.tsv'), '-o', at('state.tsv')]).status).toBe(0);
  const text = readFileSync(at('state.tsv'), 'utf8');
  expect(text.split('\t')).toHaveLength(320);
  expect(gru(['run', encoder, '-i', at('word.tsv')]).stdout).toBe(text);
  expect(gru(['run', encoder, '-i', at('word.tsv'), '--output-format', 'csv']).stdout).toBe(text.replaceAll('\t', ','));
});

test('a batch of one sequence goes into files of rows', () => {
  const input = npy('one.npy', '(1, 3000, 1)', samples, { fortran: true });
  for (const name of ['batch.csv', 'batch.ndjson', 'batch.wav']) {
    run('-i', input, '-o', at(name));
    run('-i', at('x.f32'), '-o', at(`rows-${name}`));
    expect(readFileSync(at(name))).toEqual(readFileSync(at(`rows-${name}`)));
  }
  const two = npy('two.npy', '(2, 1500, 1)', samples);
  expect(gru(['run', amp, '-i', two, '-o', at('two.csv')])).toMatchObject({
    status: 2,
    stderr: expect.stringMatching(/'output' is of shape \[2, 1500, 1\]: write \.npy, \.npz or \.safetensors/) as string,
  });
});

test('an id that is none in tensors of a whole run: the file is named', () => {
  const path = npy('ids.npy', '(2, 2)', Int32Array.of(8, 5, 28, 5), { type: '<i4' });
  expect(gru(['run', encoder, '-i', path])).toMatchObject({
    status: 5,
    stderr: `gru: ${path}: value 3 is no id from 0 to 27: 28\n`,
  });
});

test.each(['i8', 'i16'] as const)(
  '--precision %s: the bits of a model loaded so, and of its file',
  async (precision) => {
    run('-i', at('x.f32'), '-o', at('narrow.f32'), '--precision', precision, '--backend', 'baseline');
    using narrow = await loadModel(amp, { precision, deterministic: true });
    expect(floats(at('narrow.f32'), 0)).toEqual(narrow.run(samples).output.data);
    expect(floats(at('narrow.f32'), 0)).not.toEqual(want);
  },
);

test('--precision of no dtype is refused', () => {
  expect(gru(['run', amp, '-i', at('x.f32'), '--precision', 'i4'])).toMatchObject({
    status: 2,
    stderr: expect.stringMatching(/--precision.*i4.*f32, i16, i8/) as string,
  });
});

test('npz and safetensors of a run are tensors by name', () => {
  run('-i', at('x.f32'), '-o', at('named.safetensors'));
  const { tensors } = parseSafetensors(readFileSync(at('named.safetensors')));
  expect([...tensors.values()].map(({ name, shape }) => [name, shape])).toEqual([['output', [3000, 1]]]);
});

test('states go on in the next run', () => {
  writeFileSync(at('a.f32'), bytes(samples.slice(0, 1000)));
  writeFileSync(at('b.f32'), bytes(samples.slice(1000)));
  run('-i', at('a.f32'), '-o', at('ya.f32'), '--save-states', at('s.safetensors'));
  run('-i', at('b.f32'), '-o', at('yb.f32'), '--states', at('s.safetensors'));
  expect(floats(at('yb.f32'), 0)).toEqual(want.slice(1000));
});

test('16-bit sound comes out at its rate', () => {
  const wav = Buffer.alloc(44 + 200);
  wav.write('RIFF', 0);
  wav.writeUInt32LE(36 + 200, 4);
  wav.write('WAVEfmt ', 8);
  wav.writeUInt32LE(16, 16);
  wav.writeUInt16LE(1, 20);
  wav.writeUInt16LE(1, 22);
  wav.writeUInt32LE(44_100, 24);
  wav.writeUInt32LE(88_200, 28);
  wav.writeUInt16LE(2, 32);
  wav.writeUInt16LE(16, 34);
  wav.write('data', 36);
  wav.writeUInt32LE(200, 40);
  for (let i = 0; i < 100; i++) wav.writeInt16LE(i * 300 - 15_000, 44 + 2 * i);
  writeFileSync(at('pcm.wav'), wav);
  run('-i', at('pcm.wav'), '-o', at('pcm-out.wav'));
  expect(readFileSync(at('pcm-out.wav')).readUInt32LE(24)).toBe(44_100);
  const x = Float32Array.from({ length: 100 }, (_, i) => (i * 300 - 15_000) / 32_768);
  expect(floats(at('pcm-out.wav'), 44)).toEqual(model.run(x).output.data);
});

test('ids, of a model that does not stream', async () => {
  writeFileSync(at('word.csv'), 'letter\n8\n5\n12\n12\n15\n');
  const line = gru(['run', encoder, '-i', at('word.csv')]).stdout;
  const { data } = ((await loadModel(encoder)).run([8, 5, 12, 12, 15]) as { output: Tensor }).output;
  expect(Float32Array.from(line.trim().split(',').map(Number))).toEqual(data);
});

test('a live stream: a line in, a line out, at once', async () => {
  const child = spawn(process.execPath, [bin, 'run', amp, '-i', '-'], { stdio: ['pipe', 'pipe', 'inherit'] });
  child.stdout.setEncoding('utf8');
  const got: number[] = [];
  for (const x of samples.subarray(0, 5)) {
    child.stdin.write(`${x}\n`);
    // The next line is not sent before this one's result is here.
    const [text] = (await once(child.stdout, 'data')) as [string];
    got.push(Number(text));
  }
  child.stdin.end();
  expect((await once(child, 'exit'))[0]).toBe(0);
  expect(Float32Array.from(got)).toEqual(want.slice(0, 5));
});

test.each(['csv', 'npz'])('a folder on stdin is told (%s)', (format) => {
  const fd = openSync(at('.'), 'r');
  const { status, stderr } = gru(['run', amp, '-i', '-', '--input-format', format], {
    stdio: [fd, 'pipe', 'pipe'],
  });
  closeSync(fd);
  expect([status, stderr.trim()]).toEqual([3, 'gru: stdin: is a folder']);
});

test('a closed pipe ends it quietly', () => {
  const text = execFileSync(
    'bash',
    ['-c', `yes 0.5 | "$0" "$1" run "$2" -i - 2>&1 | head -n 3`, process.execPath, bin, amp],
    {
      encoding: 'utf8',
    },
  );
  expect(text.trim().split('\n').map(Number).every(Number.isFinite)).toBe(true);
});

test('Ctrl-C leaves no half-written file', async () => {
  const child = spawn(process.execPath, [bin, 'run', amp, '-i', '-', '-o', at('cut.csv')], {
    stdio: ['pipe', 'inherit', 'inherit'],
  });
  child.stdin.write('0.5\n');
  const part = () => readdirSync(at('.')).some((name) => name.includes('cut.csv'));
  while (!part()) await new Promise((resolve) => setTimeout(resolve, 20));
  child.kill('SIGINT');
  expect((await once(child, 'exit'))[0]).toBe(130);
  expect([part(), existsSync(at('cut.csv'))]).toEqual([false, false]);
});

test('a file that ends too early leaves what was there before', () => {
  run('-i', at('x.f32'), '-o', at('kept.npy'));
  const before = readFileSync(at('kept.npy'));
  writeFileSync(at('short.npy'), before.subarray(0, before.length - 6));
  const { status, stderr } = gru(['run', amp, '-i', at('short.npy'), '-o', at('kept.npy')]);
  expect([status, stderr]).toEqual([5, expect.stringMatching(/short\.npy ends too early/)]);
  expect(readFileSync(at('kept.npy'))).toEqual(before);
});

/** Imported before the command: prints the most bytes that were in use as it wrote, what can be collected not among them. */
const IN_USE = `data:text/javascript,${encodeURIComponent(`
  import { open } from 'node:fs/promises';
  const file = await open('/dev/null');
  const { constructor: { prototype } } = file;
  await file.close();
  const { writeFile } = prototype;
  let [most, writes] = [0, 0];
  prototype.writeFile = function (...of) {
    if (writes++ % 100 === 0) {
      gc();
      const { heapUsed, external } = process.memoryUsage();
      most = Math.max(most, heapUsed + external);
    }
    return writeFile.apply(this, of);
  };
  process.on('exit', () => console.error(most));`)}`;

test('memory does not grow with the input', () => {
  const inUse = (count: number) => {
    const chunk = bytes(samples.slice(0, 2048));
    writeFileSync(at('long.f32'), Buffer.concat(Array.from({ length: count }, () => chunk)));
    const args = ['run', amp, '-i', at('long.f32'), '-o', at('long-out.f32')];
    const { stderr } = runNode(['--expose-gc', '--import', IN_USE, bin, ...args]);
    expect(statSync(at('long-out.f32')).size).toBe(count * 8192);
    return Number(stderr) / 2 ** 20;
  };
  // In MB: 32 MB of samples, against 8; what is read ahead is 1 MB.
  expect(inUse(4096) - inUse(1024)).toBeLessThan(4);
});
