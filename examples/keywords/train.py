#!/usr/bin/env python3
"""Train the keyword spotter of this folder on words that espeak-ng speaks.

    apt-get install espeak-ng; pip install numpy scipy torch safetensors
    python3 train.py weights.safetensors
    node convert.js weights.safetensors        # -> keywords.safetensors, which gru-wasm loads

The network, on log-mel rows x[t] of 10 ms (features.js computes the same), gives scores every 20 ms:

    x -> BatchNorm -> causal Conv1d, stride 2 -> BatchNorm -> ReLU -> GRU -> Linear -> softmax

It learns from streams made anew for every step: words and sentences of many voices one after another, in noise and rooms.
A keyword is to be told from 40 ms before its end to 240 ms after it; up to there the rows of the word do not count, so that the
network may wait. All other speech is `unknown`, the rest `silence`; sentences hold no keyword.
"""
import sys
import time

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.torch import save_file

import augment
import speech
from speech import KEYWORDS, RATE

LABELS = ['silence', 'unknown', *KEYWORDS]
FRAME, HOP, FFT, BANDS = 400, 160, 512, 32
LOWEST, HIGHEST = 60, 7600
CHANNELS, TAPS, STRIDE, HIDDEN = 40, 5, 2, 48
SECONDS, BATCH, STEPS, LEARNING_RATE = 3.2, 24, 1300, 6e-3
IGNORED = -100


def mel_filters():
    """(257, 32): triangles that are evenly spaced in mel = 2595 log10(1 + f / 700)."""
    mel = np.linspace(*(2595 * np.log10(1 + f / 700) for f in (LOWEST, HIGHEST)), BANDS + 2)
    edges = 700 * (10 ** (mel / 2595) - 1)
    frequency = np.arange(FFT // 2 + 1)[:, None] * RATE / FFT
    rising = (frequency - edges[:-2]) / (edges[1:-1] - edges[:-2])
    falling = (edges[2:] - frequency) / (edges[2:] - edges[1:-1])
    return np.maximum(0, np.minimum(rising, falling))


def log_mel(x, dtype=torch.float32):
    """(..., samples) -> (..., frames, 32): frame t begins at sample 160 t; nothing is padded."""
    window = torch.hann_window(FRAME, dtype=torch.float64).to(dtype)
    spectrum = torch.fft.rfft(x.to(dtype).unfold(-1, FRAME, HOP) * window, n=FFT)
    power = spectrum.real ** 2 + spectrum.imag ** 2
    return torch.log(power @ torch.from_numpy(mel_filters()).to(dtype) + 1e-6)


class Spotter(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.input_norm = torch.nn.BatchNorm1d(BANDS)
        self.conv = torch.nn.Conv1d(BANDS, CHANNELS, TAPS, stride=STRIDE, bias=False)
        self.conv_norm = torch.nn.BatchNorm1d(CHANNELS)
        self.gru = torch.nn.GRU(CHANNELS, HIDDEN, batch_first=True)
        self.scores = torch.nn.Linear(HIDDEN, len(LABELS))

    def forward(self, x):
        x = self.input_norm(x.transpose(1, 2))
        x = self.conv_norm(self.conv(F.pad(x, (TAPS - 1, 0)))).relu()
        return self.scores(F.dropout(self.gru(x.transpose(1, 2))[0], 0.1, self.training))


def record(rng, accents, variants, others, sittings):
    """Clips by label: of each keyword, of other words (1), and of running speech."""
    clips = {label: [] for label in LABELS[1:]}
    running = []
    for variant in variants:
        for _ in range(sittings):
            sentences = [' '.join(rng.choice(others, rng.integers(4, 11))) + '.' for _ in range(4)]
            words, sentences = speech.speak(rng, accents, variant, others, sentences)
            for word, clip in words:
                clips[word if word in KEYWORDS else 'unknown'].append(clip)
            running += sentences
    return clips, running


def stream(rng, clips, running, length):
    """(samples, a label every 10 ms of the sample that a frame ends on)."""
    x = np.zeros(length)
    labels = np.zeros(length // HOP, np.int64)
    at = int(rng.uniform(0, 0.4) * RATE)
    while at < length:
        kind = rng.random()
        if kind < 0.6:
            label = LABELS[2 + rng.integers(len(KEYWORDS))]
        else:
            label = 'unknown'
        source = running if kind > 0.8 else clips[label]
        clip = augment.at_speed(source[rng.integers(len(source))], rng.uniform(0.9, 1.12))
        if kind > 0.8:
            clip = clip[rng.integers(len(clip) // 2):]
        clip = clip[:length - at] * 10 ** (rng.uniform(-4, 4) / 20)
        x[at:at + len(clip)] += clip
        start, end = at // HOP, (at + len(clip)) // HOP
        if label == 'unknown':
            labels[start:end] = 1
        else:
            labels[start:end + 4] = IGNORED
            labels[end - 4:end + 24] = LABELS.index(label)
        at += len(clip) + int(rng.uniform(0.3, 0.9) * RATE)
    return x, labels


def worsen(rng, x, running):
    if rng.random() < 0.3:
        x = augment.reverb(rng, x)
    level = augment.power(x) * rng.uniform(1, 2)  # pauses are in the power
    if rng.random() < 0.85:
        if rng.random() < 0.3:
            noise = augment.babble(rng, len(x), running, rng.integers(3, 8))
        else:
            noise = augment.coloured(rng, len(x), rng.uniform(0, 2))
        x = augment.add_noise(x, noise, level, rng.uniform(0, 30))
    x = x / np.abs(x).max() * 10 ** (rng.uniform(-35, -1) / 20)
    return np.round(x * 32767) / 32768


def make(rng, clips, running):
    length = int(SECONDS * RATE)
    streams = [stream(rng, clips, running, length) for _ in range(BATCH)]
    x = log_mel(torch.tensor(np.stack([worsen(rng, x, running) for x, _ in streams]), dtype=torch.float32))
    # A score is of the frame that it ends with: frame t ends on sample 160 t + 400.
    frames = np.arange(0, x.shape[1], STRIDE)
    labels = np.stack([labels[np.minimum(frames + FRAME // HOP, len(labels) - 1)] for _, labels in streams])
    return x, torch.from_numpy(labels)


def main():
    torch.set_num_threads(1)
    torch.manual_seed(1)
    rng = np.random.default_rng(1)
    start = time.time()
    clips, running = record(rng, speech.TRAIN_ACCENTS, speech.variants(), speech.TRAIN_OTHERS, 4)
    dev_rng = np.random.default_rng(2)
    dev_clips = record(dev_rng, speech.TRAIN_ACCENTS, speech.DEV_VARIANTS, speech.TRAIN_OTHERS, 2)
    dev = [make(dev_rng, *dev_clips) for _ in range(10)]
    print(f'{sum(map(len, clips.values()))} words, {len(running)} sentences, {time.time() - start:.0f} s', flush=True)

    model = Spotter()
    optimizer = torch.optim.AdamW(model.parameters(), lr=LEARNING_RATE, weight_decay=1e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=LEARNING_RATE, total_steps=STEPS, pct_start=0.1)
    losses = []
    for step in range(1, STEPS + 1):
        x, labels = make(rng, clips, running)
        loss = F.cross_entropy(model(x).flatten(0, 1), labels.flatten(), ignore_index=IGNORED)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1)
        optimizer.step()
        schedule.step()
        losses.append(loss.item())
        if step % 100 == 0:
            model.eval()
            with torch.no_grad():
                rows = [(model(x).argmax(-1), labels) for x, labels in dev]
            model.train()
            hits = torch.cat([(best == labels)[labels > 1] for best, labels in rows]).float().mean()
            false = torch.cat([(best > 1)[(labels == 0) | (labels == 1)] for best, labels in rows]).float().mean()
            print(f'step {step}: loss {np.mean(losses[-100:]):.4f}; held-out voices: {100 * hits:.1f} % of the rows of keywords right, '
                  f'{100 * false:.2f} % of the others taken for one; {time.time() - start:.0f} s', flush=True)
            save_file(model.state_dict(), sys.argv[1])


if __name__ == '__main__':
    main()
