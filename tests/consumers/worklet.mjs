import { createGru } from 'gru-wasm';
import { compileForWorklet } from 'gru-wasm/worklet';
import { failed, gruConfig, gruWeights } from './model.mjs';

/** @param url Where processor.mjs is, bundled or as it is */
export async function worklet(url) {
  try {
    const { spec } = await createGru(gruConfig, gruWeights);
    const context = new OfflineAudioContext(1, 1280, 48_000);
    await context.audioWorklet.addModule(url);
    const processorOptions = { core: await compileForWorklet({ deterministic: true }), spec };
    const node = new AudioWorkletNode(context, 'gru', { processorOptions });
    const answer = new Promise((resolve) => (node.port.onmessage = ({ data }) => resolve(data)));
    node.connect(context.destination);
    await context.startRendering();
    return await answer;
  } catch (error) {
    return failed('worklet', error);
  }
}
