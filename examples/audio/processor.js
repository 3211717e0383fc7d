// Runs in the audio thread. Import maps do not reach there, so the library is named by its path.
import { createModelSync } from '../../dist/worklet.js';

class Amp extends AudioWorkletProcessor {
  constructor({ processorOptions: { core, spec } }) {
    super();
    this.stream = createModelSync(core, spec).createStream();
    this.silence = new Float32Array(128);
  }

  process(inputs, outputs) {
    // The samples of a quantum are so many steps.
    this.stream.run(inputs[0][0] ?? this.silence, outputs[0][0]);
    return true;
  }
}

registerProcessor('amp', Amp);
