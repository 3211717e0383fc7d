import { execFileSync, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createReadStream, existsSync, mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { BIN, GENERATE, machine, record, table } from './record.mjs';
import { startRedis } from './redis.mjs';

/**
 * Scores files of sequences in one process, by 1 and 2 workers of a queue, and by workers that are killed while Redis is killed too. Every output has to be that
 * of the one process, to the byte.
 */

const { values } = parseArgs({
  options: {
    rows: { type: 'string', default: '10000,100000,1000000' },
    kills: { type: 'string', default: '6' },
    record: { type: 'boolean', default: false },
  },
});
const sizes = values.rows.split(',').map(Number);
const ROUNDS = 5;
const median = (all) => all.toSorted((a, b) => a - b)[all.length >> 1];
const folder = mkdtempSync(join(tmpdir(), 'gru-score-bench-'));
const at = (name) => join(folder, name);
const started = new Set();

function start(...args) {
  const child = spawn(process.execPath, [BIN, ...args], { stdio: ['ignore', 'inherit', 'pipe'] });
  started.add(child);
  child.text = '';
  child.stderr.on('data', (piece) => (child.text += piece));
  child.on('exit', () => started.delete(child));
  return child;
}

async function ended(child) {
  const [code] = await once(child, 'close');
  if (code !== 0) throw new Error(`exit code ${code}: ${child.text}`);
}

const score = (rows, output, ...more) => [
  ...['score', at('model.safetensors'), '--input', at(`${rows}.ndjson`), '--output', at(output), '--last'],
  ...more,
];

/** Seconds of the clock and of the processors that one process takes. */
function alone(rows) {
  const words = [process.execPath, BIN, ...score(rows, `${rows}.alone.ndjson`, '--threads', '1')];
  const script = `TIMEFORMAT='%R %U %S'; time "$@" 2>/dev/null`;
  const { stderr } = spawnTimed(script, words);
  const [clock, user, system] = stderr.trim().split(/\s+/).map(Number);
  return { clock, cpu: user + system };
}

function spawnTimed(script, words) {
  const stderr = execFileSync('bash', ['-c', `{ ${script}; } 2>&1`, 'time', ...words], { encoding: 'utf8' });
  return { stderr };
}

const digest = async (path) => {
  const hash = createHash('sha256');
  for await (const piece of createReadStream(path)) hash.update(piece);
  return hash.digest('hex');
};

/** Throws where an id is lost, doubled or out of order. */
async function checkIds(path, rows) {
  let next = 0;
  for await (const line of createInterface({ input: createReadStream(path) })) {
    if (!line.startsWith(`{"id":${next},`)) throw new Error(`row ${next} of ${path} begins with ${line.slice(0, 40)}`);
    next++;
  }
  if (next !== rows) throw new Error(`${path} has ${next} rows, not ${rows}`);
}

async function sameAsAlone(rows, output) {
  if ((await digest(at(output))) !== (await digest(at(`${rows}.alone.ndjson`)))) throw new Error(`${output} differs`);
}

const done = (output) =>
  existsSync(at(`${output}.parts`)) ? readdirSync(at(`${output}.parts`)).filter((name) => /^\d/.test(name)).length : 0;

/** Workers that wait already, so that what is timed is the work. */
async function byWorkers(rows, count) {
  const redis = await startRedis(folder, { appendOnly: true });
  const workers = Array.from({ length: count }, () => start('worker', '--queue', redis.url, '--threads', '1'));
  await setTimeout(3000);
  const begin = performance.now();
  await ended(start(...score(rows, 'workers.ndjson', '--queue', redis.url)));
  const seconds = (performance.now() - begin) / 1000;
  for (const worker of workers) worker.kill('SIGTERM');
  await Promise.all(workers.map(ended));
  await redis.kill();
  await sameAsAlone(rows, 'workers.ndjson');
  return seconds;
}

/** Kills a worker, or Redis every third time, when a share more is done. */
async function withKills(rows, kills) {
  let redis = await startRedis(folder, { appendOnly: true });
  const worker = () => start('worker', '--queue', redis.url, '--threads', '1', '--stalled', '3000');
  let workers = [worker(), worker()];
  const end = ended(start(...score(rows, 'killed.ndjson', '--queue', redis.url)));
  const total = Math.ceil(statSync(at(`${rows}.ndjson`)).size / 2 ** 20);
  let killed = 0;
  let restarted = 0;
  const running = { now: true };
  void end.finally(() => (running.now = false)).catch(() => undefined);
  while (running.now) {
    await setTimeout(20);
    const share = Math.floor(((killed + restarted + 1) / (kills + 1)) * total);
    if (killed + restarted === kills || done('killed.ndjson') < share) continue;
    if ((killed + restarted) % 3 === 2) {
      await redis.kill();
      redis = await startRedis(folder, { port: redis.port, appendOnly: true });
      restarted++;
    } else {
      workers[0].kill('SIGKILL');
      workers = [...workers.slice(1), worker()];
      killed++;
    }
  }
  await end;
  for (const one of workers) one.kill('SIGKILL');
  await redis.kill();
  await sameAsAlone(rows, 'killed.ndjson');
  return { killed, restarted };
}

try {
  for (const rows of [1, ...sizes]) {
    const files = ['--sequences', at(`${rows}.ndjson`), '--model', at('model.safetensors')];
    execFileSync(process.execPath, [GENERATE, '--rows', String(rows), ...files]);
  }
  // The smaller ones in turns, for what they take is little beside what the machine does besides.
  const small = [1, ...sizes.slice(0, -1)];
  const rounds = Array.from({ length: ROUNDS }, () => small.map((rows) => ({ rows, ...alone(rows) })));
  const costs = small.map((rows, i) => ({
    rows,
    clock: median(rounds.map((round) => round[i].clock)),
    cpu: median(rounds.map((round) => round[i].cpu)),
  }));
  costs.push({ rows: sizes.at(-1), ...alone(sizes.at(-1)) });
  for (const { rows } of costs) await checkIds(at(`${rows}.alone.ndjson`), rows);
  // What a further million takes, between a size and the one before it: what every file takes, and the warm-up, are in both.
  costs.forEach((cost, i) => {
    const { rows, cpu } = costs[i - 1] ?? cost;
    cost.further = i === 0 ? undefined : ((cost.cpu - cpu) / (cost.rows - rows)) * 1e6;
    console.error(cost);
  });
  const [start, first] = costs;
  const steady = costs.at(-1).further;
  const warmUp = first.rows < costs.at(-1).rows ? first.cpu - start.cpu - (first.rows * steady) / 1e6 : 0;
  const largest = Math.max(...sizes);
  const [one, two] = [await byWorkers(largest, 1), await byWorkers(largest, 2)];
  const { killed, restarted } = await withKills(largest, Number(values.kills));
  const text = `# gru score: files of sequences

${machine()}; ${new Date().toISOString().slice(0, 10)}. \`node server/bench/score.mjs --rows ${values.rows} --kills ${values.kills} --record\`

Rows of 1 to 30 steps of 8 numbers (NDJSON, 360 bytes), a GRU of 32 hidden units, 32 numbers a row written. Processor time is that of all threads, medians of ${ROUNDS}
but for the largest file. A line of the table has what each further million took, from the file before it to this one.

${table(
  ['sequences', 'seconds, one thread', 'processor seconds', 'each further million', 'to the largest file'],
  costs.map(({ rows, clock, cpu, further }) => [
    rows.toLocaleString('en'),
    clock.toFixed(1),
    cpu.toFixed(2),
    further === undefined ? '' : `${further.toFixed(1)} s`,
    further === undefined ? '' : `${(further / steady).toFixed(2)}`,
  ]),
)}

A file of any size takes ${start.cpu.toFixed(2)} s to start, and ${warmUp.toFixed(2)} s until V8 has compiled what runs often: the first of its shards cost more, the same for all files.

By a queue, ${largest.toLocaleString('en')} sequences: ${one.toFixed(1)} s by one worker of one thread, ${two.toFixed(1)} s by two: ${(one / two).toFixed(2)} times as fast.

With ${killed} workers killed (SIGKILL, replaced) and Redis killed and started again with its append-only file ${restarted} times meanwhile: no sequence lost or doubled.
Every output has the bytes of the one process (SHA-256), each id once, in order.`;
  record('score', text, values.record);
} finally {
  for (const child of started) child.kill('SIGKILL');
  rmSync(folder, { recursive: true, force: true });
}
