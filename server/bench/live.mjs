import { once } from 'node:events';
import { setTimeout } from 'node:timers/promises';
import WebSocket from 'ws';
import { memoryOf, processorOf } from './instance.mjs';

/** Connections that are being made at a time. */
const AT_ONCE = 200;

/**
 * Live sequences, a WebSocket each, that send a step every `period` milliseconds, spread evenly over it, whether the last was answered or not. The time of a step is from
 * when it was due to be sent, so a client or server that is late is seen.
 */
export async function live({ url, child }, { sequences, period, seconds, warmup = 3, inputSize }) {
  const address = `${url.replace('http', 'ws')}/v2/models/model/stream`;
  const sockets = [];
  const due = Array.from({ length: sequences }, () => []);
  const times = [];
  let [begin, last] = [Infinity, 0];
  let errors = 0;
  let late = 0;
  const connect = async (i) => {
    const socket = new WebSocket(address, { perMessageDeflate: false });
    sockets[i] = socket;
    await once(socket, 'open');
    socket.on('message', (_, isBinary) => {
      const from = due[i].shift();
      if (!isBinary) errors++;
      else if (from >= begin) times.push((last = performance.now()) - from);
    });
    socket.on('error', () => errors++);
  };
  for (let i = 0; i < sequences; i += AT_ONCE) {
    await Promise.all(Array.from({ length: Math.min(AT_ONCE, sequences - i) }, (_, k) => connect(i + k)));
  }
  const frame = Buffer.from(Float32Array.from({ length: inputSize }, (_, k) => Math.sin(k)).buffer);
  const memory = [];
  let used;
  const start = performance.now();
  const stepsDue = (now) => Math.floor(((now - start) / period) * sequences);
  const total = stepsDue(start + (warmup + seconds) * 1000);
  begin = start + warmup * 1000;
  let lookAt = begin;
  for (let sent = 0; sent < total;) {
    const now = performance.now();
    for (const until = Math.min(stepsDue(now), total); sent < until; sent++) {
      const i = sent % sequences;
      const at = start + (sent / sequences) * period;
      if (now - at > 5) late++;
      due[i].push(at);
      sockets[i].send(frame);
    }
    if (now > begin) used ??= processorOf(child);
    if (now > lookAt) {
      memory.push(memoryOf(child));
      lookAt += Math.max((seconds * 1000) / 60, 1000);
    }
    await setTimeout(1);
  }
  for (let tries = 0; tries < 100 && due.some((waiting) => waiting.length > 0); tries++) await setTimeout(100);
  const unanswered = due.reduce((sum, waiting) => sum + waiting.length, 0);
  for (const socket of sockets) socket.terminate();
  times.sort((a, b) => a - b);
  const quantile = (q) => times[Math.min(Math.floor(q * times.length), times.length - 1)];
  return {
    asked: (sequences * 1000) / period,
    rate: (times.length * 1000) / (last - begin),
    p50: quantile(0.5),
    p99: quantile(0.99),
    max: times.at(-1),
    errors: errors + unanswered,
    // With what was on its way when counting began, which is little.
    processor: (processorOf(child) - used) / times.length,
    lateShare: late / total,
    memory,
  };
}
