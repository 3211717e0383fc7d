import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { createModel } from '../../ts/index.ts';
import { writeSafetensors } from '../../ts/formats/safetensors.ts';
import { amp, encoder, folder, gru, root } from './gru.ts';

const at = folder();
const file = (name: string, content: string | Uint8Array) => {
  writeFileSync(at(name), content);
  return at(name);
};
const one = file('one.csv', '0.5\n');
const word = file('word.csv', '8\n5\n');
for (const name of ['folder.csv', 'folder.npz']) mkdirSync(at(name));

/** Each is refused in one line, of no control characters, with the exit code of its kind. */
function refused(args: string[], status: number, ...words: string[]): void {
  const result = gru(args);
  expect([result.status, result.stdout], result.stderr).toEqual([status, '']);
  expect(result.stderr).toMatch(/^gru: \P{Cc}+\n$/u);
  for (const each of words) expect(result.stderr).toContain(each);
}

describe('a file of data that is none', () => {
  const FORMATS = ['wav', 'npy', 'npz', 'safetensors'];
  const contents: [string, Uint8Array][] = [
    ['nothing', new Uint8Array(0)],
    ['a line of text', Buffer.from('0.5\n')],
    ['noise', Uint8Array.from({ length: 5000 }, (_, i) => (i * i * 31 + 7) % 251)],
  ];
  test.each(contents)('%s: the file is named, and it is the data', (_, content) => {
    for (const format of FORMATS) {
      const path = file(`bad.${format}`, content);
      for (const command of ['run', 'explain']) refused([command, amp, '-i', path], 5, path);
      const isTensors = format === 'npz' || format === 'safetensors';
      refused(['run', amp, '-i', one, '--states', path], isTensors ? 5 : 2, path);
    }
  });

  test('safetensors with a gap before the only tensor', () => {
    const header = Buffer.from(JSON.stringify({ x: { dtype: 'F32', shape: [1], data_offsets: [8, 12] } }));
    const length = Buffer.alloc(8);
    length.writeUInt32LE(header.length);
    const path = file('gap.safetensors', Buffer.concat([length, header, Buffer.alloc(12)]));
    refused(['run', amp, '-i', path], 5, path, "'x' begins at 8", 'a gap');
  });

  test('a first line of names is text, and of CSV alone', () => {
    refused(['run', amp, '-i', file('nul.csv', '1\x002\n')], 5, 'line 1');
    refused(['run', amp, '-i', file('noise.csv', Uint8Array.of(0xff, 0xfe, 0x41, 0x0a))], 5, 'line 1');
    refused(['run', amp, '-i', file('names.ndjson', 'volts\n[1]\n')], 5, 'line 1');
    refused(['run', amp, '-i', file('object.ndjson', '{"a":1}\n')], 5, 'line 1');
    refused(['run', amp, '-i', file('object.csv', '{"a":1}\n')], 5, 'line 1');
    expect(gru(['run', amp, '-i', file('names.csv', 'volts\n0.5\n')]).stdout).toBe(gru(['run', amp, '-i', one]).stdout);
  });

  test('numbers beyond float32 are refused, infinity is one', () => {
    refused(['run', amp, '-i', file('huge.csv', '1\n1e39\n')], 5, 'line 2', '1e39');
    refused(['run', amp, '-i', file('huger.csv', '1e400\n2\n')], 5, 'line 1', '1e400');
    refused(['run', amp, '-i', file('huge.ndjson', '[1e400]\n')], 5, 'line 1');
    refused(['run', amp, '-i', file('low.ndjson', '[-3.5e38]\n')], 5, 'line 1', '-3.5e38');
    expect(gru(['run', amp, '-i', file('inf.csv', '-inf\n3.4e38\n')]).status).toBe(0);
  });
});

describe('names', () => {
  test('of files that are empty, or lead to a folder', () => {
    refused(['run', amp, '-i', ''], 2, 'empty string');
    refused(['run', amp, '-i', one, '-o', ''], 2, 'empty string');
    refused(['run', amp, '-i', one, '--states', ''], 2, '--states');
    refused(['inspect', ''], 2, 'empty string');
    refused(['convert', amp, '-o', ''], 3, "''");
    refused(['run', amp, '-i', at('folder.csv')], 3, 'folder.csv', 'is a folder');
    refused(['explain', amp, '-i', at('folder.csv')], 3, 'folder.csv', 'is a folder');
    refused(['inspect', amp, '--layers', at('folder.csv')], 3, 'folder.csv', 'is a folder');
    refused(['explain', amp, '-i', at('folder.npz')], 3, 'folder.npz', 'is a folder');
    refused(['run', amp, '-i', at('folder.npz')], 3, 'folder.npz', 'is a folder');
  });

  test('of inputs: one that is not there, one given twice, a file without any', () => {
    for (const command of ['run', 'explain']) {
      refused([command, amp, '-i', 'volts=one.csv'], 2, "no input 'volts'", 'sample');
      refused([command, amp, '-i', one, '-i', one], 2, "'sample' is given twice");
    }
    refused(['run', encoder, '-i', `letters=${word}`, '-i', word], 2, "'letters' is given twice");
    refused(['run', encoder, '-i', amp], 5, 'gru/', 'letters');
    const equals = file('a=b.csv', '0.5\n');
    expect(gru(['run', amp, '-i', equals]).status).toBe(0);
    expect(gru(['run', amp, '-i', `sample=${equals}`]).status).toBe(0);
  });

  test('of files of states: those that hold several tensors', () => {
    refused(['run', amp, '-i', one, '--save-states', at('s.csv')], 2, '--save-states', '.npz or .safetensors');
    refused(['run', amp, '-i', one, '--save-states', at('s')], 2, '--save-states', '.npz or .safetensors');
    refused(['run', amp, '-i', one, '--states', one], 2, '--states', '.npz or .safetensors');
    refused(['explain', amp, '-i', one, '-o', at('g.csv')], 2, '--output', '.npz or .safetensors');
  });
});

test('convert: the ending of a format that is not written', () => {
  for (const name of ['m.onnx', 'm.keras', 'm.PT', 'model.json']) {
    refused(['convert', amp, '-o', at(name)], 2, name, '.safetensors');
    expect(existsSync(at(name))).toBe(false);
  }
  expect(gru(['convert', amp, '-o', at('amp.v2')]).status).toBe(0);
});

test('explain: a layer, or a direction, that is not there', () => {
  refused(['explain', amp, '-i', one, '--layer', 'gruu'], 2, "no recurrent layer 'gruu'; there is 'gru'");
  refused(['explain', amp, '-i', one, '--direction', 'reverse'], 2, "runs forward, not 'reverse'");
});

test('compare: files of no steps', () => {
  const none = file('none.csv', '');
  for (const args of [[amp], [amp, amp], [amp, '--precision', 'i8']]) {
    refused(['compare', ...args, '-i', none], 5, 'no steps');
  }
});

test('compare: models of other inputs', () => {
  refused(['compare', amp, encoder], 5, 'sample: float32 batch x steps x 1', 'letters: int32 batch x steps');
  const keras = `${root}tests/fixtures/cases/keras_gru_after_seq/model.keras`;
  refused(['compare', amp, keras, '-i', one], 5, 'batch x steps x 4');
});

test.each(['5000000000', '9007199254740991'])('bench: %s steps, for which there is no memory', (steps) => {
  refused(['bench', amp, '--steps', steps], 6, steps);
});

test.each(['constructor', 'toString', '__proto__', 'hasOwnProperty'])(
  'an input called %s, and a layer',
  async (name) => {
    const layer = name === 'constructor' ? 'toString' : 'constructor';
    const model = await createModel({
      inputs: [{ name, dtype: 'float32', size: 1 }],
      layers: [
        {
          name: layer,
          type: 'lstm',
          inputs: [name],
          inputSize: 1,
          hiddenSize: 2,
          weights: {
            'forward.input': new Float32Array(8).fill(0.5),
            'forward.recurrent': new Float32Array(16).fill(0.25),
          },
        },
      ],
    } as never);
    const path = file('odd.safetensors', model.save());
    const steps = file('steps.csv', '0.5\n-0.5\n');
    refused(['run', path, '-i', 'nothing=x.csv'], 2, `no input 'nothing'`);
    const whole = gru(['run', path, '-i', file('whole.csv', '0.5\n-0.5\n0.5\n-0.5\n')]);
    expect([whole.status, whole.stderr]).toEqual([0, '']);
    const first = gru(['run', path, '-i', `${name}=${steps}`, '--save-states', at('odd-states.npz')]);
    const second = gru(['run', path, '-i', steps, '--states', at('odd-states.npz')]);
    expect(first.stdout + second.stdout).toBe(whole.stdout);
  },
);

test('what a file says is shown, and obeyed by no terminal', () => {
  // The last two show what follows from right to left.
  const red = '\x1b[31m\u009b2J\x07\u2028\u202e\u2067';
  const tensor = { dtype: 'F32' as const, shape: [1], data: new Float32Array(1) };
  const path = file('names.safetensors', writeSafetensors({ [`${red}gru.weight`]: tensor }));
  for (const { stdout, stderr } of [
    gru(['inspect', path]),
    gru(['run', amp, '-i', path]),
    gru(['run', encoder, '-i', path]),
    gru(['run', amp, '-i', file('red.csv', `${red}\n${red}\n`)]),
    gru(['inspect', at(red)]),
    gru(['bench', file(`${red}.safetensors`, readFileSync(amp)), '--steps', '4', '--svg', at('red.svg')]),
    gru(['compare', at(`${red}.safetensors`)]),
    gru(['compare', amp, at(`${red}.safetensors`)]),
    gru(['compare', at(`${red}.safetensors`), '--precision', 'i8']),
  ]) {
    expect(stdout + stderr).toMatch(/^([^\p{Cc}\p{Zl}\p{Zp}\p{Bidi_Control}]|\n)+$/u);
  }
  expect(readFileSync(at('red.svg'), 'utf8')).toMatch(/^[\P{Cc}\n]+$/u);
  expect(gru(['inspect', path]).stdout).toContain('gru.weight');
});

test('help is a command too', () => {
  expect(gru(['help'])).toMatchObject({ status: 0, stdout: gru(['--help']).stdout });
  expect(gru(['help', 'run'])).toMatchObject({ status: 0, stdout: gru(['run', '--help']).stdout });
  expect(readFileSync(one, 'utf8')).toBe('0.5\n');
});
