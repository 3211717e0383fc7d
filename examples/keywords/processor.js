// Runs in the audio thread. Import maps do not reach there, so the library is named by its path.
import { createModelSync } from '../../dist/worklet.js';
import { createSpotter } from './spotter.js';

class Spotter extends AudioWorkletProcessor {
  constructor({ processorOptions: { core, spec } }) {
    super();
    const onRow = (scores, time) => this.port.postMessage({ scores: scores.slice(), time });
    this.spotter = createSpotter(createModelSync(core, spec), { onRow });
  }

  process([[samples]]) {
    if (samples) for (const spotted of this.spotter.hear(samples)) this.port.postMessage({ spotted });
    return true;
  }
}

registerProcessor('spotter', Spotter);
