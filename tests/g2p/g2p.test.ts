import { readFileSync } from 'node:fs';
import { beforeAll, describe, expect, test } from 'vitest';
import { loadG2p } from '../../examples/g2p/g2p.js';
import { parseSafetensors } from '../../ts/io/safetensors.ts';
import type { GruModel } from '../../ts/api/model.ts';
import { BACKENDS } from '../backends.ts';
import { expectClose } from '../facade/helpers.ts';
import { G2P_RECORDED } from '../tolerances.ts';

const root = new URL('../../', import.meta.url);
const read = (path: string) => readFileSync(new URL(path, root));

describe('the example', () => {
  const { words } = JSON.parse(read('tests/fixtures/g2p/expected.json').toString()) as {
    words: { word: string; phonemes: string }[];
  };

  test.each([{ backend: 'wasm', deterministic: true }, { backend: 'wasm' }, { backend: 'js' }] as const)(
    'gives the recorded phonemes of all 300 words: %o',
    async (options) => {
      const { toPhonemes, backend } = await loadG2p(options);
      expect(backend).toContain(options.backend);
      expect(words.length).toBe(300);
      expect(Object.fromEntries(words.map(({ word }) => [word, toPhonemes(word).join(' ')]))).toEqual(
        Object.fromEntries(words.map(({ word, phonemes }) => [word, phonemes])),
      );
    },
  );

  test('names a word that it cannot read', async () => {
    const { toPhonemes } = await loadG2p();
    expect(() => toPhonemes('naïve')).toThrow(/'naïve'/);
    expect(() => toPhonemes('')).toThrow(/letters/);
  });
});

describe.each(BACKENDS)('layer by layer on $name', ({ api }) => {
  const { tensors } = parseSafetensors(read('tests/fixtures/g2p/io.safetensors'));
  const floats = (name: string) => tensors.get(name)!.floats();
  const ints = (name: string) => tensors.get(name)!.ints();
  let encoder: GruModel;
  let decoder: GruModel;

  beforeAll(async () => {
    const model = await api.loadModel(read('examples/g2p/encoder.safetensors'));
    encoder = await api.createModel({ ...model.spec, outputs: ['encoder:sequence', 'encoder', 'bridge'] });
    const second = await api.loadModel(read('examples/g2p/decoder.safetensors'));
    decoder = await api.createModel({ ...second.spec, outputs: ['decoder', 'output'] });
  });

  test('every recorded value is within 1e-5', () => {
    const [letters, phonemes] = [ints('encoder_tokens'), ints('decoder_tokens')];
    const [letterCounts, phonemeCounts] = [ints('encoder_lengths'), ints('decoder_lengths')];
    const [words, longest] = tensors.get('encoder_tokens')!.shape as [number, number];
    const mostPhonemes = tensors.get('decoder_tokens')!.shape[1]!;
    const forward = floats('encoder_forward_outputs');
    const backward = floats('encoder_backward_outputs');
    const states = floats('decoder_states');
    const logits = floats('decoder_logits');
    const close = (got: Float32Array, want: Float32Array, what: string) => {
      expectClose(got, want, G2P_RECORDED, what);
    };
    for (let w = 0; w < words; w++) {
      const [steps, outSteps] = [letterCounts[w]!, phonemeCounts[w]!];
      const { outputs, states: final } = encoder.run(letters.slice(w * longest, w * longest + steps));
      const sequence = outputs['encoder:sequence']!.data;
      for (let t = 0; t < steps; t++) {
        const row = (w * longest + t) * 128;
        close(sequence.subarray(t * 256, t * 256 + 128), forward.subarray(row, row + 128), `forward ${w} ${t}`);
        close(sequence.subarray(t * 256 + 128, t * 256 + 256), backward.subarray(row, row + 128), `backward ${w} ${t}`);
      }
      const last = [floats('encoder_forward_state'), floats('encoder_backward_state')].flatMap((state) => [
        ...state.subarray(w * 128, w * 128 + 128),
      ]);
      close(final['encoder']!.data, Float32Array.from(last), `final states ${w}`);
      expect(final['encoder']!.shape).toEqual([2, 128]);
      close(outputs['encoder']!.data, Float32Array.from(last), `merged states ${w}`);
      const initial = floats('decoder_initial_state').subarray(w * 320, w * 320 + 320);
      close(outputs['bridge']!.data, initial, `bridge ${w}`);

      const decoded = decoder.run(phonemes.slice(w * mostPhonemes, w * mostPhonemes + outSteps), {
        initialStates: initial,
      }).outputs;
      const rows = (all: Float32Array, size: number) =>
        all.subarray(w * mostPhonemes * size, (w * mostPhonemes + outSteps) * size);
      close(decoded['decoder']!.data, rows(states, 320), `decoder states ${w}`);
      close(decoded['output']!.data, rows(logits, 72), `logits ${w}`);
    }
  });
});
