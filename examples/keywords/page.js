import { loadModel } from 'gru-wasm';
import { compileForWorklet } from 'gru-wasm/worklet';
import { FRAME, HOP, RATE } from './features.js';
import { LABELS } from './spotter.js';
import { readWav } from './wav.js';

const byId = (id) => document.getElementById(id);
const say = (text) => (byId('status').textContent = text);
const colour = (label) => (label < 2 ? '#bbb' : `hsl(${(label - 2) * 36} 65% 45%)`);

const model = await loadModel('keywords.safetensors');
const processorOptions = { core: await compileForWorklet(), spec: model.spec };
const sample = readWav(new Uint8Array(await (await fetch('sample.wav')).arrayBuffer()));

/** What `from(context)` gives, heard by the spotter in the audio thread. */
async function listen(context, from, heard) {
  await context.audioWorklet.addModule('processor.js');
  const node = new AudioWorkletNode(context, 'spotter', {
    processorOptions,
    channelCount: 1,
    channelCountMode: 'explicit',
  });
  node.onprocessorerror = () => say('the processor failed: see the console');
  node.port.onmessage = ({ data }) => heard(data);
  from(context).connect(node).connect(context.destination); // it gives silence, but what leads nowhere is not run
}

function sampleOf(context) {
  const buffer = context.createBuffer(1, sample.length, RATE);
  buffer.copyToChannel(sample, 0);
  const source = new AudioBufferSourceNode(context, { buffer });
  source.start();
  return source;
}

const bars = LABELS.map((name, label) => {
  const row = byId('bars').insertRow();
  row.insertCell().textContent = name;
  const bar = row.insertCell().appendChild(document.createElement('div'));
  bar.style.background = colour(label);
  return bar;
});

function show({ scores, spotted }) {
  scores?.forEach((score, label) => (bars[label].style.width = `${100 * score}%`));
  if (spotted) byId('words').append(`${spotted.word} `);
}

let live;
/** Starts what a button is for, or ends it. */
async function toggle(button, start) {
  const before = live;
  live = undefined;
  before?.close();
  if (before?.button === button) return;
  const context = new AudioContext({ sampleRate: RATE });
  live = { button, close: () => context.close() };
  byId('words').textContent = '';
  try {
    await start(context, live);
  } catch (error) {
    say(`${error.name}: ${error.message}`);
    await context.close();
    live = undefined;
  }
}

byId('listen').addEventListener('click', ({ target }) =>
  toggle(target, async (context, mine) => {
    // Noise suppression takes the noise that it was trained in, and some of the word.
    const audio = { channelCount: 1, noiseSuppression: false, echoCancellation: false };
    const microphone = await navigator.mediaDevices.getUserMedia({ audio });
    mine.close = () => {
      microphone.getTracks().forEach((track) => track.stop());
      return context.close();
    };
    await listen(context, () => context.createMediaStreamSource(microphone), show);
    say('listening');
  }),
);

byId('play').addEventListener('click', ({ target }) =>
  toggle(target, async (context) => {
    await listen(context, sampleOf, show);
    sampleOf(context).connect(context.destination);
    say('playing');
  }),
);

/** The sample, ahead of time through the same processor: its scores over time, and the words. */
function draw(rows, words) {
  const canvas = byId('scores');
  const pen = canvas.getContext('2d');
  const x = (time) => (time * RATE * canvas.width) / sample.length;
  const y = (score) => canvas.height * (0.97 - 0.8 * score);
  pen.lineWidth = 2;
  for (let label = 0; label < LABELS.length; label++) {
    pen.strokeStyle = colour(label);
    pen.beginPath();
    for (const { scores, time } of rows) pen.lineTo(x(time), y(scores[label]));
    pen.stroke();
  }
  pen.font = '28px system-ui, sans-serif';
  for (const { word, time } of words) {
    pen.fillStyle = colour(LABELS.indexOf(word));
    pen.fillText(word, x(time), 30);
  }
}

const context = new OfflineAudioContext(1, sample.length, RATE);
const rows = [];
const words = [];
// Messages may come after the samples: one a row of scores, the first of which takes a frame and each other two hops.
const expected = Math.floor((sample.length - FRAME) / (2 * HOP)) + 1;
const all = new Promise((resolve) => {
  void listen(context, sampleOf, ({ scores, time, spotted }) => {
    if (spotted) words.push(spotted);
    else if (rows.push({ scores, time }) === expected) setTimeout(resolve);
  }).then(() => context.startRendering());
});
await all;
draw(rows, words);
byId('heard').textContent = words.map(({ word, time }) => `${word} ${time.toFixed(2)}`).join(', ');
say(`ready: ${model.backend}`);
