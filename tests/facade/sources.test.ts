import { once } from 'node:events';
import fs from 'node:fs';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import os from 'node:os';
import path from 'node:path';
import vm from 'node:vm';
import { gzipSync } from 'node:zlib';
import { afterAll, describe, expect, test, vi } from 'vitest';
import { GruError, inspect, loadModel, type ModelSource } from '../../ts/index.ts';
import { filesBeside, readSource } from '../../ts/io/source.ts';

const root = fs.mkdtempSync(path.join(os.tmpdir(), 'gru-sources-'));
afterAll(() => {
  fs.rmSync(root, { recursive: true });
});

const detached = () => {
  const bytes = new Uint8Array(40);
  structuredClone(bytes.buffer, { transfer: [bytes.buffer] });
  return bytes;
};
const used = async () => {
  const response = new Response('x');
  await response.text();
  return response;
};

const ODD: Record<string, [() => unknown, RegExp]> = {
  undefined: [() => undefined, /got undefined/],
  null: [() => null, /got null/],
  'a number': [() => 5, /got 5/],
  'a Symbol': [() => Symbol('odd'), /Symbol/],
  'an object': [() => ({}), /an object/],
  'a Promise': [() => Promise.resolve(new Uint8Array(8)), /await it/],
  'a detached Uint8Array': [detached, /transferred/],
  'a detached ArrayBuffer': [() => detached().buffer, /transferred/],
  'a SharedArrayBuffer': [() => new SharedArrayBuffer(8), /give a Uint8Array of it/],
  'a DataView': [() => new DataView(new ArrayBuffer(8)), /give new Uint8Array/],
  'a Float32Array': [() => new Float32Array(8), /give new Uint8Array/],
  'a Uint8ClampedArray': [() => new Uint8ClampedArray(8), /give new Uint8Array/],
  'only the prototype of a Uint8Array': [() => Object.create(Uint8Array.prototype) as object, /must be a path/],
  'only the tag of a Blob': [() => ({ [Symbol.toStringTag]: 'Blob' }), /must be a path/],
  'only the tag of a URL': [() => ({ [Symbol.toStringTag]: 'URL' }), /odd URL/],
  ...Object.fromEntries(
    [Response, Blob, File, URL].map((type) => [
      `only the prototype of a ${type.name}`,
      [() => Object.create(type.prototype) as object, RegExp(`must be a path.*odd ${type.name}`)],
    ]),
  ),
  ...Object.fromEntries(
    [ArrayBuffer, Request, ReadableStream].map((type) => [
      `only the prototype of a ${type.name}`,
      [
        () => Object.create(type.prototype as object) as object,
        type === ArrayBuffer ? /must be a path.*ArrayBuffer$/ : RegExp(`is a ${type.name}: give `),
      ],
    ]),
  ),
  'a revoked Proxy': [
    () => {
      const { proxy, revoke } = Proxy.revocable({}, {});
      revoke();
      return proxy;
    },
    /must be a path/,
  ],
  'a read Response': [used, /read before/],
  'an empty string': [() => '', /empty/],
  'http://': [() => 'http://', /no valid URL/],
  'https://[': [() => 'https://[', /no valid URL/],
  'file://%': [() => 'file://%', /no valid URL/],
};

describe.each([
  ['loadModel', loadModel],
  ['inspect', inspect],
] as const)('%s', (_, call) => {
  test.each(Object.entries(ODD))('refuses %s', async (kind, [make, message]) => {
    const odd = kind === 'a read Response' ? await used() : make();
    const error = await (call(odd as ModelSource) as Promise<unknown>).catch((e: unknown) => e);
    expect(error).toBeInstanceOf(GruError);
    expect(error).toMatchObject({ code: 'invalid_argument', message: expect.stringMatching(message) as string });
  });

  test.each(['ht!tp', 'ht!tp://x', 'a\0b', 'file://elsewhere/x', 'missing'])('cannot read %j', async (name) => {
    await expect(call(name)).rejects.toMatchObject({ name: 'GruError', code: 'io' });
  });

  test.each([
    ['a number', 5],
    ['text', 'x'],
    ['an object', {}],
    ['null', null],
    ['only the prototype', Object.create(AbortSignal.prototype) as object],
    ['a controller', new AbortController()],
  ])('refuses the signal %s', async (_kind, signal) => {
    await expect(call(new Uint8Array(8), { signal: signal as AbortSignal })).rejects.toMatchObject({
      code: 'invalid_argument',
    });
  });

  test.each([
    [5],
    ['x'],
    [null],
    [[]],
    [new Map()],
    [new Uint8Array(8)],
    [{ shard: 5 }],
    [{ shard: undefined }],
    [{ shard: Promise.resolve() }],
    [{ shard: detached() }],
  ])('refuses the files %o', async (files) => {
    await expect(call(new Uint8Array(8), { files: files as never })).rejects.toMatchObject({
      code: 'invalid_argument',
      message: expect.stringMatching(/files/) as string,
    });
  });

  test.each([0, -1, 1.5, NaN, Infinity, '1', null, {}])('refuses maxBytes %o', async (maxBytes) => {
    await expect(call(new Uint8Array(8), { maxBytes: maxBytes as number })).rejects.toMatchObject({
      code: 'invalid_argument',
      message: expect.stringMatching(/maxBytes/) as string,
    });
  });
});

test('takes bytes of another realm', async () => {
  const other = vm.runInNewContext('new Uint8Array([1, 2, 3])') as Uint8Array<ArrayBuffer>;
  for (const source of [other, other.buffer]) expect([...(await readSource(source))]).toEqual([1, 2, 3]);
});

/** A server for one test, by path. */
async function serve(handler: RequestListener, act: (origin: string) => Promise<void>): Promise<void> {
  const server = createServer(handler).listen(0, '127.0.0.1');
  await once(server, 'listening');
  try {
    await act(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  } finally {
    server.close();
    server.closeAllConnections();
  }
}

/** Bytes that begin as a model file does: others are not read to their end. */
const zipOf = (length: number) => {
  const bytes = new Uint8Array(length);
  bytes.set([0x50, 0x4b, 3, 4]);
  return bytes;
};

const tooMuch = { name: 'GruError', code: 'io', message: expect.stringMatching(/maxBytes/) as string };

describe('maxBytes', () => {
  const maxBytes = 100_000;

  test('ends bodies without an end, encoded ones, and those whose length is too much', async () => {
    const bomb = gzipSync(zipOf(10_000_000));
    let closed = 0;
    await serve(
      (request, response) => {
        response.on('close', () => closed++);
        if (request.url === '/gzip') response.setHeader('content-encoding', 'gzip').end(bomb);
        else if (request.url === '/length') response.setHeader('content-length', '200000').write('x');
        else {
          const write = () => {
            while (!response.destroyed && response.write(zipOf(10_000)));
          };
          response.on('drain', write);
          write();
        }
      },
      async (origin) => {
        for (const name of ['gzip', 'length', 'endless']) {
          await expect(loadModel(`${origin}/${name}`, { maxBytes })).rejects.toMatchObject(tooMuch);
        }
        await expect.poll(() => closed, { timeout: 20_000 }).toBe(3);
      },
    );
  });

  test('holds for Responses, which are cancelled, Blobs, bytes and files', async () => {
    let cancelled = false;
    const body = new ReadableStream<Uint8Array>({
      pull: (controller) => {
        controller.enqueue(zipOf(10_000));
      },
      cancel: () => void (cancelled = true),
    });
    await expect(inspect(new Response(body), { maxBytes })).rejects.toMatchObject(tooMuch);
    expect(cancelled).toBe(true);
    const large = zipOf(maxBytes + 1);
    const file = path.join(root, 'large');
    fs.writeFileSync(file, large);
    for (const source of [new Blob([large]), large, file]) {
      await expect(inspect(source, { maxBytes })).rejects.toMatchObject(tooMuch);
      // One more byte is enough: then it is read, and no model.
      await expect(inspect(source, { maxBytes: maxBytes + 1 })).rejects.toMatchObject({ code: 'invalid_file' });
    }
  });

  test('a signal ends a Response that never ends', async () => {
    const response = new Response(
      new ReadableStream({
        start: (controller) => {
          controller.enqueue(new Uint8Array(1));
        },
      }),
    );
    const controller = new AbortController();
    const loading = loadModel(response, { signal: controller.signal });
    controller.abort(new Error('mine'));
    await expect(loading).rejects.toThrow('mine');
  });
});

describe('what is no model file by its first bytes is not read further', () => {
  const noModel = { name: 'GruError', code: 'invalid_file', message: expect.stringMatching(/known format/) as string };
  const size = 2 ** 20;

  /** A stream of this many chunks, and how many of them were asked for. */
  const counted = (chunks: number) => {
    const state = { asked: 0, cancelled: false };
    const pull = (controller: ReadableStreamDefaultController<Uint8Array<ArrayBuffer>>) => {
      controller.enqueue(new Uint8Array(1024));
      if (++state.asked === chunks) controller.close();
    };
    return { state, stream: new ReadableStream({ pull, cancel: () => void (state.cancelled = true) }) };
  };

  test('of a Response and a Blob', async () => {
    const { state, stream } = counted(1024);
    await expect(loadModel(new Response(stream))).rejects.toMatchObject(noModel);
    expect(state).toEqual({ asked: expect.toSatisfy((n: number) => n < 8) as number, cancelled: true });
    const blob = new Blob([new Uint8Array(size)]);
    const other = counted(1024);
    vi.spyOn(blob, 'stream').mockReturnValue(other.stream);
    await expect(inspect(blob)).rejects.toMatchObject(noModel);
    expect(other.state).toEqual({ asked: expect.toSatisfy((n: number) => n < 8) as number, cancelled: true });
  });

  test('of a file', async () => {
    const file = path.join(root, 'zeros');
    fs.writeFileSync(file, new Uint8Array(size));
    let bytes = 0;
    const { open } = fs.promises;
    const spy = vi.spyOn(fs.promises, 'open').mockImplementation(async (...args) => {
      const handle = await open(...args);
      const read = handle.read.bind(handle) as (...given: unknown[]) => Promise<{ bytesRead: number }>;
      handle.read = (async (...given: unknown[]) => {
        const result = await read(...given);
        bytes += result.bytesRead;
        return result;
      }) as never;
      return handle;
    });
    await expect(loadModel(file)).rejects.toMatchObject(noModel);
    spy.mockRestore();
    expect(bytes).toBe(4096);
  });

  test('unlike a model, whatever its chunks', async () => {
    const bytes = new TextEncoder().encode(`${' '.repeat(5000 - 18)}{"format": "none"}`);
    // The formats look at 4096 bytes: these are blanks.
    await expect(inspect(new Blob([bytes]))).rejects.toMatchObject(noModel);
    const model = new TextEncoder().encode(`{"format": "none"${' '.repeat(5000)}}`);
    const start = (controller: ReadableStreamDefaultController<Uint8Array<ArrayBuffer>>) => {
      for (const byte of model) controller.enqueue(Uint8Array.of(byte));
      controller.close();
    };
    const response = new Response(new ReadableStream({ start }));
    await expect(inspect(response)).rejects.not.toMatchObject(noModel);
  });
});

describe('the stream of a Response', () => {
  test.each([
    ['text', 'x'],
    ['a number', 7],
    ['null', null],
    ['an object with a length', { length: -1e9 }],
    ['an Array', [1, 2]],
    ['an ArrayBuffer', new ArrayBuffer(2)],
    ['a Uint16Array', new Uint16Array(2)],
  ])('is refused with a chunk that is %s', async (_, chunk) => {
    let cancelled = false;
    let chunks = 0;
    const pull = (controller: ReadableStreamDefaultController) => {
      if (++chunks > 100) controller.close();
      else controller.enqueue(chunk);
    };
    const response = new Response(new ReadableStream({ pull, cancel: () => void (cancelled = true) }));
    await expect(loadModel(response)).rejects.toMatchObject({
      name: 'GruError',
      code: 'invalid_argument',
      message: expect.stringMatching(/the stream of the response gives .*, not Uint8Arrays/) as string,
    });
    expect(cancelled).toBe(true);
  });

  test.each([0, 1])('lets timers and signals work while chunks of %i bytes come at once', async (length) => {
    let chunks = 0;
    const pull = (controller: ReadableStreamDefaultController<Uint8Array>) => {
      if (++chunks > 50_000) controller.error(new Error('no timer ran'));
      else controller.enqueue(new Uint8Array(length).fill(' '.charCodeAt(0)));
    };
    const controller = new AbortController();
    setTimeout(() => {
      controller.abort(new Error('mine'));
    });
    // A whole model's start, in front of blanks without an end.
    const start = new TextEncoder().encode('{"format":');
    const begin = (c: ReadableStreamDefaultController<Uint8Array>) => {
      c.enqueue(start);
    };
    const stream = new ReadableStream<Uint8Array>({ start: begin, pull });
    await expect(loadModel(new Response(stream as never), { signal: controller.signal })).rejects.toThrow('mine');
  });
});

/** A model of one layer whose weights, eight numbers, are in these shards. */
const layersModel = (...groups: string[][]) =>
  JSON.stringify({
    format: 'layers-model',
    modelTopology: {
      class_name: 'Sequential',
      config: {
        layers: [
          {
            class_name: 'Dense',
            config: { name: 'd', units: 8, batch_input_shape: [null, 1], use_bias: false, activation: 'linear' },
          },
        ],
      },
    },
    weightsManifest: groups.map((paths, i) => ({
      paths,
      weights: [{ name: i === 0 ? 'd/kernel' : `other/${i}`, shape: [1, 8], dtype: 'float32' }],
    })),
  });

describe('files beside the model', () => {
  test('count together, and each is read once', async () => {
    const folder = fs.mkdtempSync(path.join(root, 'm-'));
    const json = layersModel(['w.bin']);
    fs.writeFileSync(path.join(folder, 'model.json'), json);
    fs.writeFileSync(path.join(folder, 'w.bin'), new Uint8Array(32));
    const model = path.join(folder, 'model.json');
    await loadModel(model, { maxBytes: json.length + 32 });
    await expect(loadModel(model, { maxBytes: json.length + 31 })).rejects.toMatchObject(tooMuch);
    const beside = filesBeside(model, {});
    expect(await beside('./w.bin')).toBe(await beside('w.bin'));
  });

  test.each([
    ['two spellings', [['w.bin', './w.bin']]],
    ['two groups', [['w.bin'], ['w.bin']]],
    ['two groups, two spellings', [['w.bin'], ['./w.bin']]],
  ])('a shard under %s is refused', async (_, groups) => {
    const files = { 'w.bin': new Uint8Array(32) };
    const source = new TextEncoder().encode(layersModel(...groups));
    await expect(loadModel(source, { files })).rejects.toThrow(/twice/);
  });

  test('shards of more bytes than the weights need are not put together', async () => {
    const files = { 'a.bin': new Uint8Array(32), 'b.bin': new Uint8Array(32), 'c.bin': 'never read' };
    const source = new TextEncoder().encode(layersModel(['a.bin', 'b.bin', 'c.bin']));
    await expect(loadModel(source, { files })).rejects.toMatchObject({ code: 'invalid_file' });
  });

  test('are looked for where the model was after redirects; they may redirect on their origin only', async () => {
    const asked: string[] = [];
    let other = '';
    const handler: RequestListener = ({ url = '' }, response) => {
      asked.push(url);
      const go = (location: string) => response.writeHead(302, { location }).end();
      if (url === '/latest') go('/v2/model.json');
      else if (url === '/v2/model.json') response.end(layersModel(['w.bin']));
      else if (url === '/v2/w.bin') go('/blobs/w');
      else if (url === '/blobs/w') response.end(new Uint8Array(32));
      else if (url === '/out/model.json') response.end(layersModel(['w.bin']));
      else if (url === '/out/w.bin') go(`${other}/secret`);
      else if (url === '/loop/model.json') response.end(layersModel(['w.bin']));
      else if (url === '/loop/w.bin') go('/loop/w.bin');
      else response.writeHead(404).end();
    };
    const secrets: string[] = [];
    await serve(
      ({ url = '' }, response) => {
        secrets.push(url);
        response.end(new Uint8Array(32));
      },
      async (origin) => {
        other = origin;
        await serve(handler, async (own) => {
          await loadModel(`${own}/latest`);
          expect(asked).toEqual(['/latest', '/v2/model.json', '/v2/w.bin', '/blobs/w']);
          await expect(loadModel(`${own}/out/model.json`)).rejects.toThrow(/another origin/);
          await expect(loadModel(`${own}/loop/model.json`)).rejects.toThrow(/more than 5 times/);
        });
      },
    );
    expect(secrets).toEqual([]);
  });

  test('may be links into the folder where the link of the model leads to, as in caches of blobs', async () => {
    const cache = fs.mkdtempSync(path.join(root, 'cache-'));
    for (const folder of ['blobs', 'snapshot', 'elsewhere']) fs.mkdirSync(path.join(cache, folder));
    fs.writeFileSync(path.join(cache, 'blobs', '1'), layersModel(['w.bin']));
    fs.writeFileSync(path.join(cache, 'blobs', '2'), new Uint8Array(32));
    fs.writeFileSync(path.join(cache, 'elsewhere', '3'), new Uint8Array(32));
    const model = path.join(cache, 'snapshot', 'model.json');
    const shard = path.join(cache, 'snapshot', 'w.bin');
    fs.symlinkSync('../blobs/1', model);
    fs.symlinkSync('../blobs/2', shard);
    await loadModel(model);
    fs.unlinkSync(shard);
    fs.symlinkSync('../elsewhere/3', shard);
    await expect(loadModel(model)).rejects.toMatchObject({ code: 'invalid_file' });
  });
});
