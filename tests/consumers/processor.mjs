import { createModelSync } from 'gru-wasm/worklet';
import { failed, input, told } from './model.mjs';

class Gru extends AudioWorkletProcessor {
  constructor({ processorOptions: { core, spec } }) {
    super();
    this.port.postMessage(this.report(core, spec));
  }

  report(core, spec) {
    try {
      const model = createModelSync(core, spec);
      return told('worklet', [model.backend], [model.run(input).output.data]);
    } catch (error) {
      return failed('worklet', error);
    }
  }

  process() {
    return false;
  }
}

registerProcessor('gru', Gru);
