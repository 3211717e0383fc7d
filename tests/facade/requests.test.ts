import { afterEach, expect, test, vi } from 'vitest';
import { ReadBudget } from '../../ts/io/budget.ts';
import type { GruError } from '../../ts/base/errors.ts';
import { filesBeside, type ModelSource, openSource, readSource, sourceName } from '../../ts/io/source.ts';

/** What the network answers, by URL: a status, and where a redirect goes. */
type Answers = Record<string, [status: number, location?: string]>;

afterEach(() => {
  vi.unstubAllGlobals();
});

/** (A 304 may have no body, a 307 has none here.) Asks are recorded as `url` or `url manual`, by whether the reader looks at redirects itself. */
function network(answers: Answers): string[] {
  const asked: string[] = [];
  vi.stubGlobal('fetch', (url: string | URL, init: RequestInit) => {
    asked.push([String(url), init.redirect].filter(Boolean).join(' '));
    const [status, location] = answers[String(url)] ?? [404];
    const headers: HeadersInit = location === undefined ? {} : { location };
    return Promise.resolve(new Response([304, 307].includes(status) ? null : 'body', { status, headers }));
  });
  return asked;
}

const model = 'https://a.example/m/model.json';
const shard = 'https://a.example/m/w.bin';
const failed = (message: RegExp) => ({ code: 'io', message: expect.stringMatching(message) as string });

test("a model's URL is left to the fetch of the host, which follows it anywhere; what is beside it is not", async () => {
  const asked = network({ [model]: [200], [shard]: [200] });
  await readSource(model);
  await openSource(model);
  await filesBeside(model, {})('w.bin');
  expect(asked).toEqual([model, model, `${shard} manual`]);
});

test.each([301, 302, 303, 307, 308])('beside a model the status %i is followed on its origin only', async (status) => {
  network({ [shard]: [status, '/other'], 'https://a.example/other': [200] });
  expect(String(Buffer.from((await filesBeside(model, {})('w.bin'))!))).toBe('body');
  network({ [shard]: [status, 'https://b.example/w.bin'], 'https://b.example/w.bin': [200] });
  await expect(filesBeside(model, {})('w.bin')).rejects.toMatchObject(failed(/another origin, https:\/\/b\.example/));
  // The origin of a `blob:` is that of the page which made it.
  const own = network({ [shard]: [status, 'blob:https://a.example/1'], 'blob:https://a.example/1': [200] });
  await expect(filesBeside(model, {})('w.bin')).rejects.toMatchObject(failed(/another origin, blob:/));
  expect(own).toHaveLength(1);
  network({ [shard]: [status] });
  await expect(filesBeside(model, {})('w.bin')).rejects.toMatchObject(failed(/it redirects; give the file/));
});

test.each([300, 304, 309, 401, 403, 410, 500])(
  'beside a model the status %i is an error, and no redirect',
  async (status) => {
    const asked = network({ [shard]: [status, '/other'], 'https://a.example/other': [200] });
    await expect(filesBeside(model, {})('w.bin')).rejects.toMatchObject(failed(new RegExp(`HTTP status ${status}`)));
    expect(asked.length).toBe(1);
  },
);

test('a redirect of which a browser says nothing more is refused', async () => {
  vi.stubGlobal('fetch', () => {
    const response = new Response('body');
    Object.defineProperty(response, 'type', { value: 'opaqueredirect' });
    return Promise.resolve(response);
  });
  await expect(filesBeside(model, {})('w.bin')).rejects.toMatchObject(failed(/it redirects; give the file/));
});

test('five redirects are followed, six are not', async () => {
  const chain = (count: number): Answers => ({
    [shard]: [302, '/1'],
    ...Object.fromEntries(
      Array.from({ length: count - 1 }, (_, i) => [`https://a.example/${i + 1}`, [302, `/${i + 2}`]]),
    ),
    [`https://a.example/${count}`]: [200],
  });
  network(chain(5));
  expect(await filesBeside(model, {})('w.bin')).toHaveLength(4);
  network(chain(6));
  await expect(filesBeside(model, {})('w.bin')).rejects.toMatchObject(failed(/more than 5 times/));
});

test('a 404 beside a model is a file that is not there; the model itself is an error', async () => {
  network({});
  expect(await filesBeside(model, {})('w.bin')).toBeUndefined();
  await expect(readSource(model)).rejects.toMatchObject(failed(/HTTP status 404/));
});

test('the signal is given on, and the error says what was read and why', async () => {
  const { signal } = new AbortController();
  const signals: unknown[] = [];
  const reason = new TypeError('no network');
  vi.stubGlobal('fetch', (_: string, init: RequestInit) => {
    signals.push(init.signal);
    return Promise.reject(reason);
  });
  const long = `https://a.example/${'x'.repeat(300)}`;
  const context = { budget: new ReadBudget(), signal };
  const error = await readSource(long, context).catch((e: unknown) => e as GruError);
  await filesBeside(model, {}, context)('w.bin').catch(() => undefined);
  expect(signals).toEqual([signal, signal]);
  expect(error).toMatchObject({ code: 'io', cause: reason });
  expect((error as GruError).message).toBe(`'${long.slice(0, 200)}...' could not be read: no network`);
});

test('the size of a Blob is looked at before it is read', async () => {
  const blob = new Blob(['12345']);
  const stream = vi.spyOn(blob, 'stream');
  await expect(readSource(blob, { budget: new ReadBudget(4) })).rejects.toMatchObject(failed(/maxBytes/));
  expect(stream).not.toHaveBeenCalled();
});

test.each(['data:application/json,x', 'blob:https://a.example/1'])('nothing is beside %s', async (source) => {
  const asked = network({});
  expect(await filesBeside(source, {})('w.bin')).toBeUndefined();
  expect(asked).toEqual([]);
});

const response = (url: string) => Object.defineProperty(new Response('body'), 'url', { value: url });

test.each<[string, () => ModelSource, string | undefined]>([
  ['a path', () => 'models/a.onnx', 'models/a.onnx'],
  ['a URL', () => new URL(model), model],
  ['a Response', () => response(model), model],
  ['a Response of no URL', () => response(''), undefined],
  ['bytes', () => new Uint8Array(1), undefined],
  ['a long path', () => 'x'.repeat(201), `${'x'.repeat(200)}...`],
  ['a path of 200 letters', () => 'x'.repeat(200), 'x'.repeat(200)],
])('the name of %s', (_, source, name) => {
  expect(sourceName(source())).toBe(name);
});

test('beside a Response is beside its URL', async () => {
  const asked = network({ [shard]: [200] });
  expect(await filesBeside(response(model), {})('w.bin')).toHaveLength(4);
  expect(await filesBeside(response(''), {})('w.bin')).toBeUndefined();
  expect(asked).toEqual([`${shard} manual`]);
  expect((await openSource(response(model))).place).toBe(model);
  expect((await openSource(response(''))).place).toBeUndefined();
});

test.each<[string, HeadersInit]>([
  ['no number', { 'content-length': 'x' }],
  ['a negative number', { 'content-length': '-1' }],
  ['that of an encoded body', { 'content-length': '1000', 'content-encoding': 'gzip' }],
])('a length of %s is no length', async (_, headers) => {
  const body = await readSource(new Response('body', { headers }), { budget: new ReadBudget(4) });
  expect(body).toHaveLength(4);
});

test('a length above the budget is refused before the body is read', async () => {
  const long = new Response('body', { headers: { 'content-length': '5' } });
  await expect(readSource(long, { budget: new ReadBudget(4) })).rejects.toMatchObject(failed(/maxBytes/));
});
