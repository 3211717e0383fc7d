import { expect, test } from 'vitest';
import { loadModel } from '../../ts/js.ts';
import { plainBytes, readKind } from '../../ts/io/source-kind.ts';
import { failure } from './helpers.ts';

test.each<[string, string | undefined]>([
  ['models/a.onnx', undefined],
  ['C:\\models\\a.onnx', undefined],
  ['backup-of-file:a', undefined],
  ['x/https://y', undefined],
  ['ftp://example.org/a', undefined],
  ['https://example.org/a.onnx', 'https:'],
  ['HTTP://example.org', 'http:'],
  ['file:///a.onnx', 'file:'],
  ['data:,x', 'data:'],
  ['blob:https://example.org/1', 'blob:'],
])('the text %j is a URL of the scheme %s', (source, protocol) => {
  const known = readKind(source);
  expect(known).toMatchObject({ kind: 'name', name: source });
  expect(known.kind === 'name' ? known.url?.protocol : 'none').toBe(protocol);
});

test('a File is a Blob, and both are told by what they can do', () => {
  const file = new File(['x'], 'model.onnx');
  expect(readKind(file)).toEqual({ kind: 'blob', blob: file, name: 'model.onnx' });
  const blob = new Blob(['x']);
  expect(readKind(blob)).toEqual({ kind: 'blob', blob });
  for (const named of ['File', 'Response']) {
    expect(failure(() => readKind({ [Symbol.toStringTag]: named }))).toMatchObject({
      code: 'invalid_argument',
      message: expect.stringMatching(`got an object of ${named}$`) as string,
    });
  }
});

test('says the start of a bad URL, what it is for, and why', () => {
  const { message, cause } = failure(() => readKind(`https://[${'x'.repeat(1000)}`, "files['shard']"));
  expect(message).toMatch(/^files\['shard'\] is no valid URL: 'https:\/\/\[x{191}'$/);
  expect(cause).toBeInstanceOf(TypeError);
});

test.each(['{"layers": []}', ' [{}]', 'x'.repeat(40_000)])('the text of a file is no path: %.20j', (text) => {
  expect(() => readKind(text)).toThrow(
    /is a text of \d+ characters that begins with ".{1,50}", which is no path: give the path, or/,
  );
});

test('what a system says of a long path is cut', async () => {
  const failed = loadModel('x'.repeat(20_000));
  await expect(failed).rejects.toMatchObject({ code: 'io', message: expect.stringMatching(/^.{300,1300}$/) as string });
});

test('bytes are the same memory, without what a subclass adds; those of shared memory are a copy', () => {
  class Lying extends Uint8Array {
    override slice(): never {
      throw new Error('asked');
    }
  }
  const whole = Uint8Array.of(0, 1, 2, 3);
  const plain = plainBytes(new Lying(whole.buffer, 1, 2));
  expect(Object.getPrototypeOf(plain)).toBe(Uint8Array.prototype);
  expect([plain.buffer === whole.buffer, ...plain]).toEqual([true, 1, 2]);
  const shared = new Uint8Array(new SharedArrayBuffer(4), 1, 2).fill(7);
  const copy = plainBytes(shared);
  shared.fill(0);
  expect([copy.buffer instanceof ArrayBuffer, ...copy]).toEqual([true, 7, 7]);
});
