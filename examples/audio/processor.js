// Runs in the audio thread. Import maps do not reach there, so the library is named by its path.
import { createModelSync } from '../../dist/worklet.js';

class Amp extends AudioWorkletProcessor {
  constructor({ processorOptions: { core, spec } }) {
    super();
    this.stream = createModelSync(core, spec).createStream();
    this.silence = new Float32Array(4096);
  }

  process(inputs, outputs) {
    const [output] = outputs[0];
    // The samples of a quantum are so many steps.
    this.stream.run(inputs[0][0] ?? this.silence.subarray(0, output.length), output);
    // What is no number (of a filter that has gone unstable before this one) would stay in the state.
    if (!Number.isFinite(output.at(-1))) {
      this.stream.reset();
      output.fill(0);
    }
    return true;
  }
}

registerProcessor('amp', Amp);
