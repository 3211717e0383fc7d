#!/usr/bin/env python3
"""Recordings to score the spotter on, of voices (and, but for the development set, accents and other words) that train.py never hears.

    python3 testset.py test FOLDER       # or dev: what the threshold was chosen on
    node evaluate.js FOLDER

Sets: `clean`, `20 dB`, `10 dB`, `5 dB` of words 0.8 s apart, keywords and others, the same speech in each, in white noise, pink noise or
babble; `running speech` without keywords; `noise` alone.
"""
import json
import sys
import wave
from pathlib import Path

import numpy as np

import augment
import speech
from speech import RATE


def write(path, x):
    with wave.open(str(path), 'wb') as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes(np.round(x / np.abs(x).max() * 0.5 * 32767).astype('<i2').tobytes())


def lay_out(words):
    """(samples, [{word, start, end}] in seconds, the power of the speech alone)."""
    gap = np.zeros(int(0.8 * RATE), np.float32)
    pieces, marks, at = [gap], [], len(gap)
    for word, clip in words:
        marks.append({'word': word, 'start': at / RATE, 'end': (at + len(clip)) / RATE})
        pieces += [clip, gap]
        at += len(clip) + len(gap)
    return np.concatenate(pieces), marks, augment.power(np.concatenate([clip for _, clip in words]))


def noise(rng, kind, length, running):
    return augment.babble(rng, length, running) if kind == 'babble' else augment.coloured(rng, length, {'white': 0, 'pink': 1}[kind])


def main():
    which, folder = sys.argv[1], Path(sys.argv[2])
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(3 if which == 'test' else 4)
    variants, accents, others = {
        'test': (speech.TEST_VARIANTS, speech.TEST_ACCENTS, speech.TEST_OTHERS),
        'dev': (speech.DEV_VARIANTS, speech.TRAIN_ACCENTS, speech.TRAIN_OTHERS),
    }[which]
    listed = []

    def keep(name, group, x, words=()):
        write(folder / f'{name}.wav', x)
        listed.append({'file': f'{name}.wav', 'set': group, 'seconds': len(x) / RATE, 'words': list(words)})

    sittings = [(variant, *speech.speak(rng, accents, variant, others, [speech.PASSAGE])) for variant in variants for _ in range(2)]
    running = [clip for _, _, sentences in sittings for clip in sentences]
    for number, (variant, words, sentences) in enumerate(sittings):
        name = f'{variant}-{number}'
        if not words:
            continue
        keep(f'{name}-running', 'running speech', np.concatenate(sum(([clip, np.zeros(RATE // 3)] for clip in sentences), [])))
        x, marks, power = lay_out(words)
        keep(f'{name}-clean', 'clean', x, marks)
        kind = ['white', 'pink', 'babble'][number % 3]
        for snr in (20, 10, 5):
            keep(f'{name}-{snr}', f'{snr} dB', augment.add_noise(x, noise(rng, kind, len(x), running), power, snr), marks)
    for kind in ('white', 'pink', 'babble'):
        for part in range(10):
            keep(f'{kind}-{part}', 'noise', noise(rng, kind, 120 * RATE, running))
    (folder / 'list.json').write_text(json.dumps(listed))


if __name__ == '__main__':
    main()
