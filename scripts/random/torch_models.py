"""Modules of random PyTorch layers around recurrent ones, by one of its ONNX exporters, and what onnxruntime makes of them: README.md."""

import contextlib
import io
import logging
import random
import warnings

import numpy as np
import onnxruntime
import torch
from results import arguments, make_all, tensor, write
from torch import nn
from torch.nn import functional as F

given = arguments(__doc__, "--dynamo")
warnings.filterwarnings("ignore")
logging.disable(logging.CRITICAL)
onnxruntime.set_default_logger_severity(4)

FUNCTIONS = [
    *(nn.ReLU, nn.Tanh, nn.Sigmoid, nn.GELU, nn.SiLU, nn.ELU, nn.LeakyReLU, nn.Softplus, nn.Hardtanh, nn.Hardswish, nn.Mish),
    *(nn.SELU, nn.CELU, nn.Softsign, nn.ReLU6, nn.Hardsigmoid, nn.LogSigmoid, nn.Tanhshrink, lambda: nn.GELU("tanh")),
    *(lambda: nn.Softmax(-1), lambda: nn.LogSoftmax(-1)),
]


class Value:
    """Where it is among the results; its steps: those of an input ('t', 'u'), others by another name, or none; its features."""

    def __init__(self, at, steps, size):
        self.at, self.steps, self.size = at, steps, size

    @property
    def kind(self):
        return self.steps, self.size


class Model(nn.Module):
    def __init__(self, seed):
        super().__init__()
        self.random = random.Random(seed)
        self.b, self.t = self.pick((0, 1), (0, 1), (0, 1), (1, 0))
        self.parts, self.made, self.calls = [], nn.ModuleList(), []
        self.inputs, self.values, self.lengths = {}, [], None
        self.sorted = self.chance(0.4)
        # All states of a recurrent module: to begin another with, and as outputs.
        self.hidden, self.ends = None, []

    def pick(self, *choices):
        return self.random.choice(choices)

    def chance(self, share):
        return self.random.random() < share

    def module(self, made):
        self.parts.append(type(made).__name__)
        self.made.append(made)
        return made

    def input(self, name, *axes):
        """An input of the exported graph, with its axes: names of dimensions and numbers."""
        self.inputs[name] = axes
        return Value(len(self.inputs) - 1, next((axis for axis in axes if axis in ("t", "u")), None), axes[-1])

    def rows(self, name, steps, *rest):
        return self.input(name, *((steps, "b") if self.b else ("b", steps)), *rest)

    def add(self, function, inputs, steps, size):
        self.calls.append((function, [x.at for x in inputs]))
        self.values.append(Value(len(self.inputs) + len(self.calls) - 1, steps, size))
        return self.values[-1]

    def forward(self, *inputs):
        results = list(inputs)
        for function, reads in self.calls:
            results.append(function(*(results[at] for at in reads)))
        return tuple(results[value.at] for value in self.outputs)

    def channels(self, function):
        """(batch, features, steps) and back."""
        if self.b:
            return lambda x: function(x.permute(1, 2, 0)).permute(2, 0, 1)
        return lambda x: function(x.transpose(1, 2)).transpose(1, 2)

    def alike(self, x):
        return self.random.choice([y for y in self.values if y.kind == x.kind])

    def beside(self, x):
        return self.random.choice([y for y in self.values if y.steps == x.steps])

    def vector(self):
        """A late vector, or None."""
        return next((y for y in reversed(self.values) if y.steps is None), None)


def recurrent(m, x, kind=None, initial=None, shape=None):
    """A recurrent module and one of the values that people take of it."""
    if not x.steps:
        return
    kind = kind or m.pick("GRU", "GRU", "LSTM", "RNN")
    layers, ways, bias = m.pick(1, 1, 1, 2), m.pick(1, 1, 2), m.chance(0.85)
    size = m.pick(2, 3, 4)
    if shape:
        layers, ways, size = shape
    config = {"num_layers": layers, "bias": bias, "batch_first": not m.b, "bidirectional": ways == 2}
    if kind == "RNN":
        config["nonlinearity"] = m.pick("tanh", "relu")
    rnn = m.module(getattr(nn, kind)(x.size, size, **config))
    states = 2 if kind == "LSTM" else 1
    packed = m.lengths is not None and x.steps == "t" and m.chance(0.6)
    # What reads it: the module's result and its states, then lengths where there are.
    reads, begin = [x], lambda x: None
    if initial:
        reads.append(initial)
        begin = lambda x, h: (h, torch.zeros_like(h)) if states == 2 else h
    else:
        how = m.pick("none", "none", "none", "bridge", "learned", "zeros", "input")
        vector = m.vector()
        if how == "bridge" and vector:
            bridge = m.module(nn.Linear(vector.size, size * layers * ways))
            reads.append(vector)

            def begin(x, v):
                h = torch.tanh(bridge(v)).view(-1, layers * ways, size).transpose(0, 1).contiguous()
                return (h, torch.tanh(h)) if states == 2 else h

        elif how == "learned":
            h0 = nn.Parameter(torch.randn(layers * ways, 1, size))
            m.register_parameter(f"h0_{len(m.calls)}", h0)

            def begin(x):
                h = h0.expand(-1, x.size(m.b), -1).contiguous()
                return (h, h) if states == 2 else h

        elif how == "zeros":

            def begin(x):
                h = torch.zeros(layers * ways, x.size(m.b), size)
                return (h, h) if states == 2 else h

        elif how == "input" and not m.calls:
            reads += [m.input(name, layers * ways, "b", size) for name in ("h0", "c0")[:states]]
            begin = lambda x, *h: h if states == 2 else h[0]
    at = len(reads)
    if packed:
        reads.append(m.lengths)
    total = m.chance(0.3)
    idiom = m.pick("steps", "steps", "both", "h[-1]", "cat", "flat", "last", "mean", "states", "sides", "view", "cell")
    m.parts.append(("packed " if packed else "") + idiom)

    def run(*values):
        x, h = values[0], begin(*values[:at])
        if not packed:
            return rnn(x, h)
        inner = nn.utils.rnn.pack_padded_sequence(x, values[at], batch_first=not m.b, enforce_sorted=m.sorted)
        y, h = rnn(inner, h)
        more = {"total_length": x.size(m.t)} if total else {}
        return nn.utils.rnn.pad_packed_sequence(y, batch_first=not m.b, **more)[0], h

    hidden = lambda h: h[0] if states == 2 else h
    both = m.add(run, reads, None, 0)
    m.values.pop()
    get = lambda function, steps, features: m.add(function, [both], steps, features)

    def state(function):
        """(layers x ways, batch, size): no value of the table."""
        get(function, None, size)
        return m.values.pop()

    cut = lambda y, i: y[:, i] if m.t else y[i]
    m.hidden = None
    if idiom == "both":
        get(lambda r: r[0], x.steps, ways * size)
        get(lambda r: hidden(r[1])[-1], None, size)
        m.hidden = state(lambda r: hidden(r[1])), (layers, ways, size), kind
    elif idiom == "h[-1]":
        get(lambda r: hidden(r[1])[-1], None, size)
    elif idiom == "cell" and states == 2:
        get(lambda r: r[1][1][-1], None, size)
        get(lambda r: torch.cat([r[1][0][-1], r[1][1][-1]], -1), None, 2 * size)
    elif idiom == "cat" and ways == 2:
        axis = m.pick(1, -1)
        get(lambda r: torch.cat([hidden(r[1])[-2], hidden(r[1])[-1]], axis), None, 2 * size)
    elif idiom == "flat":
        get(lambda r: hidden(r[1]).transpose(0, 1).flatten(1), None, layers * ways * size)
    elif idiom == "last":
        get(lambda r: cut(r[0], -1), None, ways * size)
    elif idiom == "mean":
        how = m.pick("mean", "sum")
        get(lambda r: getattr(hidden(r[1]), how)(0), None, size)
    elif idiom == "view":
        last = lambda h: h.view(layers, ways, -1, size)[-1].transpose(0, 1).reshape(-1, ways * size)
        get(lambda r: last(hidden(r[1])), None, ways * size)
    elif idiom == "sides" and ways == 2:
        get(lambda r: torch.cat([cut(r[0], -1)[:, :size], cut(r[0], 0)[:, size:]], -1), None, ways * size)
        get(lambda r: r[0][..., :size] + r[0][..., size:], x.steps, size)
    else:
        get(lambda r: r[0], x.steps, ways * size)
        if idiom == "states":
            m.ends += [state(lambda r: hidden(r[1]))] + ([state(lambda r: r[1][1])] if states == 2 else [])


def function(m, x):
    part = m.module(m.pick(*FUNCTIONS)())
    m.add(part, [x], *x.kind)


def linear(m, x):
    size = m.pick(1, 2, 3)
    m.add(m.module(nn.Linear(x.size, size, bias=m.chance(0.8))), [x], x.steps, size)


def layer_norm(m, x):
    kind = m.pick(nn.LayerNorm, nn.LayerNorm, nn.RMSNorm)
    m.add(m.module(kind(x.size, elementwise_affine=m.chance(0.8))), [x], *x.kind)


def batch_norm(m, x):
    part = m.module(nn.BatchNorm1d(x.size, affine=m.chance(0.8)))
    m.add(m.channels(part) if x.steps else part, [x], *x.kind)


def group_norm(m, x):
    if x.steps:
        part = nn.GroupNorm(m.pick(1, x.size), x.size) if m.chance(0.6) else nn.InstanceNorm1d(x.size, affine=m.chance(0.5))
        m.add(m.channels(m.module(part)), [x], *x.kind)


def convolution(m, x):
    if not x.steps:
        return
    size, window, dilation = m.pick(2, 3), m.pick(1, 2, 3), m.pick(1, 1, 2)
    how, groups = m.pick("same", "causal", "valid", "stride", "depth", "both"), 1
    reach = (window - 1) * dilation
    if how == "depth":
        size = groups = x.size
    padding = {"same": "same", "both": 1}.get(how, 0)
    conv = m.module(nn.Conv1d(x.size, size, window, m.pick(2, 3) if how == "stride" else 1, padding, dilation, groups))
    steps = x.steps if how in ("same", "causal") or reach == 0 and how in ("valid", "depth") else f"{len(m.calls)}"
    call = (lambda y: conv(F.pad(y, (reach, 0)))) if how == "causal" else conv
    if how == "causal" and m.chance(0.4):
        # as wide as it is padded on both sides, cut at the end
        conv.padding = (reach,)
        conv._reversed_padding_repeated_twice = [reach, reach]
        call = (lambda y: conv(y)[:, :, :-reach]) if reach else conv
    m.add(m.channels(call), [x], steps, size)


def transposed(m, x):
    if x.steps:
        m.add(m.channels(m.module(nn.ConvTranspose1d(x.size, 2, 2, stride=2))), [x], f"{len(m.calls)}", 2)


def pool(m, x):
    if x.steps:
        part = m.pick(nn.MaxPool1d(2), nn.AvgPool1d(2), nn.MaxPool1d(3, 1), nn.AvgPool1d(2, ceil_mode=True))
        m.add(m.channels(m.module(part)), [x], f"{len(m.calls)}", x.size)


def smooth(m, x):
    if x.steps:
        part = m.pick(nn.MaxPool1d(3, 1, 1), nn.AvgPool1d(3, 1, 1), nn.AvgPool1d(3, 1, 1, count_include_pad=False))
        m.add(m.channels(m.module(part)), [x], *x.kind)


def adaptive(m, x):
    if x.steps:
        part = m.module(m.pick(nn.AdaptiveAvgPool1d, nn.AdaptiveMaxPool1d)(1))
        call = (lambda y: part(y.permute(1, 2, 0)).squeeze(-1)) if m.b else (lambda y: part(y.transpose(1, 2)).squeeze(-1))
        m.add(call, [x], None, x.size)


def reduce(m, x):
    if x.steps:
        t = m.t
        how = m.pick(*REDUCTIONS)
        m.parts.append(how)
        m.add(lambda y: REDUCTIONS[how](y, t), [x], None, x.size)


REDUCTIONS = {
    "mean": lambda y, t: y.mean(t),
    "sum": lambda y, t: y.sum(t),
    "max": lambda y, t: y.max(t)[0],
    "amax": lambda y, t: y.amax(t),
    "min": lambda y, t: y.min(dim=t).values,
    "std": lambda y, t: y.std(t),
    "var": lambda y, t: y.var(t, unbiased=False),
    "norm": lambda y, t: y.norm(dim=t),
    "logsumexp": lambda y, t: torch.logsumexp(y, t),
    "last": lambda y, t: y.select(t, -1),
    "first": lambda y, t: y.select(t, 0),
    "narrow": lambda y, t: y.narrow(t, y.size(t) - 1, 1).squeeze(t),
    "slice": lambda y, t: (y[:, -1:] if t else y[-1:]).squeeze(t),
    "mean and max": lambda y, t: y.mean(t) + y.max(t).values,
}


def over_features(m, x):
    how = m.pick("mean", "max", "norm", "softmax", "cosine")
    m.parts.append(how)
    if how == "softmax":
        m.add(lambda y: F.softmax(y, -1), [x], *x.kind)
    elif how == "cosine":
        m.add(lambda a, b: F.cosine_similarity(a, b, dim=-1).unsqueeze(-1), [x, m.alike(x)], x.steps, 1)
    elif how == "norm":
        m.add(lambda y: F.normalize(y, dim=-1), [x], *x.kind)
    elif how == "mean":
        m.add(lambda y: y - y.mean(-1, keepdim=True), [x], *x.kind)
    else:
        m.add(lambda y: y.max(-1, keepdim=True)[0], [x], x.steps, 1)


def two(m, x):
    how = m.pick(torch.add, torch.mul, torch.sub, torch.maximum, torch.minimum)
    m.parts.append(how.__name__)
    m.add(lambda a, b: how(a, b), [x, m.alike(x)], *x.kind)


def join(m, x):
    y = m.beside(x)
    m.add(lambda a, b: torch.cat([a, b], -1), [x, y], x.steps, x.size + y.size)


def join_vector(m, x):
    """A vector beside each step."""
    vector, t = m.vector(), m.t
    if x.steps and vector:
        how = m.pick("expand", "repeat", "as")
        m.parts.append(f"vector {how}")

        def wide(v, y):
            v = v.unsqueeze(t)
            if how == "as":
                return v.expand(*y.shape[:2], -1)
            return v.expand(-1, y.size(1), -1) if t and how == "expand" else v.repeat(1, y.size(1), 1) if t else v.repeat(y.size(0), 1, 1)

        m.add(lambda y, v: torch.cat([y, wide(v, y)], -1), [x, vector], x.steps, x.size + vector.size)


def add_vector(m, x):
    vector, t = m.vector(), m.t
    if x.steps and vector:
        part = m.module(nn.Linear(vector.size, x.size))
        m.add(lambda y, v: torch.tanh(y + part(v).unsqueeze(t)), [x, vector], *x.kind)


def repeat(m, x):
    """A vector over the steps of another value."""
    t = m.t
    other = next((y for y in reversed(m.values) if y.steps), None)
    if not x.steps and other:
        m.add(lambda v, y: v.unsqueeze(t).expand(*y.shape[:2], v.size(-1)), [x, other], other.steps, x.size)


def gate(m, x):
    part = m.module(nn.Linear(x.size, x.size))
    m.add(lambda y: y * torch.sigmoid(part(y)), [x], *x.kind)


def highway(m, x):
    carry, part = m.module(nn.Linear(x.size, x.size)), m.module(nn.Linear(x.size, x.size))

    def run(y):
        share = torch.sigmoid(carry(y))
        return share * torch.relu(part(y)) + (1 - share) * y

    m.add(run, [x], *x.kind)


def glu(m, x):
    part = m.module(nn.Linear(x.size, 2 * x.size))
    if m.chance(0.5):
        m.add(lambda y: F.glu(part(y), -1), [x], *x.kind)
    else:
        m.parts.append("chunk")

        def run(y):
            a, b = part(y).chunk(2, -1)
            return a * torch.tanh(b)

        m.add(run, [x], *x.kind)


def residual(m, x):
    part, norm = m.module(nn.Linear(x.size, x.size)), m.module(nn.LayerNorm(x.size))
    m.add(lambda y: norm(y + torch.relu(part(y))), [x], *x.kind)


def excite(m, x):
    if x.steps:
        part, t = m.module(nn.Linear(x.size, x.size)), m.t
        m.add(lambda y: y * torch.sigmoid(part(y.mean(t))).unsqueeze(t), [x], *x.kind)


def steps_mask(m, y, lengths):
    """(batch, steps) or (steps, batch): true where a step is within its length."""
    mask = torch.arange(y.size(m.t))[None] < lengths[:, None]
    return mask if m.t else mask.t()


def attention_pool(m, x):
    if not x.steps:
        return
    masked = m.lengths is not None and x.steps == "t"
    inner = m.pick(0, 0, 3)
    score = m.module(nn.Sequential(nn.Linear(x.size, inner), nn.Tanh(), nn.Linear(inner, 1)) if inner else nn.Linear(x.size, 1))
    how, fill, t = m.pick("sum", "bmm", "einsum"), m.pick(-1e9, float("-inf")), m.t
    m.parts.append(how)

    def run(y, lengths=None):
        s = score(y)
        if masked:
            s = s.masked_fill(~steps_mask(m, y, lengths).unsqueeze(-1), fill)
        w = F.softmax(s, t)
        if how == "sum":
            return (w * y).sum(t)
        if m.b:
            w, y = w.transpose(0, 1), y.transpose(0, 1)
        return torch.bmm(w.transpose(1, 2), y).squeeze(1) if how == "bmm" else torch.einsum("bti,btf->bf", w, y)

    m.add(run, [x, m.lengths] if masked else [x], None, x.size)


def masked_pool(m, x):
    """The mean, sum, maximum or last of the steps within the lengths."""
    if m.lengths is None or x.steps != "t":
        return
    how, t = m.pick("mean", "sum", "max", "arange", "gather", "zero"), m.t
    m.parts.append(f"masked {how}")
    if how == "zero":
        m.add(lambda y, n: y * steps_mask(m, y, n).unsqueeze(-1), [x, m.lengths], *x.kind)
        return

    def run(y, lengths):
        if how == "arange":
            rows = torch.arange(y.size(m.b))
            return y[rows, lengths - 1] if t else y[lengths - 1, rows]
        if how == "gather":
            at = (lengths - 1).view(-1, 1, 1).expand(-1, 1, y.size(2)) if t else (lengths - 1).view(1, -1, 1).expand(1, -1, y.size(2))
            return y.gather(t, at).squeeze(t)
        mask = steps_mask(m, y, lengths).unsqueeze(-1)
        if how == "max":
            return y.masked_fill(~mask, -1e9).max(t)[0]
        total = (y * mask.float()).sum(t)
        return total if how == "sum" else total / lengths.unsqueeze(1).float()

    m.add(run, [x, m.lengths], None, x.size)


def self_attention(m, x):
    if x.steps:
        part = m.module(nn.Linear(x.size, x.size))
        scale, t = m.pick(1.0, x.size**-0.5), m.t

        def run(y):
            z = y if t else y.transpose(0, 1)
            w = F.softmax(torch.bmm(part(z), z.transpose(1, 2)) * scale, -1)
            out = torch.matmul(w, z)
            return out if t else out.transpose(0, 1)

        m.add(run, [x], *x.kind)


def heads(m, x):
    if not x.steps:
        return
    count = m.pick(1, 2) if x.size % 2 == 0 else 1
    masked, causal = m.lengths is not None and x.steps == "t" and m.chance(0.7), m.chance(0.2)
    part, t = m.module(nn.MultiheadAttention(x.size, count, batch_first=not m.b)), m.t
    need = m.chance(0.4)
    fits = [y for y in m.values if y.steps and y.size == x.size]
    other = m.random.choice(fits) if not masked and not causal else x

    def run(y, z, lengths=None):
        more = {}
        if masked:
            mask = steps_mask(m, y, lengths)
            more["key_padding_mask"] = ~(mask if t else mask.t())
        if causal:
            more["attn_mask"] = torch.triu(torch.ones(y.size(t), y.size(t), dtype=torch.bool), 1)
        return part(y, z, z, need_weights=need, **more)[0]

    m.add(run, [x, other, m.lengths] if masked else [x, other], *x.kind)


def encoder_layer(m, x):
    if not x.steps or x.size % 2:
        return
    config = {"norm_first": m.chance(0.5), "activation": m.pick("relu", "gelu"), "batch_first": not m.b, "dropout": 0.1}
    part = m.module(nn.TransformerEncoderLayer(x.size, 2, 5, **config))
    masked = m.lengths is not None and x.steps == "t" and m.chance(0.6)

    def run(y, lengths=None):
        if not masked:
            return part(y)
        mask = steps_mask(m, y, lengths)
        return part(y, src_key_padding_mask=~(mask if m.t else mask.t()))

    m.add(run, [x, m.lengths] if masked else [x], *x.kind)


def attend(m, x):
    """Another sequence of steps, by dot products (Luong)."""
    others = [y for y in m.values if y.steps and y.steps != x.steps and y.size == x.size]
    if not x.steps or not others:
        return
    t = m.t

    def run(q, k):
        q, k = (q, k) if t else (q.transpose(0, 1), k.transpose(0, 1))
        out = torch.bmm(F.softmax(torch.bmm(q, k.transpose(1, 2)), -1), k)
        return out if t else out.transpose(0, 1)

    m.add(run, [x, m.random.choice(others)], *x.kind)


def attend_by_vector(m, x):
    """Steps weighed by a vector: of a decoder's state, or of a classifier's query."""
    vector = m.vector()
    if not x.steps or not vector:
        return
    part, t = m.module(nn.Linear(vector.size, x.size)), m.t

    def run(y, v):
        z = y if t else y.transpose(0, 1)
        w = F.softmax(torch.bmm(z, part(v).unsqueeze(2)).squeeze(2), 1)
        return torch.bmm(w.unsqueeze(1), z).squeeze(1)

    m.add(run, [x, vector], None, x.size)


def move(m, x):
    if not x.steps:
        return
    t = m.t
    cut = lambda y, part: y[:, part] if t else y[part]
    how = m.pick("pad", "flip", "cumsum", "difference", "roll", "crop", "tail", "softmax", "every", "zeros")
    m.parts.append(how)
    fresh = f"{len(m.calls)}"
    if how == "pad":
        m.add(lambda y: cut(F.pad(y, (0, 0, 1, 0) if t else (0, 0, 0, 0, 1, 0)), slice(0, -1)), [x], *x.kind)
    elif how == "zeros":
        m.add(lambda y: torch.cat([torch.zeros_like(cut(y, slice(0, 1))), cut(y, slice(0, -1))], t), [x], *x.kind)
    elif how == "flip":
        m.add(lambda y: torch.flip(y, [t]), [x], *x.kind)
    elif how == "cumsum":
        m.add(lambda y: torch.cumsum(y, t), [x], *x.kind)
    elif how == "difference":
        m.add(lambda y: cut(y, slice(1, None)) - cut(y, slice(0, -1)), [x], fresh, x.size)
    elif how == "crop":
        m.add(lambda y: cut(y, slice(1, None)), [x], fresh, x.size)
    elif how == "tail":
        m.add(lambda y: cut(y, slice(-2, None)).mean(t), [x], None, x.size)
    elif how == "every":
        m.add(lambda y: cut(y, slice(0, None, 2)), [x], fresh, x.size)
    elif how == "softmax":
        m.add(lambda y: F.softmax(y, t), [x], *x.kind)
    else:
        m.add(lambda y: torch.roll(y, 1, t), [x], *x.kind)


def columns(m, x):
    if x.size > 1:
        at = m.random.randrange(x.size - 1)
        m.add(lambda y: y[..., at : at + 2], [x], x.steps, 2)


def numbers(m, x):
    how = m.pick("clamp", "exp", "scale", "pow", "where", "abs", "prelu", "round")
    m.parts.append(how)
    if how == "prelu":
        part = m.module(nn.PReLU())
        m.add(part, [x], *x.kind)
        return
    run = {
        "clamp": lambda y: y.clamp(-0.3, 0.4),
        "exp": lambda y: torch.exp(-y.abs()),
        "scale": lambda y: (2 * y - 0.5) / 3,
        "pow": lambda y: torch.sqrt(y**2 + 1),
        "where": lambda y: torch.where(y > 0.1, y, torch.zeros_like(y)),
        "abs": lambda y: y.abs().log1p(),
        "round": lambda y: y.masked_fill(y < 0, 0.1),
    }[how]
    m.add(run, [x], *x.kind)


def dropout(m, x):
    m.add(m.module(nn.Dropout(0.3)), [x], *x.kind)


def positions(m, x):
    if x.steps:
        table, t = m.module(nn.Embedding(64, x.size)), m.t

        def run(y):
            rows = table(torch.arange(y.size(t)))
            return y + (rows if t else rows.unsqueeze(1))

        m.add(run, [x], *x.kind)


def decoder(m, x):
    """A recurrent module that begins with the states of another."""
    if not x.steps or not m.hidden:
        return
    state, shape, kind = m.hidden
    other = next((y for y in m.values if y.steps == "u"), x)
    recurrent(m, other, kind, state, shape)


LAYERS = [
    *(recurrent, recurrent, recurrent, function, linear, linear, layer_norm, batch_norm, group_norm, convolution, convolution),
    *(transposed, pool, smooth, adaptive, reduce, reduce, over_features, two, two, join, join_vector, add_vector, repeat),
    *(gate, highway, glu, residual, excite, attention_pool, masked_pool, masked_pool, self_attention, heads, encoder_layer),
    *(attend, attend_by_vector, move, move, columns, numbers, dropout, positions, decoder, decoder),
]


def build(seed):
    torch.manual_seed(seed)
    m = Model(seed)
    size = m.pick(2, 3, 4)

    def source(name, steps):
        """An input of features, or of ids and their table."""
        kind = m.pick("floats", "floats", "ids", "padded ids")
        if kind == "floats":
            return m.rows(name, steps, size), None
        return m.rows(name, steps), m.module(nn.Embedding(7, size, padding_idx=0 if kind == "padded ids" else None))

    sources = [source("x", "t")] + ([source("y", "u")] if m.chance(0.25) else [])
    if m.chance(0.35):
        m.lengths = m.input("lengths", "b")
    if m.chance(0.15):
        sources.append((m.input("v", "b", 3), None))
    # Where a recurrent module comes first its initial states may be inputs too.
    if sources[0][1] is None and m.chance(0.8):
        recurrent(m, sources.pop(0)[0])
    for value, table in sources:
        if table is None:
            m.values.append(value)
        else:
            m.add(table, [value], value.steps, size)
    if not any(isinstance(part, nn.RNNBase) for part in m.made):
        recurrent(m, m.values[0])
    for _ in range(m.pick(0, 1, 2, 3, 4, 6)):
        m.pick(*LAYERS)(m, m.pick(*m.values[-4:]))
    read = {at for _, reads in m.calls for at in reads}
    loose = [v for v in m.values if v.at not in read and v.at >= len(m.inputs)]
    m.outputs = loose[-2:] + m.ends
    return m


def example(m, numbers, batch, t, u):
    sizes = {"b": batch, "t": t, "u": u}
    lengths = sorted([t] + [m.random.randint(1, t) for _ in range(batch - 1)], reverse=True)
    if not m.sorted:
        m.random.shuffle(lengths)
    made = {}
    for name, axes in m.inputs.items():
        shape = [sizes.get(axis, axis) for axis in axes]
        if name == "lengths":
            made[name] = torch.tensor(lengths)
        elif isinstance(axes[-1], str):
            made[name] = torch.tensor(numbers.integers(0, 7, shape))
        else:
            made[name] = torch.tensor(numbers.normal(size=shape).astype("float32"))
    return made


def export(m, inputs, file):
    names = [f"out{i}" for i in range(len(m.outputs))]
    words = {"b": "batch", "t": "time", "u": "other"}
    axes = {name: {i: words[a] for i, a in enumerate(axes) if a in words} for name, axes in m.inputs.items()}
    quiet = io.StringIO()
    with contextlib.redirect_stdout(quiet), contextlib.redirect_stderr(quiet):
        if not given.dynamo:
            opset = m.pick(11, 13, 14, 17, 18, 20)
            torch.onnx.export(m, tuple(inputs.values()), file, input_names=list(inputs), output_names=names,
                              dynamic_axes=axes, opset_version=opset, dynamo=False)  # fmt: skip
        else:
            dims = {"batch": torch.export.Dim("batch", min=2, max=64)}
            dims.update({w: torch.export.Dim(w, min=4, max=512) for w in ("time", "other")})
            shapes = {name: {i: dims[w] for i, w in of.items()} for name, of in axes.items()}
            torch.onnx.export(m, tuple(inputs.values()), file, input_names=list(inputs), output_names=names,
                              dynamic_shapes=(tuple(shapes.values()),), opset_version=m.pick(18, 20, 22, 23), dynamo=True,
                              external_data=False, verbose=False)  # fmt: skip
    return names


def make(seed):
    m = build(seed)
    if not m.outputs:
        return False
    for part in m.modules():
        if isinstance(part, nn.BatchNorm1d):
            part.running_mean.normal_()
            part.running_var.uniform_(0.5, 1.5)
    m.eval()
    numbers = np.random.default_rng(seed)
    file = f"{given.folder}/{seed}.onnx"
    names = export(m, example(m, numbers, 3, 6, 5), file)
    session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
    asked = {i.name for i in session.get_inputs()}
    runs = []
    for batch, t, u in ((3, 6, 5), (2, 9, 4)):
        inputs = {name: x.numpy() for name, x in example(m, numbers, batch, t, u).items() if name in asked}
        results = session.run(None, inputs)
        if any(not np.isfinite(y).all() or np.abs(y).max() > 1e4 for y in results):
            return False
        found = []
        for name, value, y in zip(names, m.outputs, results):
            steps = {"time": m.t, "batch": m.b} if value.steps == "t" else {}
            found.append({"name": name, "value": tensor(y), **steps})
        runs.append({"inputs": {name: tensor(x) for name, x in inputs.items()}, "outputs": found})
    write(given.folder, seed, f"{seed}.onnx", m.parts, runs)
    return True


make_all(given, make)
