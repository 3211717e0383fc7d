import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { createGru } from 'gru-wasm';
import { failover } from './failover.mjs';
import { pinClient, serve } from './instance.mjs';
import { live } from './live.mjs';
import { comparePeer } from './peer.mjs';
import { machine, record, table } from './record.mjs';
import { startRedis } from './redis.mjs';

/**
 * `gru serve` under load, each part by itself or all: `--only live,durable,soak,failover,peer`; live sequences come by
 * `--gateways N` connections, or with 0 by one each; `--live-workers 0,1,2` in turns, in `--rounds N`; with `--append-only` Redis writes a file, which it
 * syncs each second. The server on the first processor, the client on the others. Where other work shares the machine, `waited` says how much of the time it
 * had their processors.
 */

const ALL = 'live,durable,soak,failover,peer';

const { values } = parseArgs({
  options: {
    only: { type: 'string', default: ALL },
    sequences: { type: 'string', default: '10000' },
    gateways: { type: 'string', default: '4' },
    period: { type: 'string', default: '100' },
    seconds: { type: 'string', default: '60' },
    'soak-seconds': { type: 'string', default: '600' },
    'failover-sequences': { type: 'string', default: '2000' },
    'live-workers': { type: 'string', default: '0' },
    rounds: { type: 'string', default: '1' },
    'append-only': { type: 'boolean', default: false },
    python: { type: 'string' },
    record: { type: 'boolean', default: false },
  },
});
const parts = values.only.split(',');
const appendOnly = values['append-only'];
const [sequences, gateways, period, seconds] = [values.sequences, values.gateways, values.period, values.seconds].map(
  Number,
);
const [inputSize, hiddenSize] = [16, 64];
const folder = mkdtempSync(join(tmpdir(), 'gru-load-'));
const modelFile = join(folder, 'model.safetensors');

let state = 1;
const random = (length) =>
  Float32Array.from({ length }, () => (state = (Math.imul(state, 1664525) + 1013904223) >>> 0) / 2 ** 32 - 0.5);
const model = await createGru(
  { inputSize, hiddenSize, resetAfter: true },
  { kernel: random(inputSize * 3 * hiddenSize), recurrentKernel: random(hiddenSize * 3 * hiddenSize) },
);
writeFileSync(modelFile, model.save());
pinClient();

const OWN = `Whose the time was. By the server's /metrics: requests answered within 20 ms of their arrival, delays of its event loop, the share of the time that collecting
garbage took. By the system: how much of the time server and client could have run, and other work had their processor.`;
const LIMITS = ['--max-sequences', '100000', '--max-sequences-of-key', '100000'];
const lines = [];
const rows = [];
const reports = [];

async function measured(name, more, ...words) {
  const load = { inputSize, sequences, gateways, period, seconds, ...more };
  const server = await serve(`model=${modelFile}`, ...LIMITS, ...words);
  try {
    const found = await live(server, load);
    const ms = (value) => (value === undefined ? 'none' : `${value.toFixed(1)} ms`);
    const share = (value) => `${(value * 100).toFixed(1)} %`;
    const { asked, rate, p50, p99, max, errors, lateShare, processor, waited, server: own, clientLoop } = found;
    rows.push([
      name,
      asked.toFixed(0),
      rate.toFixed(0),
      ms(p50),
      ms(p99),
      ms(max),
      errors,
      share(lateShare),
      `${processor.toFixed(1)} us`,
    ]);
    reports.push([
      name,
      share(own.within20),
      ms(own.loop99),
      `${share(own.garbage / load.seconds)}, ${own.pauses}`,
      share(waited[0]),
      share(waited[1]),
      ms(clientLoop),
    ]);
    console.error(reports.at(-1).join(' | '));
    console.error(rows.at(-1).join(' | '));
    return found;
  } finally {
    await server.stop();
  }
}

try {
  const redis = parts.some((part) => part === 'durable' || part === 'failover')
    ? await startRedis(folder, { appendOnly })
    : undefined;
  for (let round = 0; round < Number(values.rounds); round++) {
    for (const threads of values['live-workers'].split(',')) {
      const words = ['--live-workers', threads];
      const by = threads === '0' ? '' : `, --live-workers ${threads}`;
      if (parts.includes('live')) await measured(`states in memory${by}`, {}, ...words);
      if (parts.includes('durable')) {
        const durable = ['--state', redis.url, '--durability', 'batch'];
        await measured(`--durability batch, Redis${appendOnly ? ' with AOF' : ''}${by}`, {}, ...durable, ...words);
      }
    }
  }
  if (parts.includes('soak')) {
    const soak = Number(values['soak-seconds']);
    const { memory } = await measured(`soak, half of the load, ${soak} s`, { period: period * 2, seconds: soak });
    const third = Math.floor(memory.length / 3);
    const mean = (part) => part.reduce((sum, value) => sum + value, 0) / part.length;
    const [middle, last] = [mean(memory.slice(third, 2 * third)), mean(memory.slice(-third))];
    lines.push(
      `Soak: resident memory ${middle.toFixed(0)} MiB in the second third, ${last.toFixed(0)} MiB in the last.`,
    );
  }
  if (parts.includes('failover')) {
    const load = { sequences: Number(values['failover-sequences']), steps: 30, inputSize, hiddenSize };
    const { retries } = await failover(modelFile, model, redis.url, load);
    lines.push(
      `Two instances with one Redis (\`--durability batch\`), one killed (SIGKILL) under load: ${load.sequences} sequences of ${load.steps} steps went on, all outputs equal to an
undisturbed run bit for bit; ${retries} requests were sent again, with their \`sequence_step\`.`,
    );
  }
  await redis?.kill();
  if (parts.includes('peer') && values.python === undefined)
    lines.push('MLServer: not run (--python of an environment that has it).');
  if (parts.includes('peer') && values.python !== undefined) {
    const load = { clients: 64, seconds: Math.max(Math.min(seconds, 20), 2), rounds: 3, inputSize, hiddenSize };
    const { ours, theirs } = await comparePeer(values.python, folder, load);
    lines.push(
      `Steps a second by HTTP and JSON, 64 clients, medians of ${load.rounds} rounds in turns: ${ours.toFixed(0)} by gru serve, ${theirs.toFixed(0)} by MLServer with onnxruntime (state in and
out): ${(ours / theirs).toFixed(1)} times as many.`,
    );
  }
  const head = [
    '',
    'steps asked /s',
    'answered /s',
    'p50',
    'p99',
    'longest',
    'errors',
    'sent late',
    'processor a step',
  ];
  const reportHead = [
    '',
    'requests within 20 ms',
    'event loop, p99',
    'garbage, pauses over 10 ms',
    'server waited',
    'client waited',
    'client, event loop, p99',
  ];
  const text = `# gru serve under load

${machine()}; ${new Date().toISOString().slice(0, 10)}. \`${['node', ...process.execArgv, 'server/bench/load.mjs', ...process.argv.slice(2).map((word) => (word === values.python ? 'PYTHON' : word))].join(' ')}\`

A GRU of ${hiddenSize} hidden units, ${inputSize} inputs; ${sequences.toLocaleString('en')} live sequences, ${gateways > 0 ? `on ${gateways} connections` : 'a WebSocket each'}, one step each per ${period} ms; server and client on a processor each, Redis (${appendOnly ? 'with an append-only file, appendfsync everysec' : 'without an append-only file'}) on the client's. Times
are from when a step was due; sent late: by the client, by over 5 ms.

${rows.length > 0 ? `${table(head, rows)}\n\n${OWN}\n\n${table(reportHead, reports)}\n\n` : ''}${lines.join('\n\n')}`;
  // A part that is measured by itself has a record of its own.
  const name = [...(values.only === ALL ? ['load'] : ['load', ...parts]), ...(appendOnly ? ['append-only'] : [])];
  record(name.join('-'), text.trim(), values.record);
} finally {
  rmSync(folder, { recursive: true, force: true });
}
process.exit(0);
