import { spawn, spawnSync } from 'node:child_process';
import { existsSync, linkSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createModel, type GruModel } from 'gru-wasm';
import { parquetReadObjects } from 'hyparquet';
import { parquetWriteBuffer } from 'hyparquet-writer';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { serveModel } from '../src/core/model.ts';
import { inputOf } from '../src/score/files/index.ts';
import { FORMATS, type FormatName } from '../src/score/formats/index.ts';
import { Parts } from '../src/score/parts.ts';
import { planOf, type ScoreOptions } from '../src/score/plan.ts';
import { Scorer } from '../src/score/scorer.ts';
import { bin } from './bin.ts';
import { gruModel, INPUT, steps, taggerModel } from './models.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'gru-score-'));
});
afterAll(() => rm(folder, { recursive: true }));
const at = (name: string) => join(folder, name);

/** Sequences of 1 to 9 steps, of round numbers: the same in a text. */
const rows = Array.from({ length: 60 }, (_, id) => {
  const x = Array.from(steps(1 + ((id * 7) % 9), id), (value) => Math.round(value * 100) / 100);
  return { id, x };
});
const nested = (x: number[]) => Array.from({ length: x.length / INPUT }, (_, t) => x.slice(t * INPUT, (t + 1) * INPUT));

const write = (name: string, data: string | ArrayBuffer) => {
  writeFileSync(at(name), typeof data === 'string' ? data : Buffer.from(data));
  return at(name);
};
const ndjsonRows = () => rows.map(({ id, x }) => `${JSON.stringify({ id, x: nested(x) })}\n`).join('');

function options(model: string, input: string, output: string, more: Partial<ScoreOptions> = {}): ScoreOptions {
  return {
    model: at(model),
    input,
    output: at(output),
    inputFormat: undefined,
    outputFormat: undefined,
    select: [],
    last: false,
    id: 'id',
    shardBytes: 700,
    relaxed: false,
    ...more,
  };
}

/** Scores in this process, shards in any order. */
async function score(given: ScoreOptions): Promise<Buffer> {
  const parts = await Parts.begin(await planOf(given));
  const scorer = await Scorer.load(parts);
  for (const shard of (await parts.missing()).reverse()) await scorer.score(shard);
  scorer.dispose();
  await parts.join();
  expect(existsSync(parts.folder)).toBe(false);
  return readFileSync(given.output);
}

async function saved(name: string, model: GruModel): Promise<GruModel> {
  writeFileSync(at(name), model.save());
  return Promise.resolve(model);
}

/** What the model says of a row alone. */
const alone = (model: GruModel, x: number[]) => Array.from(model.run(Float32Array.from(x)).output.data);
const lines = (bytes: Buffer | string) => String(bytes).trim().split('\n');
interface Scored {
  id: number;
  y: number[][];
}
const parsed = (bytes: Buffer) => lines(bytes).map((line) => JSON.parse(line) as Scored);

describe('formats', () => {
  let model: GruModel;
  beforeAll(async () => {
    model = await saved('gru.safetensors', await gruModel());
  });

  test('NDJSON: each row is scored as alone, in the order of the input', async () => {
    const scored = parsed(await score(options('gru.safetensors', write('in.ndjson', ndjsonRows()), 'a.ndjson')));
    expect(scored.map(({ id }) => id)).toEqual(rows.map(({ id }) => id));
    scored.forEach(({ y }, i) => {
      expect(Float32Array.from(y.flat())).toEqual(Float32Array.from(alone(model, rows[i]!.x)));
    });
  });

  test('a bare list is the row of a model with one input; --last gives the last step', async () => {
    const input = write('bare.ndjson', rows.map(({ x }) => JSON.stringify(x)).join('\n'));
    const scored = lines(await score(options('gru.safetensors', input, 'b.ndjson', { last: true })));
    expect(scored).toHaveLength(rows.length);
    scored.forEach((line, i) => {
      const { y } = JSON.parse(line) as { y: number[] };
      expect(Object.keys(JSON.parse(line) as object)).toEqual(['y']);
      expect(Float32Array.from(y)).toEqual(Float32Array.from(alone(model, rows[i]!.x).slice(-5)));
    });
  });

  test('CSV with names, short rows filled with empty cells', async () => {
    const names = ['customer', ...Array.from({ length: 27 }, (_, i) => `v${i}`)].join(',');
    const body = rows.map(({ id, x }) => [`c${id}`, ...x, ...Array<string>(27 - x.length).fill('')].join(','));
    const input = write('in.csv', `${[names, ...body].join('\n')}\n`);
    const scored = lines(await score(options('gru.safetensors', input, 'c.csv', { id: 'customer' })));
    scored.forEach((line, i) => {
      const [id, ...y] = line.split(',');
      expect(id).toBe(`c${i}`);
      expect(Float32Array.from(y, Number)).toEqual(Float32Array.from(alone(model, rows[i]!.x)));
    });
    expect(scored).toHaveLength(rows.length);
  });

  test('CSV: a first line that is no names is a row, or told', async () => {
    const csv = (text: string) => score(options('gru.safetensors', write('first.csv', text), 'f.csv'));
    // A sequence of no steps.
    expect(String(await csv(',,\n1,2,3\n'))).toMatch(/^\n.+\n$/);
    for (const first of ['NA,NA,NA', "'1','2','3'", '1|2|3', '1.5V,2V,3V', 'null', '\u22121,2,3']) {
      await expect(csv(`${first}\n1,2,3\n`), first).rejects.toThrow(/first\.csv, byte 0: value 1 is no number: /);
    }
    for (const names of ['a,b,c', '\n \n"a","b, c",d', '\ufeffa;b;c', '# a b c']) {
      expect(lines(await csv(`${names}\n1,2,3\n4,5,6\n`)), names).toHaveLength(2);
    }
    await expect(csv('\nid,x\n\n')).rejects.toThrow(/first\.csv, byte 1: names of columns, and no row after them/);
  });

  test.each(['csv', 'tsv'])('%s: ids in quotes are read as they are written, whatever is in them', async (ending) => {
    const [by, other] = ending === 'csv' ? [',', ';'] : ['\t', ','];
    const ids = ['a,b', 'a;b', 'say "x"', 'two words', 'tab\tbed', '"', ' ', 'plain'];
    const cells = ids.map((id) => `"${id.replaceAll('"', '""')}"`);
    const text = [['id', 'x', 'y', 'z'].join(by), ...cells.map((id) => [id, 1, 2, 3].join(by))].join('\n');
    const out = `ids-out.${ending}`;
    const scored = lines(await score(options('gru.safetensors', write(`ids.${ending}`, text), out, { id: 'id' })));
    const again = [['id', 'a', 'b', 'c', 'd', 'e'].join(by), ...scored].join('\n');
    const read = await FORMATS[ending as FormatName].read(
      await inputOf(write(`ids-again.${ending}`, again)),
      { from: 0, to: Buffer.byteLength(again) },
      { ports: serveModel('', await gruModel()).inputs.map((port) => ({ ...port, size: 5 })), id: 'id' },
    );
    expect(read.map(({ id }) => id)).toEqual(ids);
    expect(scored.at(-1)!.split(by)).toHaveLength(6);
    await expect(
      score(options('gru.safetensors', write(`other.${ending}`, `1${other}2${by}3\n`), out)),
    ).rejects.toThrow(/value [12] is no number/);
  });

  test('what would lose a row or its id is refused, with its place', async () => {
    const refusal = async (name: string, data: string | ArrayBuffer, more: Partial<ScoreOptions> = {}) =>
      score(options('gru.safetensors', write(name, data), 'refused.ndjson', more)).then(
        () => 'nothing',
        (error: unknown) => (error as Error).message,
      );
    const latin1 = (text: string) => new Uint8Array(Buffer.from(text, 'latin1')).buffer;
    expect(await refusal('break.csv', 'id,a,b,c\n"two\nlines",1,2,3\n')).toMatch(
      /byte 9: a quote that its line does not/,
    );
    expect(await refusal('latin1.csv', latin1('id,a,b,c\nM\xfcller,1,2,3\n'))).toMatch(
      /byte 9: a line that is no UTF-8/,
    );
    expect(await refusal('latin1.ndjson', latin1('{"id":"\xfc","x":[1,2,3]}\n'))).toMatch(
      /byte 0: a line that is no UTF-8/,
    );
    const last = 'a,b,c,id\n1,2,3,17\n1,2,3,4,5,6,18\n';
    expect(await refusal('last.csv', last)).toMatch(/byte 18: has 7 cells, with id as column 4: put id first/);
    expect(await refusal('first.ndjson', '{"x":[1,2,3]}\n{"id":"q","x":[1,2,3]}\n')).toMatch(
      /byte 14: has an id, which the file's first/,
    );
    expect(await refusal('y.ndjson', '{"y":7,"x":[1,2,3]}\n', { id: 'y' })).toMatch(
      /--id y: an output of the model has that name/,
    );
  });

  test('ids are those of the first row, whichever shard that is in', async () => {
    const input = write('late.csv', `${'\n'.repeat(50)}id,a,b,c\n17,1,2,3\n`);
    const scored = lines(await score(options('gru.safetensors', input, 'late.ndjson', { shardBytes: 8 })));
    expect(scored.map((line) => (JSON.parse(line) as { id: string }).id)).toEqual(['17']);
  });

  test.each([700, 1, 2, 3])('a byte order mark is no part of the first row: shards of %i bytes', async (shardBytes) => {
    const input = write('bom.ndjson', '\ufeff{"id":7,"x":[1,2,3]}\n{"id":8,"x":[1,2,3]}\n');
    const scored = lines(await score(options('gru.safetensors', input, `bom-${shardBytes}.ndjson`, { shardBytes })));
    expect(scored.map((line) => (JSON.parse(line) as { id: number }).id)).toEqual([7, 8]);
  });

  test('ids of Parquet that are not exact, or that it has not', async () => {
    const x = { name: 'x', data: [[1, 2, 3]] };
    const file = (id: { data: unknown[]; type?: 'DOUBLE' | 'INT64' }) => ({ columnData: [{ name: 'id', ...id }, x] });
    for (const value of [NaN, Infinity, 2 ** 53]) {
      const input = write('double.parquet', parquetWriteBuffer(file({ data: [value], type: 'DOUBLE' })));
      await expect(score(options('gru.safetensors', input, 'double.ndjson'))).rejects.toThrow(/row 0: id is a number/);
    }
    const big = { outputs: {}, id: 2n ** 63n };
    const columns = { id: { name: 'id', kind: 'integer' as const }, outputs: [] };
    expect(() => FORMATS.parquet.encode([big], columns)).toThrow(/the id 9223372036854775808 is beyond the 64 bits/);
  });

  test('an id of two lines is none of CSV', async () => {
    const input = write('lines.ndjson', '{"id":"a\\nb","x":[1,2,3]}\n');
    await expect(score(options('gru.safetensors', input, 'lines.csv'))).rejects.toThrow(
      /the id "a\\nb" has a line break, .*write NDJSON or Parquet/,
    );
  });

  test('Parquet in and out, a row group a shard', async () => {
    const columnData = [
      { name: 'id', data: rows.map(({ id }) => BigInt(id)), type: 'INT64' as const },
      { name: 'x', data: rows.map(({ x }) => x) },
    ];
    const element = { name: 'element', type: 'DOUBLE', repetition_type: 'OPTIONAL' } as const;
    const schema = [
      { name: 'root', num_children: 2 },
      { name: 'id', type: 'INT64', repetition_type: 'OPTIONAL' },
      { name: 'x', converted_type: 'LIST', repetition_type: 'OPTIONAL', num_children: 1 },
      { name: 'list', repetition_type: 'REPEATED', num_children: 1 },
      element,
    ] as const;
    const input = write(
      'in.parquet',
      parquetWriteBuffer({
        columnData: columnData.map(({ name, data }) => ({ name, data })),
        schema: [...schema],
        rowGroupSize: 25,
      }),
    );
    expect(await FORMATS.parquet.split(await inputOf(input), 1)).toEqual([
      { from: 0, to: 25 },
      { from: 25, to: 50 },
      { from: 50, to: 60 },
    ]);
    const bytes = await score(options('gru.safetensors', input, 'd.parquet'));
    const scored = (await parquetReadObjects({ file: new Uint8Array(bytes).buffer })) as unknown as {
      id: bigint;
      y: number[][];
    }[];
    expect(scored.map(({ id }) => Number(id))).toEqual(rows.map(({ id }) => id));
    scored.forEach(({ y }, i) => {
      expect(Float32Array.from(y.flat())).toEqual(Float32Array.from(alone(model, rows[i]!.x)));
    });
    const last = await score(options('gru.safetensors', input, 'e.ndjson', { last: true }));
    expect(lines(last)[3]).toMatch(/^\{"id":3,"y":\[/);
  });

  test('ids, two outputs by name', async () => {
    const tagger = await saved('tagger.safetensors', await taggerModel('reverse'));
    const input = write('ids.ndjson', '{"id":"a","ids":[1,2,3]}\n\n{"id":"b","ids":[6]}');
    const given = options('tagger.safetensors', input, 'f.ndjson', { select: ['words', 'rnn'] });
    const [a, b] = lines(await score(given)).map(
      (line) => JSON.parse(line) as { id: string; words: number[][]; rnn: number[][] },
    );
    const { outputs } = tagger.run(Int32Array.of(1, 2, 3));
    expect(a!.id).toBe('a');
    expect(Float32Array.from(a!.rnn.flat())).toEqual(outputs['rnn']!.data);
    expect(Float32Array.from(a!.words.flat())).toEqual(outputs['words']!.data);
    expect(b!.rnn).toHaveLength(1);
  });

  test('a model whose outputs have other steps than its input', async () => {
    const pooled = await createModel({
      inputs: [{ name: 'x', dtype: 'float32', size: 2 }],
      layers: [{ name: 'pool', type: 'pool', inputs: ['x'], pool: 'max', window: 2, stride: 2 }],
      outputs: ['pool'],
    } as unknown as Parameters<typeof createModel>[0]);
    await saved('pool.safetensors', pooled);
    const sequences = [4, 6, 4, 2].map((count) => Array.from({ length: count * 2 }, (_, i) => (i * 5) % 7));
    const input = write('pool.ndjson', sequences.map((x) => `${JSON.stringify({ x })}\n`).join(''));
    const scored = lines(await score(options('pool.safetensors', input, 'g.ndjson')));
    scored.forEach((line, i) => {
      const { pool } = JSON.parse(line) as { pool: number[][] };
      expect(pool.flat()).toEqual(alone(pooled, sequences[i]!));
    });
  });
});

test.each(['ndjson', 'csv'] as FormatName[])('%s: shards of any size have each line once', async (name) => {
  const { inputs: ports } = serveModel('', await gruModel());
  const few = rows.slice(0, 12);
  const texts = few.map(({ id, x }) => (name === 'csv' ? x.join(',') : JSON.stringify({ id, x })));
  // Line breaks at the seams, empty lines, letters of several bytes, no line break at the end.
  const path = write(
    `shards.${name}`,
    name === 'csv' ? texts.join('\n\n') : texts.join('\n').replace('"id":5', '"é":1,"id":5'),
  );
  const read = async (size: number) => {
    const file = await inputOf(path);
    const shards = await FORMATS[name].split(file, size);
    const found = await Promise.all(shards.map((shard) => FORMATS[name].read(file, shard, { ports, id: 'id' })));
    return found.flat().map(({ inputs, where }) => ({ inputs, where }));
  };
  const whole = await read(1e9);
  expect(whole).toHaveLength(few.length);
  for (const size of [1, 2, 7, 64, 65, 500, 4096]) expect(await read(size), `shards of ${size}`).toEqual(whole);
});

test.each([
  ['{"id":1}', /bad\.ndjson, byte 0: nothing for input 'x', the row has id/],
  ['{"x":[1,2,3]}\n{"x":[1,2]}', /byte 14: input 'x' has 2 numbers, the model takes 3 a step/],
  ['{"x":[[1,2,3],[1,2]]}', /must have 3 numbers in each step/],
  ['{"x":[1,"2",3]}', /has "2" as number 2/],
  ['{"x":1}', /must be a list/],
  ['{"x":[1,2,3]', /byte 0: no JSON/],
  ['[[1,2,3]]\n7', /byte 10: a row must be an object/],
  ['{"id":{},"x":[1,2,3]}', /id must be a text or a number/],
  ['{"id":9007199254740993,"x":[1,2,3]}', /byte 0: id is a number beyond 2\^53, .* write a text/],
  ['{"x":[1,1e39,3]}', /has "1e\+39" as number 2/],
  ['{"x":[[1,2,-1e999]]}', /input 'x' has a number beyond float32 as number 3/],
])('a row that cannot be scored is named: %s', async (text, message) => {
  await saved('gru.safetensors', await gruModel());
  const given = options('gru.safetensors', write('bad.ndjson', text), 'bad.out.ndjson');
  await rm(at('bad.out.ndjson.parts'), { recursive: true, force: true });
  await expect(score(given)).rejects.toThrow(message);
});

test('a plan that is damaged is said, and what to do', async () => {
  await saved('gru.safetensors', await gruModel());
  const given = options('gru.safetensors', write('plan.ndjson', ndjsonRows()), 'plan.out.ndjson');
  const plan = await planOf(given);
  await Parts.begin(plan);
  for (const text of ['', '{"format":2', 'null', '7', '{}']) {
    write('plan.out.ndjson.parts/plan.json', text);
    await expect(Parts.begin(plan), text).rejects.toThrow(/plan\.json is damaged, .*: delete .*\.parts to start anew/);
  }
});

test('what is scored is a file', async () => {
  await saved('gru.safetensors', await gruModel());
  spawnSync('mkfifo', [at('pipe.ndjson')]);
  for (const [path, said] of [['pipe.ndjson', /pipe\.ndjson is no file/], ['.', /is no file/]] as const) {
    const given = options('gru.safetensors', at(path), 'pipe.out.ndjson', { inputFormat: 'ndjson' });
    await expect(planOf(given), path).rejects.toThrow(said);
  }
}); // prettier-ignore

test('Parquet: row groups that are small are scored together', async () => {
  const few = rows.map(({ x }) => x.slice(0, INPUT));
  const path = write('groups.parquet', parquetWriteBuffer({ columnData: [{ name: 'x', data: few }], rowGroupSize: 2 }));
  const file = await inputOf(path);
  expect(await FORMATS.parquet.split(file, 1)).toHaveLength(30);
  const some = await FORMATS.parquet.split(file, 200);
  expect(some.length).toBeGreaterThan(1);
  expect(some.length).toBeLessThan(20);
  expect(some.map(({ from }) => from)).toEqual([0, ...some.slice(0, -1).map(({ to }) => to)]);
  expect(await FORMATS.parquet.split(file, 2 ** 20)).toEqual([{ from: 0, to: 60 }]);
});

test('what the model itself refuses names the row too', async () => {
  await saved('tagger.safetensors', await taggerModel());
  const input = write('range.ndjson', '{"ids":[1]}\n{"ids":[1,99]}\n{"ids":[2]}');
  await expect(score(options('tagger.safetensors', input, 'range.out.ndjson'))).rejects.toThrow(
    /range\.ndjson, byte 12: .*99/,
  );
  const wide = write('wide.ndjson', '{"ids":[4294967297]}');
  await expect(score(options('tagger.safetensors', wide, 'wide.out.ndjson'))).rejects.toThrow(
    /"4294967297" as number 1/,
  );
});

test('parts of another run are not gone on with, nor a model or an input that has changed', async () => {
  await saved('gru.safetensors', await gruModel());
  const given = options('gru.safetensors', write('same.ndjson', ndjsonRows()), 'same.out.ndjson');
  const parts = await Parts.begin(await planOf(given));
  await expect(Parts.begin(await planOf({ ...given, last: true }))).rejects.toThrow(/delete it to start anew/);
  const scorer = await Scorer.load(parts);
  write('same.ndjson', `${ndjsonRows()}\n`);
  await expect(scorer.score(0)).rejects.toThrow(/same\.ndjson has changed/);
  await saved('gru.safetensors', await taggerModel());
  await expect(Scorer.load(parts)).rejects.toThrow(/another model/);
});

const run = (...args: string[]) => spawnSync(process.execPath, [bin, ...args], { encoding: 'utf8' });

test('exit codes', async () => {
  await saved('gru.safetensors', await gruModel());
  const good = write('good.ndjson', ndjsonRows());
  const model = at('gru.safetensors');
  const all = ['--input', good, '--output', at('codes.ndjson')];
  linkSync(good, at('hard.ndjson'));
  symlinkSync(model, at('link.ndjson'));
  expect(run('score', '--help')).toMatchObject({ status: 0, stdout: expect.stringMatching(/--shard-bytes/) as string });
  const wrong: [number, RegExp, string[]][] = [
    [2, /say one MODEL/, all],
    [2, /--input and --output are needed/, [model]],
    [2, /gs:\/\/ is not read or written here/, [model, '--input', 'gs://bucket/a.ndjson', '--output', at('x.ndjson')]],
    [2, /add --input-format ndjson\|csv\|tsv\|parquet/, [model, '--input', at('a.npy'), '--output', at('x.ndjson')]],
    [2, /good\.ndjson is the input, which would be gone/, [model, '--input', good, '--output', good]],
    [2, /hard\.ndjson is the input, which would be gone/, [model, '--input', good, '--output', at('hard.ndjson')]],
    [2, /link\.ndjson is the model, which would be gone/, [model, '--input', good, '--output', at('link.ndjson')]],
    [2, /score: unknown option '--inptu' \(did you mean --input\?\)\n$/, [model, '--inptu', good]],
    [2, /score: unknown option '--batch-size' \(--help lists them\)\n$/, [model, ...all, '--batch-size=3']],
    [2, /score: unknown option '-x' \(--help lists them\)\n$/, [model, '-x', good]],
    [2, /score: --input is given twice: it takes one value\n$/, [model, ...all, '-i', good]],
    [2, /--select z: the model gives y/, [model, ...all, '--select', 'z']],
    [3, /none\.ndjson: no such file/, [model, '--input', at('none.ndjson'), '--output', at('x.ndjson')]],
    [5, /byte 0: no JSON/, [model, '--input', write('broken.ndjson', '{'), '--output', at('x.ndjson')]],
  ];
  for (const [status, message, args] of wrong) {
    const found = run('score', ...args);
    expect(found, args.join(' ')).toMatchObject({ status, stderr: expect.stringMatching(message) as string });
  }
  expect(run('score', model, ...all, '--threads', '2', '--shard-bytes', '900').status).toBe(0);
  expect(lines(readFileSync(at('codes.ndjson')))).toHaveLength(rows.length);
});

test('killed again and again, it loses and repeats no row', async () => {
  await saved('gru.safetensors', await gruModel());
  const many = Array.from({ length: 60 }, ndjsonRows).join('');
  const input = write('many.ndjson', many);
  const whole = await score(options('gru.safetensors', input, 'whole.ndjson', { shardBytes: 2 ** 20 }));
  expect(lines(whole)).toHaveLength(3600);
  const output = at('killed.ndjson');
  const args = ['score', at('gru.safetensors'), '--input', input, '--output', output, '--shard-bytes', '4000'];
  const done = () =>
    existsSync(`${output}.parts`) ? readdirSync(`${output}.parts`).filter((name) => /^\d/.test(name)).length : 0;
  let kills = 0;
  for (const more of [1, 20, 40]) {
    const child = spawn(process.execPath, [bin, ...args, '--threads', '1'], { stdio: 'ignore' });
    const limit = done() + more;
    const watch = setInterval(() => {
      if (done() >= limit) child.kill('SIGKILL');
    }, 1);
    const signal = await new Promise((resolve) =>
      child.on('exit', (_, signal) => {
        resolve(signal);
      }),
    );
    clearInterval(watch);
    if (signal === 'SIGKILL') kills++;
  }
  expect(kills).toBeGreaterThan(0);
  expect(run(...args).status).toBe(0);
  expect(readFileSync(output).equals(whole)).toBe(true);
});
