import { execFileSync, spawn } from 'node:child_process';
import { copyFileSync } from 'node:fs';
import { Agent, request } from 'node:http';
import { createServer } from 'node:net';
import { once } from 'node:events';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { serve } from './instance.mjs';

const file = (name) => fileURLToPath(new URL(`peer/${name}`, import.meta.url));

async function freePorts(count) {
  const servers = Array.from({ length: count }, () => createServer().listen(0, '127.0.0.1'));
  await Promise.all(servers.map((server) => once(server, 'listening')));
  const ports = servers.map((server) => server.address().port);
  for (const server of servers) server.close();
  return ports;
}

/**
 * Steps a second by HTTP and JSON, clients that each wait for their answer: `gru serve` with live sequences, and MLServer (Python) with onnxruntime, whose clients send the
 * state and get it back. The same weights, in turns.
 *
 * @param python Of an environment with mlserver, onnxruntime and onnx.
 */
export async function comparePeer(python, folder, { clients, seconds, rounds, inputSize, hiddenSize }) {
  const ports = await freePorts(3);
  const sizes = [String(inputSize), String(hiddenSize)];
  execFileSync(python, [file('make_model.py'), folder, ...sizes, ...ports.map(String)], { stdio: 'inherit' });
  copyFileSync(file('runtime.py'), join(folder, 'runtime.py'));
  const ours = await serve(`model=${join(folder, 'model.onnx')}`, '--window', '0');
  const theirs = spawn('taskset', ['-c', '0', join(python, '../mlserver'), 'start', folder], {
    cwd: folder,
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  try {
    const url = `http://127.0.0.1:${ports[0]}`;
    while (
      !(await fetch(`${url}/v2/models/step/ready`).then(
        ({ ok }) => ok,
        () => false,
      ))
    )
      await setTimeout(200);
    const x = Array.from({ length: inputSize }, (_, k) => Math.sin(k));
    const rates = { ours: [], theirs: [] };
    for (let round = 0; round < rounds; round++) {
      rates.ours.push(await closedLoop(`${ours.url}/v2/models/model/infer`, clients, seconds, sequence(x, round)));
      rates.theirs.push(await closedLoop(`${url}/v2/models/step/infer`, clients, seconds, stateless(x, hiddenSize)));
    }
    const median = (values) => values.sort((a, b) => a - b)[values.length >> 1];
    return { ours: median(rates.ours), theirs: median(rates.theirs) };
  } finally {
    theirs.kill('SIGKILL');
    await ours.stop();
  }
}

const tensor = (name, data) => ({ name, datatype: 'FP32', shape: [1, 1, data.length], data });

const sequence = (x, round) => (client) => (before) => ({
  parameters: { sequence_id: `${round}-${client}`, sequence_start: before === undefined },
  inputs: [tensor('x', x)],
});

const stateless = (x, hiddenSize) => () => (before) => ({
  inputs: [tensor('x', x), tensor('h', before ? before.outputs[1].data : Array(hiddenSize).fill(0))],
});

/** @returns Answers a second. */
async function closedLoop(url, clients, seconds, makeBody) {
  const agent = new Agent({ keepAlive: true, maxSockets: clients });
  const end = performance.now() + seconds * 1000;
  let count = 0;
  await Promise.all(
    Array.from({ length: clients }, async (_, client) => {
      const body = makeBody(client);
      let answer;
      while (performance.now() < end) {
        answer = await post(agent, url, body(answer));
        count++;
      }
    }),
  );
  agent.destroy();
  return count / seconds;
}

function post(agent, url, body) {
  const text = JSON.stringify(body);
  const headers = { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) };
  return new Promise((resolve, reject) => {
    const sent = request(url, { method: 'POST', agent, headers }, (response) => {
      const pieces = [];
      response.on('data', (piece) => pieces.push(piece));
      response.on('end', () => {
        const answer = Buffer.concat(pieces).toString();
        if (response.statusCode === 200) resolve(JSON.parse(answer));
        else reject(new Error(`${url}: ${response.statusCode} ${answer.slice(0, 200)}`));
      });
    });
    sent.on('error', reject);
    sent.end(text);
  });
}
