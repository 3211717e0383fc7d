import { once } from 'node:events';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setTimeout } from 'node:timers/promises';
import WebSocket from 'ws';
import { memoryOf, metricsOf, processorOf, waitedOf } from './instance.mjs';

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
 * when it was due to be sent, so a client or server that is late is seen. Which of them it was: `server` is what the server says of itself, `waited` how long
 * either could have run and had no processor, for other work on the machine had it.
 */
export async function live(server, { sequences, gateways, period, seconds, warmup = 3, inputSize }) {
  const { url, child } = server;
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
  let before;
  const ownLoop = monitorEventLoopDelay({ resolution: 1 });
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
    if (now > begin && !before) {
      before = {
        used: processorOf(child),
        waited: [waitedOf(child), waitedOf(process)],
        metrics: metricsOf(server),
        at: now,
      };
      ownLoop.enable();
    }
    if (now > lookAt) {
      memory.push(memoryOf(child));
      lookAt += Math.max((seconds * 1000) / 60, 1000);
    }
    await setTimeout(1);
  }
  for (let tries = 0; tries < 100 && due.some((waiting) => waiting.length > 0); tries++) await setTimeout(100);
  const used = processorOf(child) - before.used;
  const elapsed = (performance.now() - before.at) * 1e3;
  const waited = [waitedOf(child), waitedOf(process)].map((now, i) => (now - before.waited[i]) / elapsed);
  const report = serverReport(await before.metrics, await metricsOf(server));
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
    processor: used / times.length,
    waited,
    server: report,
    clientLoop: ownLoop.percentile(99) / 1e6,
    lateShare: late / total,
    memory,
  };
}

/** Of a server's metrics before and after: pauses for garbage, the longest time in which its event loop did nothing else, and requests within 20 ms of their arrival. */
function serverReport(before, after) {
  const sum = (pattern, of) =>
    Object.entries(of).reduce((total, [name, value]) => (pattern.test(name) ? total + value : total), 0);
  const more = (pattern) => sum(pattern, after) - sum(pattern, before);
  const requests = more(/^gru_request_seconds_count/);
  return {
    garbage: more(/^nodejs_gc_duration_seconds_sum/),
    pauses: more(/^nodejs_gc_duration_seconds_count/) - more(/^nodejs_gc_duration_seconds_bucket\{le="0.01"/),
    loop99: after.nodejs_eventloop_lag_p99_seconds * 1e3,
    within20: more(/^gru_request_seconds_bucket\{le="0.02"/) / requests,
  };
}
