import { loadModel } from 'gru-wasm';
import { compileForWorklet } from 'gru-wasm/worklet';
import { phrase, RATE } from './phrase.js';

const byId = (id) => document.getElementById(id);
const say = (text) => (byId('status').textContent = text);

const model = await loadModel('amp.safetensors');
const processorOptions = { core: await compileForWorklet(), spec: model.spec };

/** source -> drive -> the GRU, or past it */
async function build(context) {
  await context.audioWorklet.addModule('processor.js');
  const buffer = context.createBuffer(1, phrase.length, RATE);
  buffer.copyToChannel(phrase, 0);
  const source = new AudioBufferSourceNode(context, { buffer, loop: true });
  const drive = new GainNode(context, { gain: Number(byId('drive').value) });
  const amp = new AudioWorkletNode(context, 'amp', { processorOptions, channelCount: 1, channelCountMode: 'explicit' });
  amp.onprocessorerror = () => say('the processor failed: see the console');
  source.connect(drive).connect(amp);
  return { source, drive, amp };
}

let playing;
byId('play').addEventListener('click', async () => {
  if (playing) {
    await playing.context.close();
    playing = undefined;
    byId('play').textContent = 'Play';
    return;
  }
  const context = new AudioContext({ sampleRate: RATE });
  playing = { context, ...(await build(context)) };
  route();
  playing.source.start();
  byId('play').textContent = 'Stop';
});

function route() {
  if (!playing) return;
  const { context, drive, amp } = playing;
  drive.gain.value = Number(byId('drive').value);
  amp.disconnect();
  drive.disconnect();
  drive.connect(amp);
  (byId('effect').checked ? amp : drive).connect(context.destination);
}

/** 25 ms of the first note as it comes out of the same processor, ahead of time. */
async function draw() {
  const [from, length] = [0.1 * RATE, 0.025 * RATE];
  const context = new OfflineAudioContext(1, from + length, RATE);
  const { source, amp } = await build(context);
  amp.connect(context.destination);
  source.start();
  const wet = (await context.startRendering()).getChannelData(0).subarray(from);
  const dry = phrase.subarray(from, from + length);

  const canvas = byId('scope');
  const pen = canvas.getContext('2d');
  pen.clearRect(0, 0, canvas.width, canvas.height);
  pen.lineWidth = 2;
  for (const [samples, colour] of [
    [dry, '#bbb'],
    [wet, '#c33'],
  ]) {
    const peak = samples.reduce((most, x) => Math.max(most, Math.abs(x)), 1e-9);
    pen.strokeStyle = colour;
    pen.beginPath();
    samples.forEach((x, i) => pen.lineTo((i / length) * canvas.width, (0.5 - (0.45 * x) / peak) * canvas.height));
    pen.stroke();
  }
}

byId('effect').addEventListener('change', route);
byId('drive').addEventListener('input', route);
byId('drive').addEventListener('change', draw);
await draw();
say(`ready: ${model.backend}`);
