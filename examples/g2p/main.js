// Words to phonemes, and how fast: `npm start -- any words`
import { loadG2p } from './g2p.js';

const DEFAULT_WORDS = ['gated', 'recurrent', 'units', 'turn', 'letters', 'into', 'phonemes'];
const words = process.argv.length > 2 ? process.argv.slice(2) : DEFAULT_WORDS;

const wasm = await loadG2p();
const js = await loadG2p({ backend: 'js' });

const width = Math.max(...words.map((word) => word.length));
try {
  for (const word of words) console.log(`${word.padEnd(width)}  ${wasm.toPhonemes(word).join(' ')}`);
} catch (error) {
  console.error(error.message);
  process.exit(1);
}

/** Words a second, best of the rounds; the engines take turns. */
const speeds = [wasm, js].map(({ toPhonemes, backend }) => ({ toPhonemes, backend, best: 0 }));
for (let round = 0; round < 5; round++) {
  for (const engine of speeds) {
    const start = performance.now();
    let count = 0;
    do {
      for (const word of words) engine.toPhonemes(word);
      count += words.length;
    } while (performance.now() - start < 200);
    engine.best = Math.max(engine.best, (1000 * count) / (performance.now() - start));
  }
}
console.log();
const [fast, slow] = speeds;
for (const { backend, best } of speeds) console.log(`${backend.padEnd(13)} ${best.toFixed(0).padStart(7)} words/s`);
console.log(`${fast.backend} is ${(fast.best / slow.best).toFixed(1)} times as fast as ${slow.backend}`);
