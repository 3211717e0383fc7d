// Prints the words of a recording as they are heard:
//
//     node main.js [file.wav]
//     arecord -q -t raw -f S16_LE -r 16000 | node main.js -      # raw samples on stdin
import { readFile } from 'node:fs/promises';
import { loadModel } from 'gru-wasm';
import { createSpotter } from './spotter.js';
import { fromPcm, readWav } from './wav.js';

const here = (name) => new URL(name, import.meta.url);
const source = process.argv[2] ?? here('sample.wav');

const model = await loadModel(here('keywords.safetensors'));
const spotter = createSpotter(model);
function hear(samples) {
  for (const { word, time, score } of spotter.hear(samples)) {
    console.log(`${time.toFixed(2).padStart(7)} s  ${word.padEnd(5)}  ${score.toFixed(2)}`);
  }
}

if (source === '-') {
  let odd = Buffer.alloc(0);
  for await (const chunk of process.stdin) {
    const bytes = Buffer.concat([odd, chunk]);
    const whole = bytes.length & ~1;
    hear(fromPcm(bytes.subarray(0, whole)));
    odd = bytes.subarray(whole);
  }
} else {
  try {
    hear(readWav(await readFile(source)));
  } catch (error) {
    console.error(`${source}: ${error.message}`);
    process.exitCode = 1;
  }
}
