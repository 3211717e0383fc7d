import { readFile } from 'node:fs/promises';
import { loadModel } from 'gru-wasm';

/**
 * Loads the grapheme-to-phoneme model: a bidirectional GRU (or LSTM) reads the letters, a second one writes the phonemes.
 *
 * @param {import('gru-wasm').LoadOptions} [options]
 * @param {URL} [folder] where convert.js has put a model
 * @returns a function from a word (letters a-z and the apostrophe) to its ARPAbet phonemes
 */
export async function loadG2p(options, folder = new URL('.', import.meta.url)) {
  const here = (name) => new URL(name, folder);
  const { graphemes, phonemes, special, max_steps } = JSON.parse(await readFile(here('tables.json'), 'utf8'));
  const encoder = await loadModel(here('encoder.safetensors'), options);
  const decoder = await loadModel(here('decoder.safetensors'), options);
  const stream = decoder.createStream();
  const logits = new Float32Array(phonemes.length);

  /** @type {(word: string) => string[]} */
  const toPhonemes = (word) => {
    const letters = Array.from(word.toLowerCase(), (letter) => graphemes.indexOf(letter, 1));
    if (letters.length === 0 || letters.includes(-1)) {
      throw new RangeError(`'${word}': this model reads the letters a-z and the apostrophe`);
    }
    stream.hiddenState = encoder.run(letters).output.data;
    const result = [];
    for (let phoneme = special.bos; result.length < max_steps; result.push(phonemes[phoneme])) {
      stream.step(phoneme, logits);
      phoneme = logits.indexOf(Math.max(...logits));
      if (phoneme === special.eos) break;
    }
    return result;
  };
  return { toPhonemes, backend: encoder.backend };
}
