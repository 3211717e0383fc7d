import type { ModelOptions } from '../../ts/api/options.ts';
import { loadModel } from '../../ts/index.ts';
import { compileForWorklet, createModelSync } from '../../ts/worklet.ts';
import { timeQuanta } from './quanta.ts';

/** What the processor tells when it has been made. */
export interface Told {
  missing?: string[];
  backend?: string;
  error?: string;
}

/** What a test asks of this page; see `Visit.call`. */
const tasks = {
  /** The output of a whole run over ids. */
  async run(url: string, ids: number[], options: ModelOptions) {
    using model = await loadModel(url, options);
    return { backend: model.backend, output: Array.from(model.run(ids).output.data) };
  },

  /** The outputs of a stream of ids, through Web Streams. */
  async stream(url: string, ids: number[], options: ModelOptions) {
    using model = await loadModel(url, options);
    const source = new ReadableStream<number>({
      start(controller) {
        for (const id of ids) controller.enqueue(id);
        controller.close();
      },
    });
    const output: number[] = [];
    const reader = source.pipeThrough<Float32Array>(model.transform()).getReader();
    for (let next = await reader.read(); !next.done; next = await reader.read()) output.push(...next.value);
    return { backend: model.backend, output };
  },

  /** Plays samples through the model in an AudioWorkletProcessor. */
  async audio(url: string, samples: number[], deterministic: boolean) {
    const { context, told } = await play(url, Float32Array.from(samples), { deterministic }, samples.length);
    const rendered = await context.startRendering();
    return { ...told, output: Array.from(rendered.getChannelData(0)) };
  },

  /** Plays noise for `warmUp` quanta of 128 samples, then holds; `goOn` plays `quanta` more, then holds. */
  async hold(url: string, warmUp: number, quanta: number, wasteful: boolean) {
    const noise = Float32Array.from({ length: 12800 }, () => 2 * Math.random() - 1);
    const { context, told } = await play(url, noise, { wasteful }, 128 * (warmUp + quanta + 1));
    const first = context.suspend((128 * warmUp) / 48000);
    const second = context.suspend((128 * (warmUp + quanta)) / 48000);
    const end = context.startRendering();
    await first;
    held = async (last) => {
      await context.resume();
      await (last ? end : second);
    };
    return told;
  },

  async goOn(last: boolean) {
    await held?.(last);
  },

  /** For bench/audio.ts: the times of quanta in this thread, and of the mean quantum in an OfflineAudioContext. */
  async quanta(url: string, deterministic: boolean, quanta: number) {
    using model = await loadModel(url, { deterministic });
    const core = await compileForWorklet({ deterministic });
    const times = timeQuanta(() => createModelSync(core, model.spec), quanta);
    const { context } = await play(url, new Float32Array(1280).fill(0.5), { deterministic }, 128 * quanta);
    const start = performance.now();
    await context.startRendering();
    return { backend: model.backend, times, rendered: (performance.now() - start) / quanta };
  },
};

let held: ((last: boolean) => Promise<void>) | undefined;

async function play(
  url: string,
  samples: Float32Array<ArrayBuffer>,
  { deterministic = false, wasteful = false },
  length: number,
) {
  using model = await loadModel(url, { deterministic });
  const context = new OfflineAudioContext(1, length, 48000);
  await context.audioWorklet.addModule('/processor.js');
  const processorOptions = { core: await compileForWorklet({ deterministic }), spec: model.spec, wasteful };
  const node = new AudioWorkletNode(context, 'model', { processorOptions });
  const told = await new Promise<Told>((resolve) => {
    node.port.onmessage = ({ data }: MessageEvent<Told>) => {
      resolve(data);
    };
    node.onprocessorerror = () => {
      resolve({ error: 'the processor failed' });
    };
  });
  const buffer = context.createBuffer(1, samples.length, 48000);
  buffer.copyToChannel(samples, 0);
  const source = new AudioBufferSourceNode(context, { buffer, loop: true });
  source.connect(node).connect(context.destination);
  source.start();
  return { context, told };
}

export type Tasks = typeof tasks;
Object.assign(globalThis, { tasks });
