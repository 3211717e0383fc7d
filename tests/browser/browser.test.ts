import { build } from 'esbuild';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { ModelOptions } from '../../ts/api/options.ts';
import { loadModel } from '../../ts/index.ts';
import { expectClose, numbers } from '../facade/helpers.ts';
import { LONG_RUN, SAME_BITS } from '../tolerances.ts';
import { type BrowserName, Visit } from './harness.ts';
import type { Tasks } from './page.ts';

type Answer<T extends keyof Tasks> = Awaited<ReturnType<Tasks[T]>>;

const file = (name: string) => new URL(`../../examples/${name}`, import.meta.url);
const ENCODER = 'g2p/encoder.safetensors';
const DECODER = 'g2p/decoder.safetensors';
const AMP = 'audio/amp.safetensors';
/** The keywords of examples/keywords/sample.wav. */
const SAID = ['yes', 'stop', 'left', 'go'];
const IDS = Array.from({ length: 20 }, (_, t) => 1 + ((5 * t) % 26));
const SAMPLES = numbers(128 * 24, 3, 0.8);

/** What Node's baseline build gives. */
async function inNode() {
  using encoder = await loadModel(file(ENCODER), { deterministic: true });
  using decoder = await loadModel(file(DECODER), { deterministic: true });
  using amp = await loadModel(file(AMP), { deterministic: true });
  using stream = amp.createStream();
  const streamed: number[] = [];
  for await (const y of decoder.stream(IDS)) streamed.push(...y);
  return {
    run: encoder.run(IDS).output.data,
    stream: streamed,
    audio: SAMPLES.map((x) => stream.step(Float32Array.of(x))[0]!),
  };
}

describe.each<BrowserName>(['chromium', 'firefox'])('%s', (name) => {
  let visit: Visit;
  let expected: Awaited<ReturnType<typeof inNode>>;
  beforeAll(async () => {
    [visit, expected] = await Promise.all([Visit.start(name), inNode()]);
  });
  afterAll(async () => {
    await (visit as Visit | undefined)?.stop();
  });

  test.each<[string, ModelOptions, typeof SAME_BITS]>([
    ['wasm-baseline', { deterministic: true }, SAME_BITS],
    ['wasm-relaxed', {}, { atol: 1e-5, rtol: 1e-5 }],
    ['js', { backend: 'js' }, SAME_BITS],
  ])('%s in a page: run, and a stream through Web Streams', async (backend, options, tolerance) => {
    const run = await visit.call<Answer<'run'>>('run', `/examples/${ENCODER}`, IDS, options);
    expect(run.backend).toBe(backend);
    expectClose(Float32Array.from(run.output), expected.run, tolerance, 'run');
    const stream = await visit.call<Answer<'stream'>>('stream', `/examples/${DECODER}`, IDS, options);
    expect(stream.backend).toBe(backend);
    expectClose(Float32Array.from(stream.output), expected.stream, tolerance, 'stream');
  });

  test.each([
    ['wasm-baseline', true, SAME_BITS],
    ['wasm-relaxed', false, LONG_RUN],
  ])('%s in an AudioWorkletProcessor', async (backend, deterministic, tolerance) => {
    const audio = await visit.call<Answer<'audio'>>('audio', `/examples/${AMP}`, [...SAMPLES], deterministic);
    expect(audio.error).toBeUndefined();
    expect(audio.backend).toBe(backend);
    // Else this test would not show that the library does without them.
    expect(audio.missing).toEqual(expect.arrayContaining(['TextDecoder', 'performance', 'setTimeout', 'fetch']));
    expectClose(Float32Array.from(audio.output), expected.audio, tolerance);
  });

  test('the page of examples/audio', async () => {
    const status = await visit.open<string>(
      '/examples/audio/index.html',
      'document.getElementById("status").textContent',
    );
    expect(status).toBe('ready: wasm-relaxed');
  });

  test('the page of examples/keywords hears its sample in the audio thread', async () => {
    const heard = await visit.open<string>(
      '/examples/keywords/index.html',
      'document.getElementById("status").textContent && document.getElementById("heard").textContent',
    );
    expect(heard.match(/[a-z]+/g)).toEqual(SAID);
    expect(await visit.until('document.getElementById("status").textContent')).toBe('ready: wasm-relaxed');
  });

  // Headless Firefox has no microphone that hears a file.
  (name === 'chromium' ? test : test.skip)('the page of examples/keywords listens to a microphone', async () => {
    await visit.open('/examples/keywords/index.html', 'document.getElementById("status").textContent');
    await visit.click('#listen');
    // The recording comes round and round, from anywhere in it and as the browser resamples it.
    await visit.until(`/${SAID.join('.*')}/.test(document.getElementById("words").textContent)`);
  });

  // Firefox has no way to tell. A processor that asks for new arrays shows that the measure sees them.
  const inChromium = name === 'chromium' ? test : undefined;
  inChromium?.each([
    ['none, with out', false],
    ['a Float32Array a sample, without', true],
  ])('allocation in process(): %s', async (_, wasteful) => {
    const heap = await visit.workletHeap();
    // A quantum is one call: after 2000 of them V8 has not compiled all of it, and a few thousand bytes are its own.
    const told = await visit.call<Answer<'hold'>>('hold', `/examples/${AMP}`, 20_000, 2000, wasteful);
    expect(told.error).toBeUndefined();
    const before = await heap();
    await visit.call('goOn', false);
    const grown = (await heap()) - before;
    await visit.call('goOn', true);
    if (wasteful) expect(Math.abs(grown)).toBeGreaterThan(100_000);
    else expect(grown).toBe(0);
  });
});

test('bundled, createModelSync brings along nothing that an audio thread lacks', async () => {
  const { outputFiles } = await build({
    stdin: {
      contents: "export { createModelSync } from './dist/worklet.js'",
      resolveDir: fileURLToPath(new URL('../..', import.meta.url)),
    },
    bundle: true,
    minify: true,
    format: 'esm',
    external: ['node:*'],
    write: false,
  });
  const { text } = outputFiles[0]!;
  expect(text).not.toMatch(/\b(atob|TextDecoder|performance|setTimeout|fetch)\b|import\((?!\))/);
});
