import { once } from 'node:events';
import { setTimeout } from 'node:timers/promises';
import WebSocket from 'ws';
import { memoryOf, processorOf } from './instance.mjs';

/** Connections that are being made at a time. */
const AT_ONCE = 200;
/** Of src/ws/many.ts. */
const START = 2 ** 30;

async function connectAll(count, address, answered) {
  const sockets = [];
  const connect = async (i) => {
    const socket = new WebSocket(address, { perMessageDeflate: false });
    sockets[i] = socket;
    await once(socket, 'open');
    socket.on('message', (data, isBinary) => answered(i, data, isBinary));
    socket.on('error', () => answered(i, '', false));
  };
  for (let i = 0; i < count; i += AT_ONCE) {
    await Promise.all(Array.from({ length: Math.min(AT_ONCE, count - i) }, (_, k) => connect(i + k)));
  }
  return sockets;
}

/** A WebSocket a sequence. `answered` is told of each answer: of which sequence, or of none for an error. */
async function eachItsOwn(url, { sequences, row }, answered) {
  const sockets = await connectAll(sequences, `${url}/stream`, (i, _, isBinary) => answered(isBinary ? i : undefined));
  return {
    send: (due) => due.forEach((i) => sockets[i].send(row)),
    close: () => sockets.forEach((socket) => socket.terminate()),
  };
}

/** As gateways have them: some connections, and what is due at a time of the sequences of one is a frame. */
async function byGateways(url, { sequences, row, gateways }, answered) {
  const sockets = await connectAll(gateways, `${url}/streams`, (_, data, isBinary) => {
    if (!isBinary) return answered(undefined);
    for (let k = 0; k < data.readUInt32LE(0); k++) answered(data.readUInt32LE(4 + 4 * k));
  });
  const begun = new Uint8Array(sequences);
  const frameOf = (due) => {
    const words = Uint32Array.of(due.length, ...due.map((i) => i + (begun[i] ? 0 : START)));
    for (const i of due) begun[i] = 1;
    return Buffer.concat([Buffer.from(words.buffer), ...due.map(() => row)]);
  };
  return {
    send(due) {
      sockets.forEach((socket, g) => {
        const own = due.filter((i) => i % gateways === g);
        if (own.length > 0) socket.send(frameOf(own));
      });
    },
    close: () => sockets.forEach((socket) => socket.terminate()),
  };
}

/**
 * Live sequences that send a step every `period` milliseconds, spread evenly over it, whether the last was answered or not. The time of a step is from
 * when it was due to be sent, so a client or server that is late is seen.
 */
export async function live({ url, child }, { sequences, gateways, period, seconds, warmup = 3, inputSize }) {
  const due = Array.from({ length: sequences }, () => []);
  const times = [];
  let [begin, last] = [Infinity, 0];
  let errors = 0;
  let late = 0;
  const row = Buffer.from(Float32Array.from({ length: inputSize }, (_, k) => Math.sin(k)).buffer);
  const connect = gateways > 0 ? byGateways : eachItsOwn;
  const address = `${url.replace('http', 'ws')}/v2/models/model`;
  const clients = await connect(address, { sequences, row, gateways }, (i) => {
    if (i === undefined) return errors++;
    const from = due[i].shift();
    if (from >= begin) times.push((last = performance.now()) - from);
  });
  const memory = [];
  let used;
  const start = performance.now();
  const stepsDue = (now) => Math.floor(((now - start) / period) * sequences);
  const total = stepsDue(start + (warmup + seconds) * 1000);
  begin = start + warmup * 1000;
  let lookAt = begin;
  for (let sent = 0; sent < total;) {
    const now = performance.now();
    const ready = [];
    for (const until = Math.min(stepsDue(now), total); sent < until; sent++) {
      const i = sent % sequences;
      const at = start + (sent / sequences) * period;
      if (now - at > 5) late++;
      due[i].push(at);
      ready.push(i);
    }
    if (ready.length > 0) clients.send(ready);
    if (now > begin) used ??= processorOf(child);
    if (now > lookAt) {
      memory.push(memoryOf(child));
      lookAt += Math.max((seconds * 1000) / 60, 1000);
    }
    await setTimeout(1);
  }
  for (let tries = 0; tries < 100 && due.some((waiting) => waiting.length > 0); tries++) await setTimeout(100);
  const unanswered = due.reduce((sum, waiting) => sum + waiting.length, 0);
  clients.close();
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
