import { createModel, type GruModel, loadModel } from 'gru-wasm';
import tables from '../../examples/g2p/tables.json';
import decoderFile from '../../examples/g2p/decoder.safetensors?url';
import encoderFile from '../../examples/g2p/encoder.safetensors?url';

/** A word, read and spoken: the encoder's hidden values at each letter, forward then backward, and the decoder's at each phoneme. */
export interface Reading {
  letters: string[];
  /** What the word holds that the model has never seen, each once. */
  unknown: string[];
  phonemes: string[];
  /** One row a letter. */
  encoder: Float32Array[];
  /** One row a phoneme, the end included. */
  decoder: Float32Array[];
  milliseconds: number;
}

/** What a heat map can show of the encoder. */
export const LOOKS = {
  h: 'hidden state',
  z: 'update gate z',
  r: 'reset gate r',
  candidate: 'candidate',
} as const;
export type Look = keyof typeof LOOKS;

export interface G2p {
  backend: string;
  read: (word: string) => Reading;
  /** The encoder's gates at each letter, one row a letter, forward then backward. */
  look: (word: string) => Promise<Record<Look, Float32Array[]>>;
}

/** Rows of a result of one sequence. */
function rowsOf({ data, shape }: { data: Float32Array; shape: readonly number[] }): Float32Array[] {
  const size = shape.at(-1)!;
  return Array.from({ length: data.length / size }, (_, t) => data.slice(t * size, (t + 1) * size));
}

async function fetched(url: string): Promise<GruModel> {
  const response = await fetch(url);
  return loadModel(response);
}

/** The demo model of examples/g2p. */
export async function loadG2p(): Promise<G2p> {
  const [encoder, decoder] = await Promise.all([fetched(encoderFile), fetched(decoderFile)]);
  // The same encoder, with the hidden values at each letter as a second output.
  const [recurrent] = encoder.spec.layers.filter(({ type }) => type === 'gru');
  const inside = await createModel({
    ...encoder.spec,
    layers: encoder.spec.layers
      .map((layer) => (layer === recurrent ? { ...layer, returns: 'sequence' as const } : layer))
      .slice(0, 2),
    outputs: [{ name: 'hidden', from: recurrent!.name }],
  });
  const stream = decoder.createStream();
  const logits = new Float32Array(tables.phonemes.length);

  const spell = (word: string) => {
    const isKnown = (letter: string) => tables.graphemes.indexOf(letter, 1) > 0;
    const all = Array.from(word.toLowerCase());
    const letters = all.filter(isKnown);
    const unknown = [...new Set(all.filter((letter) => !isKnown(letter)))];
    return { letters, unknown, ids: Int32Array.from(letters, (letter) => tables.graphemes.indexOf(letter, 1)) };
  };

  const read = (word: string): Reading => {
    const start = performance.now();
    const { letters, unknown, ids } = spell(word);
    if (ids.length === 0) return { letters, unknown, phonemes: [], encoder: [], decoder: [], milliseconds: 0 };
    stream.hiddenState = encoder.run(ids).output.data;
    const phonemes: string[] = [];
    const states: Float32Array[] = [];
    for (let phoneme = tables.special.bos; phonemes.length < tables.max_steps;) {
      stream.step(phoneme, logits);
      states.push(Float32Array.from(stream.hiddenState));
      phoneme = logits.indexOf(Math.max(...logits));
      if (phoneme === tables.special.eos) break;
      phonemes.push(tables.phonemes[phoneme]!);
    }
    const milliseconds = performance.now() - start;
    return { letters, unknown, phonemes, encoder: rowsOf(inside.run(ids).output), decoder: states, milliseconds };
  };

  const look = async (word: string): Promise<Record<Look, Float32Array[]>> => {
    const { letters, ids } = spell(word);
    const directions = ['forward', 'reverse'] as const;
    const [forward, reverse] = await Promise.all(
      directions.map((direction) => encoder.trace(ids, { layer: recurrent!.name, direction })),
    );
    const rows = (name: Look) => {
      const [before, after] = [rowsOf(forward![name]!), rowsOf(reverse![name]!)];
      return letters.map((_, t) => Float32Array.of(...before[t]!, ...after[t]!));
    };
    return { h: rows('h'), z: rows('z'), r: rows('r'), candidate: rows('candidate') };
  };
  return { read, look, backend: encoder.backend };
}
