"""What happens to speech on its way: noise, rooms, gains, speeds."""
import numpy as np

RATE = 16000


def power(x):
    return float(np.mean(x * x)) + 1e-12


def coloured(rng, length, slope):
    """Noise of a power density of 1 / f^slope: 0 is white, 1 pink; its level moves slowly in half the cases."""
    bins = length // 2 + 1
    spectrum = rng.normal(size=bins) + 1j * rng.normal(size=bins)
    frequency = np.maximum(np.arange(bins) * RATE / length, 20)
    x = np.fft.irfft(spectrum * frequency ** (-slope / 2), length)
    if rng.random() < 0.5:
        points = rng.uniform(0.2, 1, max(2, length // (RATE // 2)))
        x *= np.interp(np.linspace(0, len(points) - 1, length), np.arange(len(points)), points)
    return x


def babble(rng, length, running, voices=5):
    """Several voices at once."""
    x = np.zeros(length)
    for _ in range(voices):
        at = 0
        while at < length:
            clip = running[rng.integers(len(running))]
            clip = clip[rng.integers(len(clip) // 2):][:length - at]
            x[at:at + len(clip)] += clip * 0.1 / np.sqrt(power(clip))
            at += len(clip)
    return x


def add_noise(x, noise, speech_power, snr):
    return x + noise * np.sqrt(speech_power / power(noise) / 10 ** (snr / 10))


def reverb(rng, x):
    """A room: a direct sound and a decaying tail of noise, 0.1 to 0.5 s to -60 dB."""
    seconds = rng.uniform(0.1, 0.5)
    length = int(seconds * RATE)
    tail = rng.normal(size=length) * 10 ** (-3 * np.arange(length) / length)
    tail *= np.sqrt(10 ** (-rng.uniform(3, 15) / 10) / np.sum(tail * tail))
    tail[0] = 1
    size = 1 << (len(x) + length - 1).bit_length()
    return np.fft.irfft(np.fft.rfft(x, size) * np.fft.rfft(tail, size), size)[:len(x)]


def at_speed(x, speed):
    """Faster and higher, or slower and lower."""
    return np.interp(np.arange(0, len(x) - 1, speed), np.arange(len(x)), x).astype(np.float32)
