import { serve } from './instance.mjs';

/**
 * Sequences that step by HTTP on two instances in turn, one of which is killed in the middle; as a client does, a request that fails is sent again, to the other one.
 * Throws where an output is not that of an undisturbed run, bit for bit.
 */
export async function failover(modelFile, model, redisUrl, { sequences, steps, inputSize, hiddenSize }) {
  const words = [`model=${modelFile}`, '--state', redisUrl, '--durability', 'batch'];
  const servers = [await serve(...words), await serve(...words)];
  const inputs = Array.from({ length: sequences }, (_, i) =>
    Float32Array.from({ length: steps * inputSize }, (_, k) => Math.fround(Math.sin(i * 31 + k))),
  );
  let answered = 0;
  let retries = 0;
  const play = async (i) => {
    const outputs = new Float32Array(steps * hiddenSize);
    for (let t = 0, tries = 0; t < steps;) {
      const answer = await step(servers[(i + t + tries) % 2].url, `s${i}`, inputs[i], t, inputSize);
      if (answer) {
        outputs.set(answer, t++ * hiddenSize);
        tries = 0;
        if (++answered === Math.floor((sequences * steps) / 2)) servers[0].child.kill('SIGKILL');
      } else if ((retries++, ++tries > 100)) throw new Error(`sequence ${i} is not answered at step ${t}`);
    }
    const expected = model.run(inputs[i]).output.data;
    if (!Buffer.from(outputs.buffer).equals(Buffer.from(expected.buffer, expected.byteOffset, expected.byteLength))) {
      throw new Error(`sequence ${i} has other outputs than an undisturbed run`);
    }
  };
  try {
    await Promise.all(inputs.map((_, i) => play(i)));
  } finally {
    await Promise.all(servers.map(({ stop }) => stop()));
  }
  return { sequences, steps, retries };
}

async function step(url, id, x, t, inputSize) {
  const request = {
    parameters: { sequence_id: id, sequence_start: t === 0, sequence_step: t },
    inputs: [
      {
        name: 'x',
        datatype: 'FP32',
        shape: [1, 1, inputSize],
        data: [...x.subarray(t * inputSize, (t + 1) * inputSize)],
      },
    ],
  };
  try {
    const response = await fetch(`${url}/v2/models/model/infer`, { method: 'POST', body: JSON.stringify(request) });
    const body = await response.json();
    if (response.status === 200) return body.outputs[0].data;
    if (response.status === 503 || response.status === 504) return undefined;
    throw new Refused(`${response.status}: ${body.error}`);
  } catch (error) {
    if (error instanceof Refused) throw error;
    return undefined;
  }
}

class Refused extends Error {}
