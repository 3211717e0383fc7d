// Runs in the audio thread. Import maps do not reach there, so the library is named by its path.
import { createModelSync } from '../../dist/worklet.js';

class Amp extends AudioWorkletProcessor {
  constructor({ processorOptions: { core, spec } }) {
    super();
    this.stream = createModelSync(core, spec).createStream();
    this.sample = new Float32Array(1);
    this.silence = new Float32Array(128);
  }

  process(inputs, outputs) {
    const input = inputs[0][0] ?? this.silence;
    const output = outputs[0][0];
    for (let i = 0; i < output.length; i++) {
      this.sample[0] = input[i];
      this.stream.step(this.sample, this.sample);
      output[i] = this.sample[0];
    }
    return true;
  }
}

registerProcessor('amp', Amp);
