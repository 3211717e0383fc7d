import { readFileSync, writeFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { parseSafetensors } from '../../ts/formats/safetensors.ts';
import { loadModel } from '../../ts/index.ts';
import { amp, encoder, folder, gru, root } from './gru.ts';

const at = folder();
const cases = `${root}tests/fixtures/cases/pt_comp_residual_ln`;
const dict = `${cases}/model.pt`;
const { layers } = (
  JSON.parse(readFileSync(`${cases}/case.json`, 'utf8')) as { load: { pytorch: { layers: object[] } } }[]
)[0]!.load.pytorch;
const wiring = JSON.stringify(layers);
writeFileSync(at('wiring.json'), wiring);
writeFileSync(at('x.csv'), '1,2,3,4,5\n5,4,3,2,1\n');
writeFileSync(at('one.csv'), '0.5\n-0.5\n0.25\n');

describe('--onnx', () => {
  const branches = `${root}tests/fixtures/cases/onnx_vad_branches/model.onnx`;
  const options = JSON.stringify({
    initializers: { sr: { data: [16000], shape: [] } },
    inputShapes: { input: ['batch', 36] },
  });

  test('says what a graph leaves open, to each command', () => {
    expect(gru(['inspect', branches]).stderr).toContain('initializers');
    expect(gru(['inspect', branches, '--onnx', options]).stdout).toMatch(/stateN\.1/);
    gru(['convert', branches, '--onnx', options, '-o', at('branches.safetensors')]);
    const files = [branches, at('branches.safetensors')];
    for (const pair of [files, files.reverse()]) {
      const { status, stderr } = gru(['compare', ...pair, '--onnx', options, '--tolerance', '0']);
      expect([status, stderr]).toEqual([0, '']);
    }
  });

  test('is refused for other files', () => {
    expect(gru(['inspect', amp, '--onnx', options]).stderr).toMatch(/the option onnx is not for this file/);
    expect(gru(['compare', amp, amp, '--onnx', options]).stderr).toMatch(/the option onnx is not for this file/);
    expect(gru(['inspect', branches, '--onnx', '{']).stderr).toMatch(/--onnx: not JSON/);
  });
});

describe('--layers', () => {
  test.each([
    ['JSON', wiring],
    ['a file', at('wiring.json')],
    ['options in an object', JSON.stringify({ layers })],
  ])('as %s wires a state dict for every command that reads one', async (_, given) => {
    const args = [dict, '--layers', given];
    expect(gru(['inspect', ...args]).stdout).toMatch(/it streams[^]*Layers/);
    const { stdout } = gru(['run', ...args, '-i', at('x.csv')]);
    const model = await loadModel(dict, { pytorch: { layers: layers as never } });
    const { data } = model.run({ data: Float32Array.of(1, 2, 3, 4, 5, 5, 4, 3, 2, 1), shape: [2, 5] }).output;
    expect(Float32Array.from(stdout.trim().split(/[,\n]/).map(Number))).toEqual(data);
    gru(['convert', ...args, '-o', at('wired.safetensors')]);
    expect(gru(['run', at('wired.safetensors'), '-i', at('x.csv')]).stdout).toBe(stdout);
    expect(gru(['explain', ...args, '-i', at('x.csv')]).stdout).toMatch(/candidate: 6 units, 2 steps/);
  });

  test('compare takes it for each of its models that needs it', () => {
    gru(['convert', dict, '--layers', wiring, '-o', at('own.safetensors')]);
    for (const other of [`${cases}/model.safetensors`, at('own.safetensors')]) {
      expect(gru(['compare', dict, other, '--layers', wiring, '--tolerance', '0'])).toMatchObject({
        status: 0,
        stderr: '',
      });
      expect(gru(['compare', other, dict, '--layers', wiring, '--tolerance', '0'])).toMatchObject({
        status: 0,
        stderr: '',
      });
    }
    expect(gru(['compare', amp, amp, '--layers', wiring]).stderr).toMatch(/the option pytorch is not for this file/);
  });

  test.each<[string, string, number, RegExp]>([
    ['no JSON', '[{', 2, /--layers: not JSON/],
    ['no such file', at('absent.json'), 3, /absent\.json: no such file/],
    ['a module that is not there', '[{ "gru": "nothing" }]', 2, /nothing/],
    ['an option that is none', '{ "layerz": [] }', 2, /unknown option 'layerz'/],
  ])('%s is refused', (_, given, status, message) => {
    const result = gru(['run', dict, '-i', at('x.csv'), '--layers', given]);
    expect(result.stderr).toMatch(message);
    expect([result.status, result.stdout]).toEqual([status, '']);
  });

  test('for a file that says its wiring it is refused', () => {
    for (const command of ['inspect', 'run', 'explain', 'convert', 'compare', 'bench']) {
      const rest: Record<string, string[]> = {
        run: ['-i', at('one.csv')],
        explain: ['-i', at('one.csv')],
        convert: ['-o', at('no.safetensors')],
      };
      const args = [command, amp, '--layers', wiring, ...(rest[command] ?? [])];
      expect(gru(args)).toMatchObject({ status: 2, stderr: expect.stringMatching(/not for this file/) as string });
    }
  });
});

test('a file of the wrong width is told in the same words from stdin', () => {
  const text = "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }".padEnd(117) + '\n';
  const head = Uint8Array.from([0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59, 1, 0, text.length, 0]);
  const input = Buffer.concat([head, Buffer.from(text), Buffer.alloc(24)]);
  writeFileSync(at('narrow.npy'), input);
  const args = ['run', dict, '--layers', wiring, '--input-format', 'npy', '-i'];
  for (const [path, name] of [
    [at('narrow.npy'), at('narrow.npy')],
    ['-', 'stdin'],
  ] as const) {
    const { status, stderr } = gru([...args, path], { input });
    expect([status, stderr]).toEqual([5, `gru: ${name} holds [2, 3], and the model takes 5 values a step\n`]);
  }
});

describe('what messages print of an option', () => {
  const graph = `${root}tests/fixtures/onnx/external_22/model.onnx`;

  test('--layers takes as inspect prints it', () => {
    const { stdout } = gru(['inspect', dict]);
    const [guess] = /\{ pytorch: \{ layers: \[.*\] \} \}/.exec(stdout)!;
    expect(gru(['inspect', dict, '--layers', guess]).stdout).toMatch(/parameters; it/);
  });

  test.each(["{ onnx: { node: '/m/GRU_6' } }", "{ node: '/m/GRU_6' }", '{ "onnx": { "node": "/m/GRU_6" } }'])(
    '--onnx takes %s',
    (given) => {
      expect(gru(['inspect', graph, '--onnx', given]).stdout).toMatch(/Layers[^]*GRU_6 +gru /);
    },
  );

  test('what is neither is refused', () => {
    for (const given of ['{ onnx: node }', "{ node: 'a }", '{ [node]: 1 }'])
      expect(gru(['inspect', graph, '--onnx', given])).toMatchObject({
        status: 2,
        stderr: expect.stringMatching(/--onnx: not JSON/) as string,
      });
  });
});

describe('--lengths', () => {
  test('of a padded batch: each sequence as if it were alone', async () => {
    const model = await loadModel(encoder);
    const words = [
      [8, 5, 12],
      [15, 0, 0],
    ];
    const npy = Buffer.alloc(128 + 24, 0x20);
    const header = "{'descr': '<i4', 'fortran_order': False, 'shape': (2, 3), }";
    npy.write('\x93NUMPY\x01\x00', 0, 'latin1');
    npy.writeUInt16LE(118, 8);
    npy.write(header, 10);
    npy.write('\n', 127);
    for (const [i, id] of words.flat().entries()) npy.writeInt32LE(id, 128 + 4 * i);
    writeFileSync(at('words.npy'), npy);
    const args = ['run', encoder, '-i', at('words.npy'), '-o', at('y.safetensors'), '--lengths'];
    expect(gru([...args, '3, 1'])).toMatchObject({ status: 0, stderr: '' });
    const [output] = [...parseSafetensors(readFileSync(at('y.safetensors'))).tensors.values()];
    const alone = [[8, 5, 12], [15]].map((word) => (model.run(word) as { output: { data: Float32Array } }).output.data);
    expect(output!.floats()).toEqual(Float32Array.from(alone.flatMap((data) => [...data])));
    expect(gru([...args, '3']).stderr).toMatch(/lengths: expected 2/);
    expect(gru([...args, '3,4']).stderr).toMatch(/lengths\[1\].*from 0 to 3/);
  });

  test.each(['', '3,,1', '3,', '1.5', '-1', '0x2', '1e1', 'three'])("'%s' is refused", (given) => {
    const { status, stderr, stdout } = gru(['run', amp, '-i', at('one.csv'), `--lengths=${given}`]);
    expect([status, stdout]).toEqual([2, '']);
    expect(stderr).toMatch(/--lengths .*whole numbers with commas/);
  });
});

test.each(['', ' ', '-1', 'x', 'NaN'])("compare --tolerance '%s' is refused", (given) => {
  const { status, stderr } = gru(['compare', amp, `--tolerance=${given}`]);
  expect([status, stderr]).toEqual([2, expect.stringMatching(/a number from 0 is needed/)]);
});

test('run --json is a format: of a file too, and of no other', () => {
  expect(gru(['run', amp, '-i', at('one.csv'), '--json', '-o', at('rows.csv')]).status).toBe(0);
  expect(readFileSync(at('rows.csv'), 'utf8')).toMatch(/^(\[-?[\d.e-]+\]\n){3}$/);
  expect(gru(['run', amp, '-i', at('one.csv'), '--json', '--output-format', 'npy'])).toMatchObject({ status: 2 });
});
