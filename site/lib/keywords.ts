import { loadModel } from 'gru-wasm';
import { compileForWorklet } from 'gru-wasm/worklet';
import { FRAME, HOP, RATE } from '../../examples/keywords/features.js';
import modelFile from '../../examples/keywords/keywords.safetensors?url';
import processor from '../../examples/keywords/processor.js?worker&url';
import sampleFile from '../../examples/keywords/sample.wav?url';
import { LABELS, type Spotted } from '../../examples/keywords/spotter.js';
import { readWav } from '../../examples/keywords/wav.js';
import { addProcessor, bufferSource, play, type Playing, type Source } from './sound.ts';

export { LABELS, type Spotted };
/** Seconds from one row of scores to the next: the convolution has a stride of two. */
export const ROW_SECONDS = (2 * HOP) / RATE;

/** What the audio thread tells: a row of scores, or a word. */
export interface Heard {
  scores?: Float32Array;
  spotted?: Spotted;
}

export interface Keywords {
  backend: string;
  listen: (from: Source, heard: (heard: Heard) => void) => Promise<Playing>;
  /** The sample ahead of time, through the same processor: its rows of scores, and its words. */
  sample: () => Promise<{ rows: Float32Array[]; words: Spotted[] }>;
}

/** The spotter of examples/keywords, by its own processor. */
export async function loadKeywords(): Promise<Keywords> {
  const model = await loadModel(await fetch(modelFile));
  const samples = readWav(new Uint8Array(await (await fetch(sampleFile)).arrayBuffer()));
  const processorOptions = { core: await compileForWorklet(), spec: model.spec };

  async function connect(source: AudioNode, context: BaseAudioContext, heard: (heard: Heard) => void): Promise<void> {
    await addProcessor(context, processor);
    const options = { processorOptions, channelCount: 1, channelCountMode: 'explicit' } as const;
    const node = new AudioWorkletNode(context, 'spotter', options);
    node.port.onmessage = ({ data }) => {
      heard(data as Heard);
    };
    source.connect(node).connect(context.destination); // it gives silence, but what leads nowhere is not run
  }

  return {
    backend: model.backend,
    listen: (from, heard) =>
      play(
        RATE,
        from,
        () => samples,
        async (source, context) => {
          await connect(source, context, heard);
          if (from === 'sample') source.connect(context.destination);
        },
      ),
    async sample() {
      const context = new OfflineAudioContext(1, samples.length, RATE);
      const source = bufferSource(context, samples);
      const rows: Float32Array[] = [];
      const words: Spotted[] = [];
      // Messages may come after the samples: one a row of scores, the first of which takes a frame and each other two hops.
      const expected = Math.floor((samples.length - FRAME) / (2 * HOP)) + 1;
      await new Promise<void>((resolve, reject) => {
        connect(source, context, ({ scores, spotted }) => {
          if (spotted) words.push(spotted);
          else if (scores && rows.push(scores) === expected) setTimeout(resolve);
        })
          .then(() => {
            source.start();
            return context.startRendering();
          })
          .catch(reject);
      });
      return { rows, words };
    },
  };
}
