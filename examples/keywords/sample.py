#!/usr/bin/env python3
"""The recording of the example, of two voices that train.py never hears, and what the tests compare with it:

    python3 sample.py weights.safetensors sample.wav ../../tests/fixtures/keywords/recorded.safetensors
"""
import sys
import wave

import numpy as np
import torch
from safetensors.torch import load_file, save_file

import augment
import speech
from testset import write
from train import Spotter, log_mel

SAID = ['Annie', 'yes'], ['michael', 'window'], ['Annie', 'stop'], ['michael', 'left'], ['Annie', 'yesterday'], ['michael', 'go']


def main():
    weights, wav, recorded = sys.argv[1:]
    rng = np.random.default_rng(5)
    gap = np.zeros(int(0.33 * speech.RATE))
    clips = [speech.say(word, 'en-us-nyc', variant, 150, 50) for variant, word in SAID]
    pieces = [gap, *(part for clip in clips for part in [*speech.parts(clip, 0.2), gap])]
    ends = np.cumsum([len(piece) for piece in pieces])[1::2] / speech.RATE
    x = np.concatenate(pieces)
    write(wav, augment.add_noise(x, augment.coloured(rng, len(x), 1), augment.power(x), 25))

    with wave.open(wav) as file:
        x = torch.from_numpy(np.frombuffer(file.readframes(file.getnframes()), '<i2') / 32768)
    model = Spotter()
    model.load_state_dict(load_file(weights))
    model.eval()
    with torch.no_grad():
        features = log_mel(x, torch.float64)
        scores = model.double()(features[None])[0].softmax(-1)
    ends = torch.tensor([end for end, (_, word) in zip(ends, SAID) if word in speech.KEYWORDS])
    save_file({'features': features[:100].float(), 'scores': scores.float(), 'ends': ends.float()}, recorded)


if __name__ == '__main__':
    main()
