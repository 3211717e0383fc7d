import { once } from 'node:events';
import { createModel } from 'gru-wasm';
import { expect, test } from 'vitest';
import { END, START } from '../src/ws/many.ts';
import { gruModel, HIDDEN, INPUT, steps, taggerModel } from './models.ts';
import { floats, soon, webSockets } from './sockets.ts';

const gru = await gruModel();
const server = webSockets(async () => ({ gru: await gruModel(), tagger: await taggerModel(), two: await twoInputs() }));
const open = (query = '', key = 'one') =>
  server.open(`/v2/models/gru/streams${query}`, { headers: { 'x-api-key': key } });

const twoInputs = () => {
  const inputs = ['a', 'b'].map((name) => ({ name, dtype: 'float32' as const, size: 1 }));
  return createModel({ inputs, layers: [{ name: 'sum', type: 'merge', merge: 'sum', inputs: ['a', 'b'] }] });
};

type Step = [word: number, row: Float32Array | Int32Array];
const row = (x: Float32Array, t: number) => x.subarray(t * INPUT, (t + 1) * INPUT);
const frame = (steps: Step[]) => {
  const words = Uint32Array.of(steps.length, ...steps.map(([word]) => word));
  return Buffer.concat(
    [words, ...steps.map(([, row]) => row)].map(({ buffer, byteOffset, byteLength }) =>
      Buffer.from(buffer, byteOffset, byteLength),
    ),
  );
};

/** Sequences and rows of an answer. */
function rowsOf(answer: Buffer | string): [number, Float32Array][] {
  const values = floats(answer);
  const words = new Uint32Array(values.buffer);
  return Array.from({ length: words[0]! }, (_, i) => {
    const at = 1 + words[0]! + i * HIDDEN;
    return [words[1 + i]!, values.slice(at, at + HIDDEN)];
  });
}
const refusals = (answer: Buffer | string) =>
  (JSON.parse(answer as string) as { errors: { sequence: number; error: string; reason: string }[] }).errors;

test('each step of each sequence has the row that its sequence alone gives; they end with their connection', async () => {
  const { socket, next } = await open();
  const x = Array.from({ length: 7 }, (_, i) => steps(5 + i, i));
  const frames = Array.from({ length: 11 }, (_, t) =>
    x.flatMap((all, i): Step[] => (t < 5 + i ? [[i + (t === 0 ? START : 0), row(all, t)]] : [])),
  );
  for (const one of frames) socket.send(frame(one));
  const answers = (await next(11)).map(rowsOf);
  expect(answers.map((rows) => rows.map(([sequence]) => sequence))).toEqual(
    frames.map((steps) => steps.map(([word]) => word % START)),
  );
  x.forEach((all, i) => {
    const rows = answers.flatMap((rows) => rows.filter(([sequence]) => sequence === i).map(([, row]) => row));
    expect(Float32Array.from(rows.flatMap((row) => [...row]))).toEqual(gru.run(all).output.data);
  });
  expect(server.live()).toBe(7);
  socket.close();
  await soon(() => server.live() === 0);
});

test('a sequence that was not begun is refused beside those that were; ended ones are gone; two steps of one in a frame', async () => {
  const { socket, next } = await open();
  const x = steps(3);
  const { data } = gru.run(x).output;
  socket.send(
    frame([
      [1, row(x, 0)],
      [2 + START, row(x, 0)],
      [2, row(x, 1)],
      [3 + START + END, row(x, 0)],
    ]),
  );
  socket.send(
    frame([
      [2, row(x, 2)],
      [3, row(x, 1)],
    ]),
  );
  const answers = await next(4);
  expect(rowsOf(answers[0]!)).toEqual([
    [2, data.slice(0, 5)],
    [2, data.slice(5, 10)],
    [3, data.slice(0, 5)],
  ]);
  expect(refusals(answers[1]!)).toEqual([
    { sequence: 1, error: expect.stringMatching(/^there is no sequence 1: begin it/) as string, reason: 'not_found' },
  ]);
  expect(rowsOf(answers[2]!)).toEqual([[2, data.slice(10)]]);
  expect(refusals(answers[3]!)).toMatchObject([{ sequence: 3, reason: 'not_found' }]);
});

test('with a prefix they outlive their connection, and are of their key alone', async () => {
  const x = steps(3);
  const { data } = gru.run(x).output;
  const first = await open('?sequence_prefix=gate');
  first.socket.send(frame([[9 + START, row(x, 0)]]));
  await first.next(1);
  first.socket.close();
  await once(first.socket, 'close');

  const other = await open('?sequence_prefix=gate', 'two');
  other.socket.send(frame([[9, row(x, 1)]]));
  expect(refusals((await other.next(1))[0]!)).toMatchObject([{ reason: 'not_found' }]);
  const again = await open('?sequence_prefix=gate');
  again.socket.send(frame([[9, row(x, 1)]]));
  expect(rowsOf((await again.next(1))[0]!)).toEqual([[9, data.slice(5, 10)]]);
  const alone = await server.open('/v2/models/gru/stream?sequence_id=gate/9&sequence_step=2');
  alone.socket.send(row(x, 2));
  expect(floats((await alone.next(1))[0]!)).toEqual(data.slice(10));
});

test('a malformed frame is refused as a whole, and the connection goes on', async () => {
  const { socket, next } = await open();
  const good = frame([[1 + START, row(steps(1), 0)]]);
  const wrong: [Buffer | string, RegExp][] = [
    [Buffer.alloc(0), /nothing to do/],
    [Buffer.alloc(3), /nothing to do/],
    [frame([]), /nothing to do/],
    [good.subarray(0, -1), /has 20 bytes, got 19/],
    [Buffer.concat([good, Buffer.alloc(4)]), /has 20 bytes, got 24/],
    [Buffer.from([255, 255, 255, 255, 1, 0, 0, 0]), /of 4294967295 steps/],
    ['{}', /binary frames/],
  ];
  for (const [bytes] of wrong) socket.send(bytes);
  socket.send(good);
  const answers = await next(wrong.length + 1);
  wrong.forEach(([, message], i) => {
    expect(JSON.parse(answers[i] as string)).toEqual({
      error: expect.stringMatching(message) as string,
      reason: 'bad_request',
    });
  });
  expect(rowsOf(answers.at(-1)!)).toHaveLength(1);
});

test('ids outside of the vocabulary; models and words that this is not for', async () => {
  const { socket, next } = await server.open('/v2/models/tagger/streams');
  socket.send(
    frame([
      [1 + START, Int32Array.of(1)],
      [2 + START, Int32Array.of(7)],
    ]),
  );
  socket.send(frame([[1, Int32Array.of(1)]]));
  const [first, second] = await next(2);
  expect(first).toMatch(/ids are 0 to 6/);
  // No step of the frame was taken.
  expect(refusals(second!)).toMatchObject([{ sequence: 1, reason: 'not_found' }]);
  await expect(server.open('/v2/models/two/streams')).rejects.toThrow('400');
  await expect(open(`?sequence_prefix=${'a'.repeat(300)}`)).rejects.toThrow('400');
});

test('what a flood of sequences may take is bounded', async () => {
  const { socket, next } = await open();
  socket.send(frame(Array.from({ length: 150 }, (_, i): Step => [i + START, row(steps(1), 0)])));
  const [rows, refused] = await next(2);
  expect(rowsOf(rows!)).toHaveLength(100);
  expect(refusals(refused!)).toHaveLength(50);
  expect(refusals(refused!)[0]).toMatchObject({ sequence: 100, reason: 'too_many' });
  // More numbers than a connection remembers calls of, none of them begun: those that were go on.
  const x = steps(2);
  for (let k = 1; k <= 5; k++)
    socket.send(frame(Array.from({ length: 4000 }, (_, i): Step => [4000 * k + i, row(x, 0)])));
  socket.send(frame([[7, row(x, 1)]]));
  const [again, ...unknown] = (await next(8)).slice(2).reverse();
  expect(new Set(unknown.flatMap(refusals).map(({ reason }) => reason))).toEqual(new Set(['not_found']));
  const outputs = gru.run(Float32Array.of(...steps(1), ...row(x, 1))).output.data;
  expect(rowsOf(again!)).toEqual([[7, outputs.slice(HIDDEN)]]);
});
