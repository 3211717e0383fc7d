import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { setTimeout } from 'node:timers/promises';
import { BIN } from './record.mjs';

/** The server has the first processor for itself, the client (this process) the others. */
const PINNED = availableParallelism() > 1 && spawnSync('taskset', ['--version']).status === 0;
export function pinClient() {
  if (PINNED) spawnSync('taskset', ['-acp', `1-${availableParallelism() - 1}`, String(process.pid)]);
}

/** A `gru serve` of these words, once it listens; its node has the options that this one has (`node --cpu-prof server/bench/load.mjs`). */
export async function serve(...args) {
  const options = ['--port', '0', '--no-grpc', '--workers', '1'];
  const words = [process.execPath, ...process.execArgv, BIN, 'serve', ...args, ...options];
  const [file, ...rest] = PINNED ? ['taskset', '-c', '0', ...words] : words;
  const child = spawn(file, rest, { stdio: ['ignore', 'pipe', 'inherit'] });
  let text = '';
  child.stdout.setEncoding('utf8').on('data', (piece) => (text += piece));
  for (;;) {
    const url = /http:\/\/127\.0\.0\.1:\d+/.exec(text)?.[0];
    if (url) return { child, url, stop: () => stop(child) };
    if (child.exitCode !== null) throw new Error(`gru serve ended with ${child.exitCode}`);
    await setTimeout(20);
  }
}

async function stop(child) {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill('SIGTERM');
  await once(child, 'exit');
}

/** Resident memory of a process, in MiB (Linux). */
export function memoryOf({ pid }) {
  return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))[1]) / 1024;
}

/** Microseconds of processor that a process has used (Linux: ticks of 10 ms). */
export function processorOf({ pid }) {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1].split(' ');
  return (Number(fields[11]) + Number(fields[12])) * 1e4;
}

/** Microseconds that the thread of a process which runs most could have run, and other work had its processor (Linux). */
export function waitedOf({ pid }) {
  const threads = readdirSync(`/proc/${pid}/task`).map((thread) =>
    readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'utf8').split(' ').map(Number),
  );
  const [[, waited]] = threads.sort(([a], [b]) => b - a);
  return waited / 1e3;
}

/** What a server says of itself: the value of each line of its /metrics. What it says of its event loop is since it was asked last. */
export async function metricsOf({ url }) {
  const text = await (await fetch(`${url}/metrics`)).text();
  const lines = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  return Object.fromEntries(lines.map((line) => [line.replace(/ \S+$/, ''), Number(line.replace(/^.* /, ''))]));
}
