import type { ModelSpec } from '../../ts/spec/spec.ts';
import type { GruStream } from '../../ts/stream/stream.ts';
import { createModelSync, type WasmCore } from '../../ts/worklet.ts';
import type { Told } from './page.ts';

declare class AudioWorkletProcessor {
  readonly port: MessagePort;
}
declare function registerProcessor(name: string, type: new (options: ProcessorOptions) => AudioWorkletProcessor): void;

interface ProcessorOptions {
  processorOptions: { core: WasmCore; spec: ModelSpec; wasteful: boolean };
}

const ABSENT = ['TextDecoder', 'TextEncoder', 'atob', 'URL', 'performance', 'setTimeout', 'fetch'];

class ModelProcessor extends AudioWorkletProcessor {
  private readonly stream: GruStream | undefined;
  private readonly wasteful: boolean;

  constructor({ processorOptions }: ProcessorOptions) {
    super();
    this.wasteful = processorOptions.wasteful;
    const told: Told = { missing: ABSENT.filter((name) => !(name in globalThis)) };
    try {
      const model = createModelSync(processorOptions.core, processorOptions.spec);
      this.stream = model.createStream();
      told.backend = model.backend;
    } catch (error) {
      told.error = String(error);
    }
    this.port.postMessage(told);
  }

  process(inputs: Float32Array[][], outputs: Float32Array[][]): boolean {
    const input = inputs[0]![0];
    const output = outputs[0]![0]!;
    const { stream } = this;
    if (!stream || !input) return true;
    // Without closures: what they capture is allocated at each call.
    if (!this.wasteful) stream.run(input, output);
    else for (let i = 0; i < output.length; i++) output[i] = stream.step(Float32Array.of(input[i]!))[0]!;
    return true;
  }
}

registerProcessor('model', ModelProcessor);
