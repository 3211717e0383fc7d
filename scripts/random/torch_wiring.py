"""State dicts of random PyTorch modules, their wiring as `pytorch.layers` say it, and what PyTorch makes of them: see README.md."""

import random
import warnings

import numpy as np
import torch
from results import arguments, make_all, tensor, write
from safetensors.torch import save_file
from torch import nn
from torch.nn import functional as F

given = arguments(__doc__, "--suggested")
warnings.filterwarnings("ignore")

FUNCTIONS = {
    "tanh": torch.tanh, "relu": torch.relu, "sigmoid": torch.sigmoid, "softmax": lambda x: F.softmax(x, -1), "softplus": F.softplus,
    "softsign": F.softsign, "elu": F.elu, "leaky_relu": F.leaky_relu, "hard_sigmoid": F.hardsigmoid, "relu6": F.relu6,
    "hardtanh": F.hardtanh, "silu": F.silu, "hardswish": F.hardswish, "hardsigmoid": F.hardsigmoid, "logsigmoid": F.logsigmoid,
    "tanhshrink": F.tanhshrink, "gelu": F.gelu, "mish": F.mish, "selu": F.selu, "celu": F.celu, "log_softmax": lambda x: F.log_softmax(x, -1),
    "exp": torch.exp,
}  # fmt: skip


class Value:
    """Its name in the wiring, what it is (batch first), its steps ('t', a number, another name or None) and features."""

    def __init__(self, name, x, steps, size):
        self.name, self.x, self.steps, self.size = name, x, steps, size

    @property
    def kind(self):
        return self.steps, self.size


class Model:
    """The wiring while it is made, computed at once: each value holds its results for all runs."""

    def __init__(self, seed):
        self.random = random.Random(seed)
        self.root, self.lines, self.values, self.inputs = nn.Module(), [], [], []
        self.stacks = []

    def pick(self, *choices):
        return self.random.choice(choices)

    def chance(self, share):
        return self.random.random() < share

    def module(self, made):
        """Registers a module under a name; at times with a parametrization, or of small numbers."""
        name = f"m{len(self.lines)}{self.pick('', 'x')}"
        for part in made.modules():
            if hasattr(part, "running_mean") and part.running_mean is not None:
                part.running_mean.normal_()
                part.running_var.uniform_(0.5, 1.5)
        for parameter in made.parameters():
            if parameter.dim() == 1:
                nn.init.normal_(parameter, std=0.5)
        made.eval()
        if not given.suggested and self.chance(0.15):
            keys = [key for key, w in made.named_parameters(recurse=False) if w.dim() > 1]
            norms = nn.utils.parametrizations
            norm = self.pick(norms.weight_norm, norms.spectral_norm, nn.utils.weight_norm, nn.utils.spectral_norm)
            if keys and not isinstance(made, (nn.Embedding, nn.MultiheadAttention)):
                dim = {"dim": self.pick(0, 1)} if self.chance(0.3) else {}
                for key in keys if self.chance(0.5) else keys[:1]:
                    norm(made, key, **dim)
                made.train()
                # Training brings the vectors of spectral_norm near.
                for hook in made._forward_pre_hooks.values():
                    hook(made, None)
                made.eval()
        self.root.add_module(name, made)
        return name

    def input(self, kind, steps, size):
        name = f"in{len(self.inputs)}"
        rows = lambda batch, t, *rest: (batch, *([t] if steps else []), *rest)
        make = lambda batch, t: torch.randint(0, 7, rows(batch, t)) if kind == "ids" else torch.randn(rows(batch, t, size))
        sizes = {"t": (6, 9), "u": (5, 4), None: (1, 1)}[steps]
        x = [make(batch, t) for batch, t in zip((3, 2), sizes)]
        spec = {"name": name, "dtype": "int32" if kind == "ids" else "float32", "size": 1 if kind == "ids" else size}
        if steps is None:
            spec["kind"] = "vector"
        self.inputs.append((spec, x))
        return Value(name, x, steps, 1 if kind == "ids" else size)

    def line(self, function, reads, steps, size, fields, named=True):
        """Adds a line of the wiring, and what it computes of the results of `reads`."""
        x = [function(*parts) for parts in zip(*(y.x for y in reads))]
        name = f"v{len(self.lines)}"
        line = {**fields, "name": name}
        if named:
            line["from"] = reads[0].name
        self.lines.append(line)
        self.values.append(Value(name, x, steps, size))
        return self.values[-1]

    def of_module(self, kind, made, x, steps, size, fields={}, function=None):
        name = self.module(made)
        return self.line(function or made, [x], steps, size, {kind: name, **fields})

    def beside(self, x):
        return self.random.choice([y for y in self.values if y.steps == x.steps])

    def alike(self, x):
        return self.random.choice([y for y in self.values if y.kind == x.kind])


def channels(function):
    return lambda x: function(x.transpose(1, 2)).transpose(1, 2)


def over(x, function):
    """Of steps the function over (batch, features, steps)."""
    return channels(function) if x.steps else function


def recurrent(m, x):
    if not x.steps:
        return
    kind = m.pick("gru", "lstm", "rnn")
    layers, ways, size = m.pick(1, 1, 2), m.pick(1, 1, 2), m.pick(2, 3, 4)
    bias, states = m.chance(0.85), 2 if kind == "lstm" else 1
    fields, begin, reads = {}, None, [x]
    how = m.pick("none", "none", "stack", "values", "tensor")
    fits = [s for s in m.stacks if (kind == "lstm") == (s["kind"] == "lstm")]
    if how == "stack" and fits:
        stack = m.pick(*fits)
        layers, ways, size = stack["shape"]
        fields["initialState"] = stack["name"]
        reads += stack["states"]
    elif how == "values":
        count, vectors = layers * ways, [v for v in m.values if v.steps is None]
        if vectors:
            vector = m.pick(*vectors)
            size = vector.size
            fields["initialState"] = [vector.name] * count
            zero = kind == "lstm" and m.chance(0.5)
            make = lambda v: v[None].repeat(count, 1, 1)
            reads.append(Value("", [make(v) for v in vector.x], None, 0))
            if kind == "lstm":
                if not zero:
                    fields["initialCell"] = fields["initialState"]
                reads.append(Value("", [make(v) * (0 if zero else 1) for v in vector.x], None, 0))
    elif how == "tensor":
        for field in ("initialState", "initialCell")[:states]:
            h = nn.Parameter(torch.randn(layers * ways, 1, size))
            m.root.register_parameter(f"h{len(m.lines)}_{field}", h)
            fields[field] = f"h{len(m.lines)}_{field}"
            reads.append(Value("", [h.expand(-1, len(y), -1).contiguous() for y in x.x], None, 0))
    more = {}
    if kind == "rnn":
        more["nonlinearity"] = m.pick("tanh", "relu")
        if more["nonlinearity"] == "relu" or m.chance(0.5):
            fields["nonlinearity"] = more["nonlinearity"]
    if len(reads) == 1 and layers == ways == 1 and m.chance(0.2):
        return cell(m, x, kind, size, bias, fields, more)
    made = getattr(nn, kind.upper())(x.size, size, layers, bias=bias, batch_first=True, bidirectional=ways == 2, **more)
    name = m.module(made)

    def run(x, *given_states):
        return made(x, (tuple(given_states) if states == 2 else given_states[0]) if given_states else None)

    hidden = lambda result: list(result[1]) if states == 2 else [result[1]]
    found = [run(*parts) for parts in zip(*(y.x for y in reads))]
    last = m.chance(0.35)
    join = lambda h: torch.cat((h[-2], h[-1]), 1) if ways == 2 else h[-1]
    results = iter([join(hidden(r)[0]) if last else r[0] for r in found])
    fields = {kind: name, **fields, **({"returns": "last"} if last else {})}
    value = m.line(lambda _: next(results), [x], None if last else x.steps, ways * size, fields)
    kept = [Value("", [hidden(r)[i] for r in found], None, 0) for i in range(states)]
    m.stacks.append({"name": value.name, "kind": kind, "shape": (layers, ways, size), "states": kept})
    if ways == 2 and m.chance(0.3):
        ports = zip(("forwardState", "reverseState"), (-2, -1))
        m.values += [Value(f"{value.name}:{port}", [hidden(r)[0][at] for r in found], None, size) for port, at in ports]


def cell(m, x, kind, size, bias, fields, more):
    made = getattr(nn, kind.upper() + "Cell")(x.size, size, bias=bias, **more)

    def run(x):
        h, steps = None, []
        for t in range(x.size(1)):
            h = made(x[:, t], h)
            steps.append(h[0] if kind == "lstm" else h)
        return torch.stack(steps, 1)

    m.of_module(kind, made, x, x.steps, size, fields, run)


def linear(m, x):
    size, name = m.pick(1, 2, 3), m.pick(None, *FUNCTIONS)
    made = nn.Linear(x.size, size, bias=m.chance(0.8))
    fields = {"activation": name} if name else {}
    m.of_module("linear", made, x, x.steps, size, fields, lambda y: FUNCTIONS[name](made(y)) if name else made(y))


def function(m, x):
    name = m.pick(*FUNCTIONS)
    m.line(FUNCTIONS[name], [x], *x.kind, {"activation": name})


def numbers_of(m, x):
    alpha = m.pick(0.3, 1.5)
    name, run = m.pick(
        ("elu", lambda y: F.elu(y, alpha)),
        ("leaky_relu", lambda y: F.leaky_relu(y, alpha)),
        ("thresholded_relu", lambda y: F.threshold(y, alpha, 0.0)),
        ("celu", lambda y: F.celu(y, alpha)),
    )
    m.line(run, [x], *x.kind, {"activation": {"name": name, "alpha": alpha}})


def norm(m, x):
    eps = m.pick(None, None, 1e-3)
    fields, more = ({"eps": eps}, {"eps": eps}) if eps else ({}, {})
    affine = m.chance(0.8)
    kind = m.pick("batchnorm", "layernorm", "rmsnorm", "groupnorm", "instancenorm")
    if kind == "batchnorm":
        made = nn.BatchNorm1d(x.size, affine=affine, **more)
        return m.of_module(kind, made, x, *x.kind, fields, over(x, made))
    if not affine:
        fields = {**fields, "size": x.size}
    if kind in ("layernorm", "rmsnorm"):
        made = (nn.LayerNorm if kind == "layernorm" else nn.RMSNorm)(x.size, elementwise_affine=affine, **more)
        return m.of_module(kind, made, x, *x.kind, fields)
    if kind == "groupnorm":
        groups = m.pick(1, x.size)
        made = nn.GroupNorm(groups, x.size, affine=affine, **more)
        return m.of_module(kind, made, x, *x.kind, {**fields, "groups": groups}, over(x, made))
    if x.steps:
        track = m.chance(0.4)
        made = nn.InstanceNorm1d(x.size, affine=affine, track_running_stats=track, **more)
        if track:
            fields.pop("size", None)
        m.of_module(kind, made, x, *x.kind, fields, channels(made))


def convolution(m, x):
    if not x.steps:
        return
    size, window, stride, dilation, groups = m.pick(2, 4), m.pick(1, 2, 3), m.pick(1, 1, 2), m.pick(1, 1, 2), 1
    if x.size % 2 == 0 and m.chance(0.3):
        groups = 2
    reach = (window - 1) * dilation
    padding = m.pick("same", "causal", 0, 1, 2, [1, 0], "valid")
    if padding == "same":
        stride = 1
    own = padding if isinstance(padding, int) or padding in ("same", "valid") else 0
    made = nn.Conv1d(x.size, size, window, stride, own, dilation, groups, bias=m.chance(0.8))
    call = {"causal": lambda y: made(F.pad(y, (reach, 0)))}.get(str(padding), made)
    if isinstance(padding, list):
        call = lambda y: made(F.pad(y, padding))
    name = m.pick(None, None, "relu", "tanh")
    if isinstance(padding, str):
        total = 0 if padding == "valid" else reach
    else:
        total = sum(padding) if isinstance(padding, list) else 2 * padding
    steps = x.steps if stride == 1 and total == reach else f"{len(m.lines)}"
    fields = {"padding": padding, "stride": stride, "dilation": dilation, "groups": groups}
    if name:
        fields["activation"] = name
    run = (lambda y: FUNCTIONS[name](call(y))) if name else call
    m.of_module("conv1d", made, x, steps, size, fields, channels(run))


def pool(m, x):
    if not x.steps:
        return
    window, stride, ceil = m.pick(2, 3), m.pick(None, 1, 2), m.chance(0.3)
    padding = m.pick(0, 0, 1)
    fields = {"padding": padding, "ceil": ceil, **({"stride": stride} if stride else {})}
    steps = x.steps if window == 3 and stride == 1 and padding == 1 else f"{len(m.lines)}"
    if m.chance(0.5):
        dilation = m.pick(1, 1, 2)
        if dilation == 2:
            steps, fields["dilation"] = f"{len(m.lines)}", 2
        made = nn.MaxPool1d(window, stride, padding, dilation, ceil_mode=ceil)
        m.line(channels(made), [x], steps, x.size, {"maxpool1d": window, **fields})
    else:
        count = m.chance(0.6)
        made = nn.AvgPool1d(window, stride, padding, ceil, count)
        if not count:
            fields["countPadding"] = False
        m.line(channels(made), [x], steps, x.size, {"avgpool1d": window, **fields})


def reduce(m, x):
    if not x.steps:
        return
    kind, run = m.pick(
        ("mean", lambda y: y.mean(1)), ("max", lambda y: y.max(1).values), ("min", lambda y: y.min(1).values),
        ("std", lambda y: y.std(1)), ("l2", lambda y: y.norm(dim=1)), ("sum", lambda y: y.sum(1)),
    )  # fmt: skip
    if kind == "std" and m.chance(0.4):
        return m.line(lambda y: y.std(1, correction=0), [x], None, x.size, {"std": "time", "correction": 0})
    m.line(run, [x], None, x.size, {kind: m.pick("time", 1)})


def row_sum(m, x):
    m.line(lambda y: y.sum(-1, keepdim=True), [x], x.steps, 1, {"sum": m.pick("features", 2, -1)})


def one_step(m, x):
    # The shortest of the sequences of fixed steps has two.
    if x.steps:
        at = m.pick(0, -1, 1, -2)
        m.line(lambda y: y[:, at], [x], None, x.size, {"step": at})


def flip(m, x):
    if x.steps:
        m.line(lambda y: y.flip(1), [x], *x.kind, {"flip": m.pick("time", 1)})


def repeat(m, x):
    if not x.steps:
        n = m.pick(2, 5)
        m.line(lambda y: y[:, None].repeat(1, n, 1), [x], n, x.size, {"repeat": n})


def flatten(m, x):
    if isinstance(x.steps, int):
        m.line(lambda y: y.flatten(1), [x], None, x.steps * x.size, {"flatten": x.steps})


def upsample(m, x):
    if x.steps:
        m.line(channels(nn.Upsample(scale_factor=2)), [x], f"{len(m.lines)}", x.size, {"upsample": 2})


def pad(m, x):
    if not x.steps:
        return
    how, sides = m.pick("shift", "zeros", "value", "edge", "reflect"), m.pick((1, 0), (0, 1), (1, 1), (2, 1))
    fresh = f"{len(m.lines)}"
    if how == "shift":
        m.line(lambda y: F.pad(y, (0, 0, 1, 0))[:, :-1], [x], *x.kind, {"pad": [1, -1]})
    elif how == "edge":
        m.line(channels(nn.ReplicationPad1d(sides)), [x], fresh, x.size, {"pad": list(sides), "mode": "edge"})
    elif how == "reflect":
        m.line(channels(nn.ReflectionPad1d(sides)), [x], fresh, x.size, {"pad": list(sides), "mode": "reflect"})
    else:
        value = 0.5 if how == "value" else 0.0
        fields = {"value": value} if value else {}
        m.line(channels(nn.ConstantPad1d(sides, value)), [x], fresh, x.size, {"pad": list(sides), **fields})


def merge(m, x):
    kind, run = m.pick(
        ("sum", torch.add), ("mul", torch.mul), ("sub", torch.sub), ("concat", lambda a, b: torch.cat((a, b), -1)),
        ("div", lambda a, b: a / (b * b + 1)),
    )  # fmt: skip
    if kind == "div":
        one = m.line(torch.exp, [m.alike(x)], *x.kind, {"activation": "exp"})
        return m.line(lambda a, b: a / b, [x, one], *x.kind, {"div": [x.name, one.name]}, named=False)
    y = m.beside(x) if kind == "concat" else m.alike(x)
    m.line(run, [x, y], x.steps, x.size + y.size if kind == "concat" else x.size, {kind: [x.name, y.name]}, named=False)


def constant(m, x):
    """A number or a parameter beside a value."""
    kind, run = m.pick(
        ("sum", torch.add), ("mul", torch.mul), ("sub", torch.sub), ("div", torch.div), ("max", torch.maximum), ("min", torch.minimum),
    )  # fmt: skip
    if m.chance(0.5):
        name = operand = m.pick(0.5, -2, 3)
        tensor = torch.tensor(float(operand))
    else:
        name = f"p{len(m.lines)}"
        shape = m.pick((x.size,), (1,), (1, x.size), (1, 1, x.size), ())
        tensor = torch.randn(shape).abs() + 0.5
        m.root.register_buffer(name, tensor)
        tensor = tensor.flatten()
    if m.chance(0.3) and kind != "div":
        return m.line(lambda y: run(tensor, y), [x], *x.kind, {kind: [name, x.name]}, named=False)
    m.line(lambda y: run(y, tensor), [x], *x.kind, {kind: [x.name, name]}, named=False)


def matmul(m, x):
    size = m.pick(1, 2, 5)
    w = torch.randn((x.size,) if size == 1 else (x.size, size))
    name = f"p{len(m.lines)}"
    m.root.register_parameter(name, nn.Parameter(w))
    m.line(lambda y: y @ w.reshape(x.size, size), [x], x.steps, size, {"matmul": name})


def positions(m, x):
    if not x.steps:
        return
    if m.chance(0.5):
        made = nn.Embedding(30, x.size)
        name, table = m.module(made), made.weight
    else:
        name, table = f"p{len(m.lines)}", torch.randn(30, x.size)
        m.root.register_buffer(name, table[None])
    m.line(lambda y: y + table[: y.size(1)], [x], *x.kind, {"positions": name})


def attention(m, x):
    if not x.steps:
        return
    count = m.pick(1, 1, 2)
    scores = m.of_module("linear", nn.Linear(x.size, count), x, x.steps, count)
    reads, fields, run = [scores, x], {"attention": [scores.name, x.name]}, None
    if count == 1:
        run = lambda s, y: (F.softmax(s, 1) * y).sum(1)
    else:
        run = lambda s, y: torch.einsum("bth,btf->bhf", F.softmax(s, 1), y).flatten(1)
    m.line(run, reads, None, count * x.size, fields, named=False)


def dot_attention(m, x):
    others = [y for y in m.values if isinstance(y.steps, str)]
    if not others or isinstance(x.steps, int):
        return
    value = m.pick(*others)
    key = m.of_module("linear", nn.Linear(value.size, x.size), value, value.steps, x.size)
    count = m.pick(1, 2) if x.size % 2 == 0 and value.size % 2 == 0 else 1
    causal, scale = x.steps == value.steps and m.chance(0.3), m.pick(None, 1.0, 0.5)

    def run(q, k, v):
        parts = [y.unflatten(-1, (count, -1)).transpose(1, 2) for y in (q if x.steps else q[:, None], k, v)]
        out = F.scaled_dot_product_attention(*parts, is_causal=causal, scale=scale).transpose(1, 2).flatten(2)
        return out if x.steps else out[:, 0]

    fields = {"heads": count} if count > 1 else {}
    fields |= {"causal": True} if causal else {}
    fields |= {} if scale is None else {"scale": scale}
    names = [x.name, key.name, value.name]
    m.line(run, [x, key, value], x.steps, value.size, {"attention": names, "size": x.size, **fields}, named=False)


def heads(m, x):
    if not x.steps:
        return
    count = m.pick(1, 2) if x.size % 2 == 0 else 1
    causal, bias = m.chance(0.2), m.chance(0.7)
    others = [y for y in m.values if isinstance(y.steps, str) and y.steps]
    key = m.random.choice(others)
    reads, fields, config = [x], {"heads": count}, {}
    if m.chance(0.5) and not causal:
        fields["key"] = key.name
        reads.append(key)
        config = {"kdim": key.size, "vdim": key.size}
    if causal:
        fields["causal"] = True
    made = nn.MultiheadAttention(x.size, count, bias=bias, batch_first=True, **config)

    def run(q, k=None):
        k = q if k is None else k
        mask = torch.triu(torch.ones(q.size(1), q.size(1), dtype=torch.bool), 1) if causal else None
        return made(q, k, k, need_weights=False, attn_mask=mask)[0]

    name = m.module(made)
    m.line(run, reads, *x.kind, {"multiheadAttention": name, **fields})


def prelu(m, x):
    made = nn.PReLU(m.pick(1, x.size))
    m.of_module("prelu", made, x, *x.kind, {}, over(x, made))


LINES = [recurrent] * 5 + [linear] * 3 + [norm] * 4 + [convolution] * 3 + [merge] * 3 + [
    *(function, numbers_of, pool, pool, reduce, one_step, repeat, flatten, upsample, pad, pad, attention, heads, prelu),
    *(row_sum, flip, constant, constant, matmul, positions, dot_attention, dot_attention),
]  # fmt: skip


def build(m):
    for steps in ("t", "u") if m.chance(0.2) else ("t",):
        kind = m.pick("ids", "floats")
        x = m.input(kind, steps, m.pick(2, 3, 4))
        if kind == "ids":
            size = m.pick(2, 3, 4)
            m.of_module("embedding", nn.Embedding(7, size, padding_idx=m.pick(None, 0)), x, steps, size)
        else:
            m.values.append(x)
    recurrent(m, m.values[0])
    for _ in range(m.pick(0, 1, 2, 3, 5, 7)):
        m.pick(*LINES)(m, m.pick(*m.values[-4:]))


def build_suggested(m):
    """A chain that a suggestion can tell: no functions between the modules, the last step before the head."""
    kind = m.pick("ids", "floats")
    x = m.input(kind, "t", m.pick(2, 3, 5))
    if kind == "ids":
        x = m.of_module("embedding", nn.Embedding(7, m.pick(2, 3, 5)), x, "t", 0)
        x.size = x.x[0].size(-1)

    def rnn(x):
        kind, size = m.pick("gru", "lstm", "rnn"), m.pick(3, 4, 6)
        layers, two = m.pick(1, 2), m.chance(0.3)
        made = getattr(nn, kind.upper())(x.size, size, layers, batch_first=True, bidirectional=two)
        return m.of_module(kind, made, x, "t", size * (1 + two), {}, lambda y: made(y)[0])

    def before(x):
        how = m.pick("batchnorm", "layernorm", "linear", "conv1d")
        if how == "linear":
            size = m.pick(2, 4)
            return m.of_module("linear", nn.Linear(x.size, size), x, "t", size)
        if how == "conv1d":
            made = nn.Conv1d(x.size, 4, m.pick(1, 3))
            return m.of_module("conv1d", made, x, "t", 4, {}, channels(made))
        made = (nn.BatchNorm1d if how == "batchnorm" else nn.LayerNorm)(x.size)
        return m.of_module(how, made, x, "t", x.size, {}, channels(made) if how == "batchnorm" else made)

    for _ in range(m.pick(0, 0, 1, 2)):
        x = before(x)
    for _ in range(m.pick(1, 1, 2)):
        x = rnn(x)
        if m.chance(0.15):
            x = before(x)
            x = rnn(x)
    for i in range(m.pick(0, 1, 2)):
        if i == 0:
            x = m.line(lambda y: y[:, -1], [x], None, x.size, {"step": -1})
        size = m.pick(1, 2, 5)
        x = m.of_module("linear", nn.Linear(x.size, size), x, None, size)


def save(m, seed):
    state = m.root.state_dict()
    form = m.pick("pt", "pt", "legacy", "safetensors")
    prefix = m.pick("", "", "module.", "_orig_mod.")
    state = {prefix + key: value for key, value in state.items()}
    if form == "safetensors":
        save_file({key: value.contiguous() for key, value in state.items()}, f"{given.folder}/{seed}.safetensors")
        return f"{seed}.safetensors"
    if m.chance(0.2):
        state = {"epoch": 3, "state_dict": state, "optimizer": {"lr": 0.1}}
    torch.save(state, f"{given.folder}/{seed}.pt", _use_new_zipfile_serialization=form == "pt")
    return f"{seed}.pt"


def make(seed):
    torch.manual_seed(seed)
    m = Model(seed)
    with torch.no_grad():
        (build_suggested if given.suggested else build)(m)
    read = {name for line in m.lines for name in names_in(line)}
    loose = [v for v in m.values if v.name not in read and v.name.startswith("v")]
    if any(spec["name"] not in read for spec, _ in m.inputs):
        return False
    outputs = [v for v in loose if ":" not in v.name] or m.values[-1:]
    if any(not y.isfinite().all() or y.abs().max() > 1e4 for v in outputs for y in v.x):
        return False
    inputs = [spec for spec, _ in m.inputs]
    pytorch = {"layers": m.lines, "inputs": inputs, "outputs": [v.name for v in outputs]}
    file = save(m, seed)
    runs = []
    for i in range(2):
        found = [{"name": v.name, "value": tensor(v.x[i].numpy())} for v in outputs]
        runs.append({"inputs": {spec["name"]: tensor(x[i].numpy()) for spec, x in m.inputs}, "outputs": found})
    how = {"suggested": True} if given.suggested else {"load": {"pytorch": pytorch}}
    write(given.folder, seed, file, [next(iter(line)) for line in m.lines], runs, **how)
    return True


def names_in(line):
    for key, value in line.items():
        if key in ("name", "activation"):
            continue
        for name in value if isinstance(value, list) else [value]:
            if isinstance(name, str):
                yield name.split(":")[0]


make_all(given, make)
