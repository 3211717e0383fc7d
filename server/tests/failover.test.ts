import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { createGru } from 'gru-wasm';
import { bin } from './bin.ts';
import { gruModel, HIDDEN, INPUT, steps } from './models.ts';
import { hasRedis, startRedis, type TestRedis } from './redis.ts';

const SEQUENCES = 12;
const STEPS = 12;

interface Instance {
  child: ChildProcess;
  url: string;
}

describe.skipIf(!hasRedis)('two instances, one of which is killed under load', () => {
  let folder: string;
  let redis: TestRedis;
  let instances: Instance[] = [];

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'gru-failover-'));
    await writeFile(join(folder, 'gru.safetensors'), (await gruModel()).save());
    redis = await startRedis();
  });
  afterEach(() => {
    for (const { child } of instances) child.kill('SIGKILL');
  });
  afterAll(async () => {
    await redis.stop();
    await rm(folder, { recursive: true });
  });

  async function start(model: string, ...options: string[]): Promise<Instance> {
    const args = [bin, 'serve', model, '--port', '0', '--no-grpc', '--state', redis.url, ...options];
    const child = spawn(process.execPath, args, { cwd: folder, stdio: ['ignore', 'pipe', 'inherit'] });
    let text = '';
    child.stdout.setEncoding('utf8').on('data', (piece: string) => (text += piece));
    const url = await vi.waitUntil(() => /http:\/\/127\.0\.0\.1:\d+/.exec(text)?.[0], {
      timeout: 60_000,
      interval: 20,
    });
    return { child, url };
  }

  async function send(url: string, id: string, x: Float32Array, t: number) {
    const response = await fetch(`${url}/v2/models/gru/infer`, {
      method: 'POST',
      body: JSON.stringify({
        parameters: { sequence_id: id, sequence_start: t === 0, sequence_step: t },
        inputs: [
          { name: 'x', datatype: 'FP32', shape: [1, 1, INPUT], data: [...x.subarray(t * INPUT, (t + 1) * INPUT)] },
        ],
      }),
    });
    return {
      status: response.status,
      body: (await response.json()) as { outputs: [{ data: number[] }]; sequence_step?: number },
    };
  }

  /** As a client does: any instance, and again where one does not answer; back to the step that a conflict names. */
  async function play(id: string, x: Float32Array, pick: (t: number, tries: number) => string) {
    const outputs = new Float32Array(STEPS * HIDDEN);
    let again = 0;
    for (let t = 0, tries = 0; t < STEPS;) {
      const answer = await send(pick(t, tries), id, x, t).catch(() => undefined);
      if (answer?.status === 200) {
        outputs.set(answer.body.outputs[0].data, t++ * HIDDEN);
        tries = 0;
      } else if (answer?.status === 409) t = answer.body.sequence_step!;
      else {
        again++;
        expect(++tries, `${id} at step ${t}: status ${String(answer?.status)}`).toBeLessThan(100);
      }
    }
    return { outputs, again };
  }

  test.each([
    ['batch', 'any instance answers any step'],
    ['interval', 'an instance has a sequence until it dies'],
  ])('--durability %s: %s; every sequence goes on, with the bits of an undisturbed run', async (durability) => {
    const options = ['gru.safetensors', '--durability', durability, '--state-every', '7'] as const;
    instances = await Promise.all([start(...options), start(...options)]);
    const model = await gruModel();
    let played = 0;
    const [first, second] = instances as [Instance, Instance];
    const all = await Promise.all(
      Array.from({ length: SEQUENCES }, (_, i) =>
        play(`${durability}-${i}`, steps(STEPS, i), (t, tries) => {
          // In the middle of it all, while requests are on their way to it.
          if (++played === (SEQUENCES * STEPS) / 2) first.child.kill('SIGKILL');
          const turn = durability === 'batch' ? i + t + tries : i + tries;
          const isDead = first.child.signalCode !== null;
          return turn % 2 === 0 && !(isDead && durability === 'interval') ? first.url : second.url;
        }),
      ),
    );
    await (first.child.signalCode === null ? once(first.child, 'exit') : undefined);
    expect(all.some(({ again }) => again > 0)).toBe(true);
    all.forEach(({ outputs }, i) => {
      expect(outputs).toEqual(model.run(steps(STEPS, i)).output.data);
    });
    second.child.kill('SIGTERM');
    expect(await once(second.child, 'exit')).toEqual([0, null]);
  });

  test('the states of another model of the same name and shape are none', async () => {
    const x = steps(2);
    const other = await createGru(
      { inputSize: INPUT, hiddenSize: HIDDEN, resetAfter: true },
      { kernel: new Float32Array(INPUT * 3 * HIDDEN), recurrentKernel: new Float32Array(HIDDEN * 3 * HIDDEN) },
    );
    await writeFile(join(folder, 'other.safetensors'), other.save());
    instances = [await start('gru.safetensors'), await start('gru=other.safetensors')];
    expect((await send(instances[0]!.url, 'changed', x, 0)).status).toBe(200);
    expect((await send(instances[1]!.url, 'changed', x, 1)).status).toBe(404);
    expect((await send(instances[0]!.url, 'changed', x, 1)).status).toBe(200);
  });

  test('on SIGTERM all states are written: another instance goes on after the last step', async () => {
    const options = ['gru.safetensors', '--durability', 'interval', '--state-every', '1000'] as const;
    instances = [await start(...options)];
    const x = steps(5);
    for (let t = 0; t < 4; t++) expect((await send(instances[0]!.url, 'last', x, t)).status).toBe(200);
    instances[0]!.child.kill('SIGTERM');
    await once(instances[0]!.child, 'exit');
    instances = [await start(...options)];
    const { status, body } = await send(instances[0]!.url, 'last', x, 4);
    expect(status).toBe(200);
    const expected = (await gruModel()).run(x).output.data;
    expect(Float32Array.from(body.outputs[0].data)).toEqual(expected.subarray(4 * HIDDEN));
  });

  test('on SIGTERM without its Redis it ends all the same, and says so', async () => {
    const own = await startRedis();
    const options = ['--durability', 'interval', '--state-every', '1000', '--state', own.url] as const;
    instances = [await start('gru.safetensors', ...options)];
    const x = steps(2);
    for (let t = 0; t < 2; t++) expect((await send(instances[0]!.url, 'lost', x, t)).status).toBe(200);
    await own.stop();
    instances[0]!.child.kill('SIGTERM');
    expect(await once(instances[0]!.child, 'exit')).toEqual([6, null]);
  });
});
