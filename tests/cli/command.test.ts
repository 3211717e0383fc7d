import { spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { createModel, type LayerSpec, loadModel } from '../../ts/index.ts';
import { runNode } from '../run-node.ts';
import { amp, bin, encoder, folder, gru, root } from './gru.ts';

const at = folder();
const COMMANDS = ['inspect', 'run', 'convert', 'compare', 'bench', 'explain', 'doctor', 'completion'];

test('its help names all commands, and the exit codes', () => {
  const { status, stdout } = gru(['--help']);
  expect(status).toBe(0);
  for (const name of [...COMMANDS, 'serve', 'score', 'worker', 'queue']) expect(stdout).toContain(`  ${name}`);
  expect(stdout).toMatch(/0\s+done,\s+1\s+defect,\s+2\s+usage,\s+3\s+file/);
  expect(gru(['--version']).stdout.trim()).toBe(
    (JSON.parse(readFileSync(`${root}package.json`, 'utf8')) as { version: string }).version,
  );
});

test.each(COMMANDS)('the examples in the help of %s have options that it takes', (name) => {
  const { stdout } = gru([name, '--help']);
  const [, examples] = stdout.split(/Examples?:\n/);
  const lines = examples!.split('\n').filter((line) => line.includes(`gru ${name}`));
  expect(lines.length).toBeGreaterThan(0);
  const options =
    lines
      .join('\n')
      .replaceAll(/^.*\| gru/gm, 'gru')
      .replaceAll(/'[^']*'/g, '')
      .match(/(?<=\s)--?[a-z][a-z-]*/g) ?? [];
  for (const option of options) expect(stdout.split(/Examples?:/)[0]).toMatch(new RegExp(`${option}[ ,]`));
});

describe('inspect', () => {
  test('shows layers, states and tensors', () => {
    const { stdout } = gru(['inspect', amp]);
    expect(stdout).toMatch(/897 parameters; it streams/);
    expect(stdout).toMatch(/gru +gru +batch x steps x 16 +880/);
    expect(stdout).toMatch(/gru +hidden +1 x batch x 16 +yes/);
    expect(stdout).not.toContain('\x1b');
  });

  test('--json is what inspect() gives', () => {
    const { parameters, streamable } = JSON.parse(gru(['inspect', encoder, '--json']).stdout) as Record<
      string,
      unknown
    >;
    expect([parameters, streamable]).toEqual([232_256, false]);
  });

  test('a state dict: its modules and a guess at its wiring, which --layers takes', () => {
    const path = `${root}tests/fixtures/cases/pt_comp_residual_ln/model.pt`;
    const { stdout } = gru(['inspect', path]);
    expect(stdout).toContain('not yet a model');
    expect(stdout).toMatch(/Modules[^]*looks like[^]*layers: \[/);
    const lone = `${root}tests/fixtures/cases/pt_lstm_bi_stack2/model.pt`;
    const wired = JSON.parse(gru(['inspect', lone, '--json']).stdout) as {
      modules?: { name: string }[];
      layers: unknown[];
    };
    expect(wired.layers.length).toBeGreaterThan(0);
  });
});

describe('errors are one line, with an exit code of their kind', () => {
  const text = () => {
    writeFileSync(at('text.safetensors'), 'no model at all');
    return at('text.safetensors');
  };
  const rows = (content: string) => {
    writeFileSync(at('rows.csv'), content);
    return at('rows.csv');
  };
  test.each<[string, () => string[], number, RegExp]>([
    ['an unknown command', () => ['inspekt'], 2, /unknown command 'inspekt'/],
    ['help of an unknown command', () => ['help', 'inspekt'], 2, /^gru: unknown command 'inspekt'$/m],
    ['an unknown option', () => ['inspect', amp, '--jsn'], 2, /unknown option '--jsn'.*Did you mean --json/],
    ['an option that is missing', () => ['run', amp], 2, /--input/],
    ['no such file', () => ['inspect', at('absent.onnx')], 3, /absent\.onnx/],
    [
      'a file where a folder is to be written to',
      () => ['convert', amp, '-o', join(text(), 'out.safetensors')],
      3,
      /a part of the path is no folder/,
    ],
    ['no model', () => ['inspect', text()], 4, /known format/],
    ['a line of the wrong width', () => ['run', amp, '-i', rows('1\n1,2\n')], 5, /line 2: the model takes 1 values/],
    [
      'a word among numbers',
      () => ['run', amp, '-i', rows('1\nx1\n')],
      5,
      /line 2: value 1 is no number of float32: x1/,
    ],
    ['an id that is not there', () => ['run', encoder, '-i', rows('1\n99\n')], 5, /rows\.csv, line 2: .* 27: 99/],
    ['names without a row', () => ['run', amp, '-i', rows('value\n')], 5, /rows\.csv, line 1: names of columns/],
    ['what is missing, first', () => ['run', amp, '-i', rows('NA\n1\n')], 5, /line 1: value 1 is no number .*: NA/],
    ['what is not installed', () => ['serve', amp], 8, /npm install gru-wasm-server/],
    ['its help', () => ['score', '--help'], 8, /npm install gru-wasm-server/],
    ['help of it', () => ['help', 'score'], 8, /npm install gru-wasm-server/],
  ])('%s', (_, args, status, message) => {
    const result = gru(args());
    expect(result.stderr).toMatch(message);
    expect(result.stderr.trim().split('\n')).toHaveLength(1);
    expect([result.status, result.stdout]).toEqual([status, '']);
  });

  test('--debug adds the stack', () => {
    expect(gru(['inspect', text(), '--debug']).stderr).toMatch(/\n {4}at /);
  });
});

describe('commands of gru-wasm-server', () => {
  const asModule = (source: string) => `data:text/javascript,${encodeURIComponent(source)}`;
  /** Stands for the package: says what it is asked for. */
  const server = asModule('export const run = (name, words) => (console.log(name, ...words), 0);');
  const resolve = `export const resolve = (name, context, next) =>
    name === 'gru-wasm-server/commands' ? { url: ${JSON.stringify(server)}, shortCircuit: true } : next(name, context);`;
  const installed = asModule(`import { register } from 'node:module'; register(${JSON.stringify(asModule(resolve))});`);

  test.each(['serve', 'score', 'worker', 'queue'])('%s: help of it is its own', (name) => {
    for (const args of [
      ['help', name],
      [name, '--help'],
      ['--debug', 'help', name],
    ]) {
      const { status, stdout, stderr } = runNode(['--import', installed, bin, ...args]);
      expect([status, stdout, stderr]).toEqual([0, `${name} --help\n`, '']);
    }
    const given = [name, '--debug', '--port', '1'];
    expect(runNode(['--import', installed, bin, ...given]).stdout).toBe(`${name} --port 1\n`);
  });
});

test('no command: the help of all, and nothing of how it was printed', () => {
  for (const args of [
    ['help', 'help'],
    ['--debug', 'help', 'run'],
    ['help', '--debug', 'run'],
  ]) {
    expect(gru(args)).toMatchObject({ status: 0, stderr: '', stdout: expect.stringMatching(/^Usage: gru/) as string });
  }
  for (const args of [[], ['--debug']]) {
    const { status, stdout, stderr } = gru(args);
    expect([status, stdout + stderr]).toEqual([2, expect.stringMatching(/^Usage: gru [^]*143 terminated\.\s*$/)]);
  }
});

describe('a Node that is too old', () => {
  test('is said in one line', () => {
    const none = 'data:text/javascript,delete process.getBuiltinModule';
    const { status, stdout, stderr } = runNode(['--import', none, bin, 'doctor']);
    expect(stderr).toMatch(/^gru: Node \d+\.\d+\.\d+ is too old: gru-wasm needs 20\.19, 22\.3 or later\n$/);
    expect([status, stdout]).toEqual([6, '']);
  });

  test('is looked for before anything is imported that it may lack', () => {
    const imported = [...readFileSync(bin, 'utf8').matchAll(/^import .*from "(.*)";$/gm)].map(([, name]) => name);
    // Of core.js another test sees that it imports nothing of Node.
    expect(imported.sort()).toEqual(['./chunks/core.js', 'node:fs']);
  });
});

test('convert: integers of a file become numbers where numbers are asked for', () => {
  const size = (name: string, from: string, dtype: string) => {
    expect(gru(['convert', from, '-o', at(name), '--dtype', dtype]).status).toBe(0);
    return statSync(at(name)).size;
  };
  const integers = size('i8.safetensors', encoder, 'i8');
  expect(size('numbers.safetensors', at('i8.safetensors'), 'float32')).toBeGreaterThan(3 * integers);
  expect(size('halves.safetensors', at('i8.safetensors'), 'float16')).toBeGreaterThan(1.5 * integers);
});

test('convert writes what loadModel reads, in half the size as float16', async () => {
  expect(gru(['convert', amp, '-o', at('a.safetensors')]).status).toBe(0);
  expect(readFileSync(at('a.safetensors'))).toEqual(readFileSync(amp));
  expect(gru(['convert', encoder, '-o', at('half.safetensors'), '--dtype', 'float16']).status).toBe(0);
  expect(statSync(at('half.safetensors')).size).toBeLessThan(0.51 * statSync(encoder).size);
  expect((await loadModel(at('half.safetensors'))).layers).toHaveLength(3);
  expect(readdirSync(dirname(at('x'))).filter((name) => name.endsWith('.part'))).toEqual([]);
});

test('doctor says in ten lines what was chosen, and that the bits agree', () => {
  const { status, stdout } = gru(['doctor']);
  expect(status).toBe(0);
  expect(stdout.trim().split('\n')).toHaveLength(10);
  expect(stdout).toMatch(/backend: +wasm-(relaxed|baseline): /);
  expect(stdout).toMatch(/kernels: +set [0-9], .*; i8 (by the dot product of bytes|as fast as i16)/);
  expect(stdout).toMatch(/bits: +baseline and JavaScript give the same/);
});

describe('compare', () => {
  test('the backends of a model are near each other', () => {
    const { status, stdout } = gru(['compare', encoder, '--json']);
    expect(status).toBe(0);
    const found = JSON.parse(stdout) as { of: string; worst: number; parts: string }[];
    expect(found.find(({ of }) => of === 'wasm-baseline')!.worst).toBe(0);
    expect(found.every(({ parts }) => parts === 'none')).toBe(true);
  });

  test('float16 weights differ: exit code 7, and the layer where it begins', () => {
    gru(['convert', encoder, '-o', at('half.safetensors'), '--dtype', 'float16']);
    const { status, stdout } = gru(['compare', encoder, at('half.safetensors'), '--tolerance', '1e-6']);
    expect(status).toBe(7);
    expect(stdout).toMatch(/half\.safetensors +state .*encoder_embedding/);
  });

  test('layers of other names are the same layers where their kinds and order are; of other kinds some are in one alone', async () => {
    const save = async (file: string, layers: LayerSpec[]) => {
      using model = await createModel({
        inputs: [{ name: 'x', dtype: 'float32', size: 1 }],
        layers,
        outputs: [{ name: 'y', from: 'out' }],
      });
      writeFileSync(at(file), model.save());
      return at(file);
    };
    const dense = (name: string, weight: number): LayerSpec => {
      const weights = { kernel: Float32Array.of(weight) };
      return { name, type: 'dense', inputSize: 1, outputSize: 1, weights };
    };
    const relu: LayerSpec = { name: 'relu', type: 'activation', activation: 'relu' };
    const one = await save('one.safetensors', [dense('a', 1), dense('b', 2), dense('out', 1)]);
    const renamed = await save('renamed.safetensors', [dense('c', 1), dense('d', 3), dense('out', 1)]);
    const longer = await save('longer.safetensors', [dense('c', 2), relu, dense('b', 2), dense('out', 1)]);
    const parts = (other: string) =>
      (JSON.parse(gru(['compare', one, other, '--json']).stdout) as { parts: string }[])[0]!.parts;
    expect(parts(renamed)).toBe('b');
    expect(parts(longer)).toBe('b, of those in both (a is in one alone)');
  });

  test('--precision: how far integers are, where they part, and the layers by the error that each brings', () => {
    const { status, stdout } = gru(['compare', encoder, '--precision', 'i8']);
    expect(status).toBe(7);
    expect(stdout).toMatch(/i8 +state +\d\.\d+e-\d +\S+ +encoder_embedding/);
    expect(stdout).toMatch(/encoder +gru +147,456( +\d\.\d+e-\d){4}\n/);
    interface Compared {
      worst: number;
      parts: string;
    }
    const asJson = (...args: string[]) => {
      const { status, stdout } = gru(['compare', encoder, '--json', ...args]);
      const { compared, layers, all } = JSON.parse(stdout) as {
        compared: Compared[];
        layers: { name: string; i8: Compared; i16: Compared }[];
        all: { i8: Compared; i16: Compared };
      };
      return { status, compared, layers, all };
    };
    const narrow = asJson('--precision', 'i8', '--tolerance', '1');
    expect([narrow.status, narrow.compared[0]!.parts]).toEqual([0, 'none']);
    expect(narrow.compared[0]!.worst).toBe(narrow.all.i8.worst);
    expect(narrow.layers.map(({ name }) => name).sort()).toEqual(['bridge', 'encoder', 'encoder_embedding']);
    expect(narrow.layers[0]!.i8.worst).toBe(Math.max(...narrow.layers.map(({ i8 }) => i8.worst)));
    expect(asJson('--precision', 'i16').compared[0]!.worst).toBe(narrow.all.i16.worst);
  });

  test.each([[], ['--precision', 'i8']])('reads the file once %s', (...flags) => {
    const count = `
      import fs from 'node:fs';
      const { open } = fs.promises;
      let opened = 0;
      fs.promises.open = (path, ...of) => ((opened += String(path).endsWith('encoder.safetensors')), open(path, ...of));
      process.on('exit', () => console.error(opened));`;
    const { stderr } = runNode([
      '--import',
      `data:text/javascript,${encodeURIComponent(count)}`,
      bin,
      'compare',
      encoder,
      ...flags,
    ]);
    expect(stderr).toBe('1\n');
  });

  test.each([NaN, Infinity])('--json of a difference that is no number, of a weight of %d: no null', (weight) => {
    const bytes = new Uint8Array(readFileSync(amp));
    new DataView(bytes.buffer).setFloat32(bytes.length - 4, weight, true);
    writeFileSync(at('broken.safetensors'), bytes);
    const { status, stdout } = gru(['compare', amp, at('broken.safetensors'), '--json']);
    expect(status).toBe(7);
    expect(JSON.parse(stdout)).toMatchObject([{ worst: 'Infinity', rms: 'Infinity' }]);
  });

  test('--precision of two models is refused', () => {
    const { status, stderr } = gru(['compare', encoder, amp, '--precision', 'i8']);
    expect([status, stderr]).toEqual([2, 'gru: --precision compares one model with itself\n']);
  });
});

test('bench times each backend, and draws a chart', () => {
  const { stdout } = gru(['bench', amp, '--steps', '8', '--svg', at('bench.svg')]);
  expect(stdout).toMatch(/wasm-baseline +f32 +[\d.]+ +[\d.]+ +█/);
  expect(stdout).toMatch(/js +f32 +[\d.]+ +[\d.]+ +█/);
  expect(stdout).toMatch(/wasm-\w+ +i16 +[\d.]+ +[\d.]+ +█/);
  expect(stdout).toMatch(/wasm-\w+ +i8 +[\d.]+ +[\d.]+ +█/);
  expect(readFileSync(at('bench.svg'), 'utf8')).toMatch(/^<svg [^]*<\/svg>\n$/);
});

test('explain --precision: the gates of the model in fewer bits', () => {
  writeFileSync(at('few.csv'), '0.5\n-0.5\n');
  gru(['explain', amp, '-i', at('few.csv'), '--precision', 'i8', '--backend', 'js', '-o', at('few.npz')]);
  gru(['convert', amp, '-o', at('few.safetensors'), '--dtype', 'i8']);
  gru(['explain', at('few.safetensors'), '-i', at('few.csv'), '--backend', 'js', '-o', at('same.npz')]);
  gru(['explain', amp, '-i', at('few.csv'), '--backend', 'js', '-o', at('exact.npz')]);
  expect(readFileSync(at('few.npz'))).toEqual(readFileSync(at('same.npz')));
  expect(readFileSync(at('few.npz'))).not.toEqual(readFileSync(at('exact.npz')));
});

test('bench of a file of integers times these, and fewer bits alone', () => {
  gru(['convert', amp, '-o', at('amp-i8.safetensors'), '--dtype', 'i8']);
  const { stdout } = gru(['bench', at('amp-i8.safetensors'), '--steps', '4', '--json']);
  const found = JSON.parse(stdout) as { backend: string; weights: string }[];
  expect(new Set(found.map(({ weights }) => weights))).toEqual(new Set(['i8']));
  expect(found.at(-1)!.backend).toBe('js');
});

test('explain writes the gates, and draws them', async () => {
  writeFileSync(at('x.csv'), '0.5\n-0.5\n0.25\n');
  const args = ['explain', amp, '-i', at('x.csv')];
  expect(gru(args).stdout).toMatch(/z: 16 units, 3 steps[^]*candidate: [^]*h: 16 units/);
  expect(gru([...args, '-o', at('gates.safetensors'), '--svg', at('gates.svg')]).status).toBe(0);
  const { parseSafetensors } = await import('../../ts/formats/safetensors.ts');
  const { tensors } = parseSafetensors(readFileSync(at('gates.safetensors')));
  expect([...tensors.keys()].sort()).toEqual(['candidate', 'h', 'r', 'z']);
  const model = await loadModel(amp);
  const { h } = await model.trace({ data: Float32Array.of(0.5, -0.5, 0.25), shape: [3, 1] });
  expect(tensors.get('h')!.floats()).toEqual(h!.data);
  expect(readFileSync(at('gates.svg'), 'utf8')).toContain(`>${amp}: gru</text>`);
  expect(readFileSync(at('gates.svg'), 'utf8')).toContain('candidate (16 units down, 3 steps to the right');
});

test('explain of no steps says so', () => {
  writeFileSync(at('none.csv'), '');
  const args = ['explain', amp, '-i', at('none.csv')];
  expect(gru(args)).toMatchObject({
    status: 0,
    stdout: expect.stringMatching(/^z: no steps, nothing to draw\n/) as string,
  });
});

describe('completion', () => {
  const has = (shell: string) => spawnSync(shell, ['-c', 'exit']).status === 0;
  /** What a shell offers behind words, the last of them begun. */
  const OFFERS: Record<string, (script: string, words: string[]) => string[]> = {
    bash: (script, words) => {
      const line = words.map((word) => `'${word}'`).join(' ');
      const set = `COMP_WORDS=(${line}); COMP_CWORD=${words.length - 1}`;
      return lines('bash', `${script}\n${set}; _gru; printf '%s\\n' "\${COMPREPLY[@]}"`);
    },
    fish: (script, words) =>
      lines('fish', `${script}\ncomplete -C '${words.join(' ')}'`).map((line) => line.split('\t')[0]!),
  };
  const lines = (shell: string, script: string) => {
    const { stdout, stderr } = spawnSync(shell, ['-c', script], { encoding: 'utf8', cwd: at('files') });
    expect(stderr).toBe('');
    return stdout.split('\n').filter((line) => line !== '');
  };
  mkdirSync(at('files'));
  writeFileSync(at('files/my model.pt'), '');

  test.for(['bash', 'fish'])('%s offers commands, options, their values and files', (shell, { skip }) => {
    skip(!has(shell), `there is no ${shell}`);
    const script = gru(['completion', shell]).stdout;
    const offers = (...words: string[]) => OFFERS[shell]!(script, words).sort();
    expect(offers('gru', 'co')).toEqual(['compare', 'completion', 'convert']);
    expect(offers('gru', 'run', '--ba')).toEqual(['--backend']);
    expect(offers('gru', 'run', 'm.pt', '--backend', '')).toEqual(['auto', 'baseline', 'js', 'wasm']);
    expect(offers('gru', 'run', '--precision', '')).toEqual(['f32', 'i16', 'i8']);
    expect(offers('gru', 'compare', '--precision', '')).toEqual(['i16', 'i8']);
    expect(offers('gru', 'completion', 'b')).toEqual(['bash']);
    expect(offers('gru', 'help', 'ins')).toEqual(['inspect']);
    expect(offers('gru', 'inspect', 'm').map((word) => word.replace('\\', ''))).toEqual(['my model.pt']);
  });

  test.runIf(has('bash'))(
    'bash: a value behind =, as it splits words and as others do, and a command behind options',
    () => {
      const script = gru(['completion', 'bash']).stdout;
      const offers = (...words: string[]) => OFFERS['bash']!(script, words).sort();
      expect(offers('gru', 'run', '--backend', '=', 'b')).toEqual(['baseline']);
      expect(offers('gru', 'run', '--backend', '=')).toEqual(['auto', 'baseline', 'js', 'wasm']);
      expect(offers('gru', 'run', '--backend=b')).toEqual(['--backend=baseline']);
      expect(offers('gru', 'run', '--layers', '=', 'my')).toEqual(['my model.pt']);
      expect(offers('gru', '--debug', 'run', '--ba')).toEqual(['--backend']);
      expect(offers('gru', '--debug', 'co')).toEqual(['compare', 'completion', 'convert']);
      expect(offers('gru', '--debug', 'run', '--backend', 'b')).toEqual(['baseline']);
    },
  );

  test.runIf(has('zsh'))('zsh reads it', () => {
    const script = `autoload -U compinit; compinit -u -D\n${gru(['completion', 'zsh']).stdout}\n(( \${+functions[_gru]} )) && echo read`;
    expect(lines('zsh', script)).toEqual(['read']);
  });
});
