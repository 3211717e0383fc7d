/** What is heard: a recording, or whoever speaks. */
export type Source = 'sample' | 'microphone';

/** Sound that plays. */
export interface Playing {
  context: AudioContext;
  /** Releases the microphone and the context. */
  stop: () => Promise<void>;
}

/** Processing made for telephony would change what the network hears. */
const PLAIN = { channelCount: 1, noiseSuppression: false, echoCancellation: false, autoGainControl: false };

/**
 * A node that plays samples, at the rate of the context.
 * @param samples -1 to 1
 */
export function bufferSource(context: BaseAudioContext, samples: Float32Array, loop = false): AudioBufferSourceNode {
  const buffer = context.createBuffer(1, samples.length, context.sampleRate);
  buffer.copyToChannel(samples as Float32Array<ArrayBuffer>, 0);
  return new AudioBufferSourceNode(context, { buffer, loop });
}

/**
 * Opens an audio context and a source, and connects what `route` makes of it.
 * @param rate samples a second; undefined: those of the device, for Firefox connects a microphone to no other
 * @throws DOMException where the microphone is refused, or not connected at this rate
 */
export async function play(
  rate: number | undefined,
  from: Source,
  sample: () => Float32Array,
  route: (source: AudioNode, context: AudioContext) => Promise<void>,
): Promise<Playing> {
  const context = new AudioContext(rate === undefined ? {} : { sampleRate: rate });
  let microphone: MediaStream | undefined;
  const stop = async () => {
    microphone?.getTracks().forEach((track) => {
      track.stop();
    });
    await context.close();
  };
  try {
    if (from === 'microphone') {
      microphone = await navigator.mediaDevices.getUserMedia({ audio: PLAIN });
      await route(context.createMediaStreamSource(microphone), context);
    } else {
      const source = bufferSource(context, sample(), true);
      await route(source, context);
      source.start();
    }
  } catch (error) {
    await stop();
    throw error;
  }
  return { context, stop };
}
