// Runs in the audio thread. Import maps do not reach there, so the library is named by its path.
import { createModelSync } from '../../dist/worklet.js';

class Amp extends AudioWorkletProcessor {
  constructor({ processorOptions: { core, spec } }) {
    super();
    this.stream = createModelSync(core, spec).createStream();
    this.silence = new Float32Array(128);
  }

  process(inputs, outputs) {
    const input = inputs[0][0] ?? this.silence;
    this.stream.run(input, outputs[0][0]);
    return true;
  }
}

registerProcessor('amp', Amp);
