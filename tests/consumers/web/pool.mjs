import { createGru } from 'gru-wasm';
import { createPool } from 'gru-wasm/pool';
import { failed, gruConfig, gruWeights, input, told } from '../model.mjs';

/** A batch, for one sequence is too little work for a worker; its last sequence is compared. */
export async function pool() {
  try {
    const model = await createGru(gruConfig, gruWeights, { deterministic: true });
    const workers = await createPool(model, { workers: 2 });
    const batch = 2048;
    const data = new Float32Array(batch * input.length);
    for (let i = 0; i < batch; i++) data.set(input, i * input.length);
    const { output } = await workers.run({ data, shape: [batch, 10, 4] });
    await workers.close();
    return told('pool', [model.backend], [output.data.subarray(-80)]);
  } catch (error) {
    return failed('pool', error);
  }
}
