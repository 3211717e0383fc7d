import { afterEach, expect, test, vi } from 'vitest';

afterEach(() => {
  vi.unstubAllGlobals();
});

test('a host whose process refuses to give modules, as that of the edge runtime of Next, is one that has none', async () => {
  const getBuiltinModule = () => {
    throw new Error('A Node.js API is used (process.getBuiltinModule)');
  };
  vi.stubGlobal('process', { ...process, versions: {}, getBuiltinModule });
  const { createGru, loadModel } = await import('../../ts/static.ts');
  const { crc32 } = await import('../../ts/io/crc32.ts');
  const weights = { kernel: [1, 2, 3], recurrentKernel: [1, 2, 3] };
  using made = await createGru({ inputSize: 1, hiddenSize: 1, resetAfter: true }, weights, { backend: 'js' });
  const url = `data:application/octet-stream;base64,${Buffer.from(made.save()).toString('base64')}`;
  using model = await loadModel(url, { backend: 'js' });
  expect(model.run([1, 2]).output.data).toEqual(made.run([1, 2]).output.data);
  expect(crc32(new TextEncoder().encode('123456789'))).toBe(0xcbf43926);
});

test('a fetch whose responses have no streams, as that of React Native, gives models from URLs', async () => {
  const { createGru, loadModel } = await import('../../ts/static.ts');
  const weights = { kernel: [1, 2, 3], recurrentKernel: [1, 2, 3] };
  using made = await createGru({ inputSize: 1, hiddenSize: 1, resetAfter: true }, weights, { backend: 'js' });
  const { buffer } = made.save();
  const answer = {
    ok: true,
    status: 200,
    bodyUsed: false,
    headers: new Headers(),
    arrayBuffer: () => Promise.resolve(buffer),
  };
  vi.stubGlobal('fetch', () => Promise.resolve(answer));
  const loaded: number[] = [];
  const onProgress = (progress: { loaded: number }) => loaded.push(progress.loaded);
  using model = await loadModel('https://models.example/gru.safetensors', { backend: 'js', onProgress });
  expect(model.run([1, 2]).output.data).toEqual(made.run([1, 2]).output.data);
  expect(loaded.at(-1)).toBe(buffer.byteLength);
  await expect(loadModel('https://models.example/gru.safetensors', { maxBytes: 8 })).rejects.toThrow('maxBytes');
});

test('a response whose body is never done with being cancelled does not hold up its error', async () => {
  const { loadModel } = await import('../../ts/static.ts');
  const body = new ReadableStream({ cancel: () => new Promise(() => undefined) });
  await expect(loadModel(new Response(body, { status: 404 }))).rejects.toThrow('HTTP status 404');
});
