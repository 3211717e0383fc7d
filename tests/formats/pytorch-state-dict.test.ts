import { describe, expect, test } from 'vitest';
import { findStateDict, wrapperPrefix } from '../../ts/formats/pytorch/checkpoint.ts';
import { checkPytorchOptions } from '../../ts/formats/pytorch/options.ts';
import type { StateDict, StateEntry } from '../../ts/formats/pytorch/source.ts';
import { TorchTensor } from '../../ts/formats/pytorch/tensor.ts';
import { ignoredNames, Tensors } from '../../ts/formats/pytorch/tensors.ts';
import { StorageRef } from '../../ts/formats/pytorch/storage.ts';
import type { PickleValue } from '../../ts/formats/pytorch/values.ts';
import { refusal } from './refusal.ts';

/** Which dict of a checkpoint holds the weights, and what becomes of its names. */

const storage = new StorageRef('0', 'float32', 1);
const tensor = (rank: number) => new TorchTensor(storage, 'float32', 0, Array(rank).fill(1) as number[], []);
const map = (entries: Record<string, PickleValue>) => new Map<PickleValue, PickleValue>(Object.entries(entries));
const weights = map({ w: tensor(2) });
const biases = map({ b: tensor(1) });

describe('the state dict of a checkpoint', () => {
  const find = (root: PickleValue, wanted?: string) => findStateDict(root, wanted, 'f');
  /** `{ k: { k: ... weights } }` */
  const deep = (n: number): PickleValue => (n === 0 ? weights : map({ k: deep(n - 1) }));

  test.each<[string, PickleValue, string]>([
    ['is the whole', weights, ''],
    ['is in it', map({ epoch: 3, model: weights }), 'model'],
    ['is in a dict of it', map({ a: map({ b: weights }), lr: 0.1 }), 'a.b'],
    ['holds more than tensors', map({ w: tensor(2), version: 1 }), ''],
    ['is the one of two dicts that holds matrices', map({ moments: biases, model: weights }), 'model'],
    ['is the same in two places', map({ a: weights, b: weights }), 'a'],
    ['is 16 dicts in', deep(16), Array(16).fill('k').join('.')],
    ['is beside a dict of numbers', map({ state: new Map([[0, weights]]), model: map({ w: tensor(2) }) }), 'model'],
    ['is beside a dict of mixed keys', map({ state: new Map<PickleValue, PickleValue>([['a', weights], [0, 1]]), model: map({ w: tensor(2) }) }), 'model'],
  ])('%s', (_, root, path) => {
    expect(find(root).path).toBe(path);
  }); // prettier-ignore

  test('is found beside a dict that holds itself', () => {
    const root = map({ model: weights });
    root.set('self', root);
    expect(find(root).path).toBe('model');
  });

  test.each<[string, PickleValue, RegExp]>([
    ['a list', [weights], /unsupported: f: the file holds a list, no state dict/],
    ['no weights', map({ a: biases, b: 1 }), /unsupported: f: there is no state dict in it/],
    ['weights 17 dicts in', deep(17), /there is no state dict/],
    ['two', map({ a: weights, b: map({ w: tensor(3) }) }), /unsupported: .*several state dicts: 'a', 'b'; name one: .*stateDict: 'a' \}/],
    ['the whole and another', map({ w: tensor(2), b: map({ w: tensor(2) }) }), /: the whole file, 'b'; name one/],
    ['20', map(Object.fromEntries(Array.from({ length: 20 }, (_, i) => [`d${i}`, map({ w: tensor(2) })]))), /'d18', 'd19'; name one/],
    ['22', map(Object.fromEntries(Array.from({ length: 22 }, (_, i) => [`d${i}`, map({ w: tensor(2) })]))), /'d19', and 2 more; name one/],
    ['one of 200 letters', map({ ['x'.repeat(200)]: weights, b: map({ w: tensor(2) }) }), /: 'x{200}', 'b'/],
    ['one of 201 letters', map({ ['x'.repeat(201)]: weights, b: map({ w: tensor(2) }) }), /: 'x{200}\.\.\.', 'b'/],
  ])('refused: %s', (_, root, message) => {
    expect(refusal(() => find(root))).toMatch(message);
  }); // prettier-ignore

  test('is the one that the user names', () => {
    const root = map({ aa: map({ w: tensor(2), 'b.c': map({ v: tensor(2) }), b: biases }), bb: weights, w: tensor(2) });
    expect(find(root, '').dict).toBe(root);
    expect(find(root, 'bb').dict).toBe(weights);
    expect(find(root, 'aa.b')).toEqual({ path: 'aa.b', dict: biases });
    expect([...find(root, 'aa.b.c').dict.keys()]).toEqual(['v']);
    expect(refusal(() => find(root, 'cc'))).toMatch(
      /invalid_argument: .*no dict of tensors 'cc'; it has the whole file, 'aa', 'aa\.b\.c', 'aa\.b', 'bb'/,
    );
    expect(refusal(() => find(map({ a: 1 }), 'a'))).toMatch(/it has none/);
  });
});

test.each<[string[], string]>([
  [[], ''],
  [['a.w', 'a.b'], ''],
  [['module.a.w', 'module.b'], 'module.'],
  [['module.a.w', 'b'], ''],
  [['module._orig_mod.a', 'module._orig_mod.b'], 'module._orig_mod.'],
  [['module.module.a', 'module.b'], 'module.'],
  [['_orig_mod.module.module.a'], '_orig_mod.module.module.'],
])('the wrappers of %j are %j', (names, prefix) => {
  expect(wrapperPrefix(names)).toBe(prefix);
});

const entry = (...shape: number[]): StateEntry => ({
  shape,
  dtype: 'float32',
  floats: () => Promise.resolve(new Float32Array()),
});
const dictOf = (...names: string[]): StateDict => new Map(names.map((name) => [name, entry(1)]));

describe('what is left out', () => {
  const names = ['a', 'a.b', 'a.b.c', 'ab', 'head.0.w', 'head.1.w', 'head.1.bias', 'xx'];
  test.each<[string, string[]]>([
    ['a', ['a', 'a.b', 'a.b.c']],
    ['a.b', ['a.b', 'a.b.c']],
    ['ab', ['ab']],
    ['head.1', ['head.1.w', 'head.1.bias']],
    ['*', names],
    ['a*', ['a', 'a.b', 'a.b.c', 'ab']],
    ['*b', ['a.b', 'ab']],
    ['head.*.w', ['head.0.w', 'head.1.w']],
    ['*ea*1*s', ['head.1.bias']],
    ['*.1*1*', []],
    ['*1*.1*', []],
    ['x*x', ['xx']],
    ['xx*x', []],
    ['x*x*x', []],
    ['*x*x*', ['xx']],
    ['*x*x*x*', []],
    ['a**c', ['a.b.c']],
    ['*b*c', ['a.b.c']],
    ['*b.*c', ['a.b.c']],
    ['*c*c', []],
  ])('by %s', (pattern, wanted) => {
    if (wanted.length === 0) {
      expect(refusal(() => ignoredNames(dictOf(...names), [pattern], ''))).toMatch(/invalid_argument: .*is called '/);
      return;
    }
    expect([...ignoredNames(dictOf(...names), [pattern], '')]).toEqual(wanted);
  });

  test('is named with the prefix of a wrapper or without it', () => {
    for (const given of ['a', 'module.a']) {
      expect([...ignoredNames(dictOf(...names), [given, 'xx'], 'module.')]).toEqual(['a', 'a.b', 'a.b.c', 'xx']);
    }
    expect(refusal(() => ignoredNames(dictOf(...names), ['modula.a'], 'module.'))).toMatch(/'modula\.a'/);
  });
});

describe('a tensor taken', () => {
  const tensors = () =>
    new Tensors(new Map<string, StateEntry>([['w', entry(3, 2)], ['empty', entry(3, 0)], ['n', 'an int'], ['p.x', entry(1)]]), 'module.'); // prettier-ignore
  test('is reported under its name in the file', () => {
    const all = tensors();
    expect(all.take('w', 'd/kernel', [-1, 2])).toMatchObject({ name: 'w', shape: [3, 2] });
    expect(all.table).toEqual([{ source: 'module.w', shape: [3, 2], dtype: 'float32', target: 'd/kernel' }]);
    expect([all.has('w'), all.has('v'), all.local('module.w'), all.local('w')]).toEqual([true, false, 'w', 'w']);
    expect([all.shape('w'), all.shape('n'), all.shape('v')]).toEqual([[3, 2], undefined, undefined]);
    expect([...all.module('p')!.tensors.keys()]).toEqual(['x']);
    expect(all.module('q')).toBeUndefined();
    expect(all.module('')!.tensors.get('n')).toBe('an int');
  });

  test.each<[string, number[], RegExp]>([
    ['v', [1], /invalid_argument: .*no tensor 'v' for d\/kernel; its modules: without a prefix .*'p'/],
    ['n', [1], /unsupported: 'n' is an int, no tensor/],
    ['w', [3], /unsupported: tensor 'w' has shape \[3, 2\], d\/kernel takes \[3\]/],
    ['w', [-1, 3], /takes \[any, 3\]/],
    ['w', [-1, 2, 1], /takes \[any, 2, 1\]/],
    ['empty', [3, -1], /'empty' has shape \[3, 0\]/],
  ])('is refused: %s as %j', (name, shape, message) => {
    expect(refusal(() => tensors().take(name, 'd/kernel', shape))).toMatch(message);
  });

  test('may be one that is ignored, or named without what all names begin with', () => {
    const dict = dictOf('model.net.a.w', 'model.net.b', 'loss.w');
    const all = new Tensors(dict, '', new Set(['loss.w']));
    expect(all.modules.has('loss')).toBe(false);
    expect(all.module('loss')).toBeDefined();
    expect(['a', 'a.w', 'b', 'loss', 'c', 'model.net.a', ''].map((name) => all.local(name))).toEqual(['model.net.a', 'model.net.a.w', 'model.net.b', 'loss', 'c', 'model.net.a', 'model.net']); // prettier-ignore
    const prefixes = [
      ['a.b.c', 'a.bd'],
      ['a.b.c', 'a.b.d'],
      ['ab', 'b'],
      ['a.b', 'ab.b'],
      ['a.b.c', 'x'],
      ['.a', 'a'],
    ];
    expect(prefixes.map((names) => new Tensors(dictOf(...names), '').local('q'))).toEqual(prefixes.map(() => 'q'));
    expect(prefixes.map((names) => new Tensors(dictOf(...names), '').local(names[0]!.slice(2)))).toEqual(['a.b.c', 'a.b.c', '', 'b', 'b.c', '']); // prettier-ignore
  });

  test('is named with what the model is in, and what to ignore beside it', () => {
    const without = (...names: string[]) => refusal(() => new Tensors(dictOf(...names), '').take('rnn.w', 't', [1]));
    expect(without('model.rnn.w', 'model.b', 'loss.w', 'metric.a.b')).toMatch(
      /It has 'model\.rnn\.w': \{ pytorch: \{ ignore: \['loss', 'metric\.a'\] \} \} leaves out what is beside 'model'$/,
    );
    const many = Array.from({ length: 9 }, (_, i) => `other${i}.w`);
    for (const names of [['model.b', 'loss.w'], ['xrnn.w'], ['model.rnn.w', ...many]])
      expect(without(...names)).not.toContain('ignore');
  });

  test('leaves the others to be named', () => {
    const all = tensors();
    all.take('w', 't', [3, 2]);
    expect(refusal(() => {
      all.checkAllUsed();
    })).toMatch(/unsupported: no layer uses 'empty' \[3, 0\], 'n' \(an int\), 'p\.x' \[1\]: add/); // prettier-ignore
    const of = (n: number) => new Tensors(dictOf(...Array.from({ length: n }, (_, i) => `t${i}`)), '');
    const unused = (n: number) => refusal(() => {
      of(n).checkAllUsed();
    }); // prettier-ignore
    expect(unused(10)).toMatch(/'t9' \[1\]: add/);
    expect(unused(12)).toMatch(/'t9' \[1\], and 2 more: add/);
    expect(() => {
      of(0).checkAllUsed();
    }).not.toThrow();
  });
});

describe('options', () => {
  const check = (options: unknown) => {
    checkPytorchOptions(options);
  };
  test.each<[string, unknown]>([
    ['none', {}],
    ['all', { layers: [{ gru: 'g' }], inputs: [{ name: 'x', dtype: 'int32', size: 1 }], outputs: ['y'], ignore: ['z'], stateDict: 'm' }],
    ['all undefined', { layers: undefined, inputs: undefined, outputs: undefined, ignore: undefined, stateDict: undefined }],
    ['a gru with all its fields', { layers: [{ gru: 'g', name: 'n', from: 'x', returns: 'sequence', initialState: ['a'] }] }],
    ['a gru with other ones', { layers: [{ gru: { weight_ih: 'a' }, returns: 'last', initialState: 'a' }] }],
    ['a linear with an activation', { layers: [{ linear: 'l', activation: 'relu' }, { activation: 'relu', from: 'l' }] }],
    ['merges', { layers: [{ concat: ['a'], name: 'c' }, { sum: ['a'] }, { mul: ['a'] }, { step: -1 }, { embedding: 'e' }] }],
  ])('%s', (_, options) => {
    expect(() => {
      check(options);
    }).not.toThrow();
  }); // prettier-ignore

  test.each<[unknown, RegExp]>([
    [null, /options must be an object, got null/],
    [[], /options must be an object/],
    [{ layer: [] }, /unknown option 'layer'; known: layers, inputs/],
    [{ layers: 'gru' }, /layers must be an array of layers/],
    [{ layers: [] }, /layers must be an array of layers/],
    [{ layers: [{ gru: 'g' }, 'gru'] }, /layers\[1\] must be an object/],
    [{ layers: [{}] }, /layers\[0\]: no layer that is supported \(embedding, gru/],
    [{ layers: [{ gru: 'g', activation: 'relu' }] }, /a layer 'gru' has no field 'activation'; it has name, from, returns/],
    [{ layers: [{ step: 0, returns: 'last' }] }, /'step' has no field 'returns'/],
    [{ layers: [{ sub: ['a'], from: 'x' }] }, /'sub' has no field 'from'/],
    [{ layers: [{ mul: ['a'], from: 'x' }] }, /'mul' has no field 'from'/],
    [{ layers: [{ concat: ['a'], from: 'x' }] }, /'concat' has no field 'from'/],
    [{ layers: [{ embedding: 'e', returns: 'last' }] }, /'embedding' has no field 'returns'/],
    [{ layers: [{ gru: 'g', name: 1 }] }, /layers\[0\]\.name must be a string/],
    [{ layers: [{ gru: 'g', from: ['x'] }] }, /layers\[0\]\.from must be a string/],
    [{ layers: [{ gru: 1 }] }, /layers\[0\]\.gru must be the name of a module/],
    [{ layers: [{ linear: null }] }, /layers\[0\]\.linear must be the name of a module/],
    [{ layers: [{ embedding: { weight: 1 } }] }, /layers\[0\]\.embedding must be the name of a module/],
    [{ layers: [{ gru: ['g'] }] }, /layers\[0\]\.gru must be the name of a module/],
    [{ layers: [{ concat: 'a' }] }, /layers\[0\]\.concat must be an array of names/],
    [{ layers: [{ div: ['a', null] }] }, /layers\[0\]\.div must be an array of names and numbers/],
    [{ layers: [{ mul: null }] }, /layers\[0\]\.mul must be an array of names/],
    [{ layers: [{ gru: 'g', returns: 'first' }] }, /returns must be sequence or last, got/],
    [{ layers: [{ gru: 'g', initialState: 1 }] }, /initialState must be a name or/],
    [{ layers: [{ gru: 'g', initialState: ['a', 1] }] }, /initialState must be a name or/],
    [{ inputs: { name: 'x' } }, /inputs must be an array/],
    [{ inputs: ['x'] }, /inputs must be an array/],
    [{ outputs: 'y' }, /outputs must be an array of names/],
    [{ outputs: [1] }, /outputs must be an array of names/],
    [{ ignore: 'y' }, /ignore must be an array of names/],
    [{ ignore: ['a', 1] }, /ignore must be an array of names/],
    [{ stateDict: 1 }, /stateDict must be a string, got/],
  ])('refused: %j', (options, message) => {
    const refused = refusal(() => {
      check(options);
    });
    expect(refused).toMatch(/^invalid_argument/);
    expect(refused).toMatch(message);
  }); // prettier-ignore
});
