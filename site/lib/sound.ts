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

const INSECURE = 'browsers give it only to pages that come by https or from localhost';

/**
 * Makes the processor of a file known to a context.
 * @throws Error where the page has no audio worklets
 */
export async function addProcessor(context: BaseAudioContext, url: string): Promise<void> {
  const { audioWorklet } = context as { audioWorklet?: AudioWorklet };
  if (!audioWorklet) throw new Error(`this page has no AudioWorklet: ${INSECURE}`);
  await audioWorklet.addModule(url);
}

async function openMicrophone(): Promise<MediaStream> {
  const { mediaDevices } = navigator as { mediaDevices?: MediaDevices };
  if (!mediaDevices) throw new Error(`this page has no microphone: ${INSECURE}`);
  return mediaDevices.getUserMedia({ audio: PLAIN });
}

/**
 * Opens an audio context and a source, and connects what `route` makes of it.
 * @param rate samples a second; undefined: those of the device, for Firefox connects a microphone to no other
 * @throws Error where the page has no microphone; DOMException where it is refused, or not connected at this rate
 */
export async function play(
  rate: number | undefined,
  from: Source,
  sample: () => Float32Array,
  route: (source: AudioNode, context: AudioContext) => Promise<void>,
): Promise<Playing> {
  // Asked for first: while the visitor thinks it over, nothing runs.
  const microphone = from === 'microphone' ? await openMicrophone() : undefined;
  let context: AudioContext | undefined;
  const stop = async () => {
    microphone?.getTracks().forEach((track) => {
      track.stop();
    });
    await context?.close();
  };
  try {
    context = new AudioContext(rate === undefined ? {} : { sampleRate: rate });
    if (microphone) {
      await route(context.createMediaStreamSource(microphone), context);
    } else {
      const source = bufferSource(context, sample(), true);
      await route(source, context);
      source.start();
    }
    return { context, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}
