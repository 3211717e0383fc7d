import { loadModel } from 'gru-wasm';
import { compileForWorklet } from 'gru-wasm/worklet';
import modelFile from '../../examples/audio/amp.safetensors?url';
import { phrase, RATE } from '../../examples/audio/phrase.js';
import processor from '../../examples/audio/processor.js?worker&url';
import { addProcessor, bufferSource, play, type Playing, type Source } from './sound.ts';

export { RATE };
/** Samples that an audio thread is asked for at a time. */
export const QUANTUM = 128;
/** Where the first note of the phrase is drawn: samples. */
const [FROM, SHOWN] = [0.1 * RATE, 0.025 * RATE];
/** How much sound is rendered to measure the load: seconds. */
const MEASURED = 2;

export interface Controls {
  drive: number;
  effect: boolean;
}

export interface Amp {
  backend: string;
  play: (from: Source, controls: Controls) => Promise<Playing & { set: (controls: Controls) => void }>;
  /** The first note, as it goes in and as it comes out of the audio thread. */
  draw: (drive: number) => Promise<Record<'dry' | 'through the GRU', Float32Array>>;
  /** The part of real time that the network takes in an audio thread. */
  load: () => Promise<number>;
}

/** The effect of examples/audio, by its own processor. */
export async function loadAmp(): Promise<Amp> {
  const model = await loadModel(await fetch(modelFile));
  const processorOptions = { core: await compileForWorklet(), spec: model.spec };

  async function ampOf(context: BaseAudioContext): Promise<AudioWorkletNode> {
    await addProcessor(context, processor);
    return new AudioWorkletNode(context, 'amp', { processorOptions, channelCount: 1, channelCountMode: 'explicit' });
  }

  /** Renders the phrase ahead of time, through the effect or past it. */
  async function render(length: number, drive: number, effect: boolean) {
    const context = new OfflineAudioContext(1, length, RATE);
    const source = bufferSource(context, phrase, true);
    const gain = new GainNode(context, { gain: drive });
    source.connect(gain);
    (effect ? gain.connect(await ampOf(context)) : gain).connect(context.destination);
    source.start();
    const start = performance.now();
    const samples = (await context.startRendering()).getChannelData(0);
    return { samples, milliseconds: performance.now() - start };
  }

  return {
    backend: model.backend,
    async play(from, controls) {
      const route = async (source: AudioNode, context: AudioContext) => {
        const drive = new GainNode(context);
        const amp = await ampOf(context);
        const [wet, dry] = [new GainNode(context), new GainNode(context)];
        source.connect(drive).connect(amp).connect(wet).connect(context.destination);
        drive.connect(dry).connect(context.destination);
        set = (now) => {
          drive.gain.value = now.drive;
          wet.gain.value = Number(now.effect);
          dry.gain.value = Number(!now.effect);
        };
        set(controls);
      };
      let set: (controls: Controls) => void;
      // At another rate than that of its training the effect sounds a little different.
      const playing = await play(from === 'sample' ? RATE : undefined, from, () => phrase, route);
      return {
        ...playing,
        set: (now) => {
          set(now);
        },
      };
    },
    async draw(drive) {
      const { samples } = await render(FROM + SHOWN, drive, true);
      return { dry: phrase.slice(FROM, FROM + SHOWN), 'through the GRU': samples.slice(FROM) };
    },
    // Audio threads have no fine clock; a rendering ahead of time is one that the page can time from outside.
    async load() {
      const [length, drive] = [MEASURED * RATE, 0.6];
      const without = await render(length, drive, false);
      const through = await render(length, drive, true);
      return Math.max(0, through.milliseconds - without.milliseconds) / (1000 * MEASURED);
    },
  };
}
