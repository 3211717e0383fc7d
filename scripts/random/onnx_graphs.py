"""Graphs of random ONNX operators around recurrent nodes, and what onnxruntime makes of them: see README.md."""

import random

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper
from results import arguments, make_all, tensor, write

given = arguments(__doc__)
onnxruntime.set_default_logger_severity(4)

END, START = 2**31 - 1, -(2**31)
GATES = {"GRU": 3, "LSTM": 4, "RNN": 1}
FUNCTIONS = "Relu Tanh Sigmoid Exp Softplus Abs Neg Elu LeakyRelu Selu HardSigmoid Softsign Erf Sqrt Log Reciprocal".split()
REDUCTIONS = "ReduceSum ReduceMean ReduceMax ReduceMin ReduceL1 ReduceL2 ReduceLogSumExp ReduceSumSquare".split()


class Graph:
    """Values with their axes: 't' steps, 'b' the batch, a number features, any other word other steps."""

    def __init__(self, seed):
        self.random = random.Random(seed)
        self.numbers = np.random.default_rng(seed)
        self.nodes, self.constants, self.values, self.named = [], [], [], 0

    def pick(self, *choices):
        return self.random.choice(choices)

    def chance(self, share):
        return self.random.random() < share

    def normal(self, *shape, scale=0.5):
        return (self.numbers.normal(size=shape) * scale).astype("float32")

    def name(self, kind):
        self.named += 1
        return f"{kind.lower()}{self.named}"

    def constant(self, value):
        name = self.name("constant")
        self.constants.append(numpy_helper.from_array(np.asarray(value), name))
        return name

    def whole(self, *values):
        return self.constant(np.array(values, "int64"))

    def node(self, operator, inputs, outputs=1, **attributes):
        names = [self.name(operator) for _ in range(outputs)]
        self.nodes.append(helper.make_node(operator, inputs, names, name=f"node_{names[0]}", **attributes))
        return names if outputs > 1 else names[0]

    def add(self, operator, inputs, shape, **attributes):
        self.values.append((self.node(operator, inputs, **attributes), shape))

    def recurrent(self, x, size, lengths):
        units, kind = self.pick(2, 3, 4), self.pick("GRU", "GRU", "LSTM", "RNN")
        direction = self.pick("forward", "forward", "reverse", "bidirectional")
        ways, rows = 2 if direction == "bidirectional" else 1, GATES[kind] * units
        weights = [self.normal(ways, rows, size), self.normal(ways, rows, units), self.normal(ways, 2 * rows)]
        attributes = {"hidden_size": units, "direction": direction}
        if kind == "GRU":
            attributes["linear_before_reset"] = self.pick(0, 1)
        inputs = [x, *map(self.constant, weights), *([lengths] if lengths else [])]
        steps, last = self.node(kind, inputs, 2, **attributes)
        if ways == 1:
            self.add("Squeeze", [steps, self.whole(1)], ("t", "b", units))
            self.add("Squeeze", [last, self.whole(0)], ("b", units))
        else:
            steps, last = (self.node("Transpose", [y], perm=p) for y, p in ((steps, [0, 2, 1, 3]), (last, [1, 0, 2])))
            self.add("Reshape", [steps, self.whole(0, 0, 2 * units)], ("t", "b", 2 * units))
            self.add("Reshape", [last, self.whole(0, 2 * units)], ("b", 2 * units))

    def alike(self, axes):
        return self.pick(*[name for name, others in self.values if others == axes])

    def part(self, x, axes, axis, start, end, size, step=1):
        bounds = [self.whole(n) for n in (start, end, axis, step)]
        self.add("Slice", [x, *bounds], (*axes[:axis], size, *axes[axis + 1 :]))

    def step(self, lengths):
        """Adds what one operator of the table makes of a late value, where it fits."""
        x, axes = self.pick(*self.values[-6:])
        features = [i for i, axis in enumerate(axes) if not isinstance(axis, str)]
        time = axes.index("t") if "t" in axes else None
        OPERATORS[self.pick(*OPERATORS)](self, x, axes, features[-1] if features else None, time, lengths)


def function(g, x, axes, f, t, lengths):
    g.add(g.pick(*FUNCTIONS), [x], axes)


def matmul(g, x, axes, f, t, lengths):
    if f == len(axes) - 1:
        size = g.pick(1, 2, 3, 5)
        g.add("MatMul", [x, g.constant(g.normal(axes[f], size))], (*axes[:f], size))


def vector(g, x, axes, f, t, lengths):
    if f == len(axes) - 1:
        g.add(g.pick("Add", "Mul", "Sub"), [x, g.constant(g.normal(axes[f], scale=1))], axes)


def number(g, x, axes, f, t, lengths):
    operands = [x, g.constant(np.float32(g.random.uniform(0.5, 2)))]
    g.add(g.pick("Add", "Mul", "Sub", "Div"), operands if g.chance(0.7) else operands[::-1], axes)


def two(g, x, axes, f, t, lengths):
    g.add(g.pick("Add", "Mul", "Sub", "Max", "Min"), [x, g.alike(axes)], axes)


def softmax(g, x, axes, f, t, lengths):
    axis = g.pick(*[i for i, axis in enumerate(axes) if axis != "b"])
    g.add(g.pick("Softmax", "LogSoftmax"), [x], axes, axis=g.pick(axis, axis - len(axes)))


def reduce(g, x, axes, f, t, lengths):
    operator, keep = g.pick(*REDUCTIONS), g.pick(0, 1)
    axis = g.pick(*[i for i, axis in enumerate(axes) if axis != "b"])
    left = (*axes[:axis], *([1] if keep else []), *axes[axis + 1 :])
    if len(left) < 2:
        return
    if operator == "ReduceSum":
        g.add(operator, [x, g.whole(axis)], left, keepdims=keep)
    else:
        g.add(operator, [x], left, axes=[axis], keepdims=keep)
    if keep and g.chance(0.6):
        g.add(g.pick("Sub", "Mul", "Add"), [x, g.values[-1][0]], axes)


def transpose(g, x, axes, f, t, lengths):
    if len(axes) == 3:
        order = g.random.sample(range(3), 3)
        g.add("Transpose", [x], tuple(axes[i] for i in order), perm=order)


def columns(g, x, axes, f, t, lengths):
    if f is not None and axes[f] > 1:
        start = g.random.randrange(axes[f] - 1)
        end = g.random.randrange(start + 1, axes[f] + 1)
        g.part(x, axes, f, start, end, end - start)


def crop(g, x, axes, f, t, lengths):
    if t is not None:
        start, end, size = g.pick((1, END, "t-1"), (0, -1, "t-1"), (1, -1, "t-2"), (-2, END, "two"), (0, 2, "two"))
        g.part(x, axes, t, start, end, size)


def turn(g, x, axes, f, t, lengths):
    if t is not None:
        g.part(x, axes, t, -1, START, "t", -1)


def difference(g, x, axes, f, t, lengths):
    if t is not None:
        g.part(x, axes, t, 1, END, "t-1")
        g.part(x, axes, t, 0, -1, "t-1")
        (later, left), (earlier, _) = g.values[-2:]
        g.add("Sub", [later, earlier], left)


def one_step(g, x, axes, f, t, lengths):
    left = tuple(axis for axis in axes if axis != "t")
    if t is not None and len(left) > 1:
        g.add("Gather", [x, g.constant(np.int64(g.pick(0, -1)))], left, axis=t)


def join(g, x, axes, f, t, lengths):
    if f is None:
        return
    rest = lambda others: (*others[:f], *others[f + 1 :])
    fits = [v for v in g.values if len(v[1]) == len(axes) and rest(v[1]) == rest(axes) and v[1][f] != "t"]
    y, others = g.pick(*fits)
    if isinstance(others[f], int):
        g.add("Concat", [x, y], (*axes[:f], axes[f] + others[f], *axes[f + 1 :]), axis=f)


def pad(g, x, axes, f, t, lengths):
    if t is None:
        return
    before, after = g.pick((1, 0), (0, 1), (1, 1), (2, 0))
    pads = [0] * 2 * len(axes)
    pads[t], pads[len(axes) + t] = before, after
    mode = g.pick("constant", "constant", "edge", "reflect")
    value = [g.constant(np.float32(0.5))] if mode == "constant" and g.chance(0.4) else []
    g.add("Pad", [x, g.whole(*pads), *value], (*axes[:t], f"t+{before + after}", *axes[t + 1 :]), mode=mode)


def convolve(g, x, axes, f, t, lengths):
    if f == 1 and axes[0] == "b" and t == 2:
        size, outputs = g.pick(1, 2, 3), g.pick(1, 2, 3)
        pads = g.pick((size - 1, 0), ((size - 1) // 2, size - 1 - (size - 1) // 2), (0, 0))
        steps = "t" if sum(pads) == size - 1 else f"t-{size - 1}"
        weights = [g.constant(g.normal(outputs, axes[1], size)), g.constant(g.normal(outputs))]
        g.add("Conv", [x, *weights], ("b", outputs, steps), kernel_shape=[size], pads=list(pads))


def pool(g, x, axes, f, t, lengths):
    if f == 1 and axes[0] == "b" and t == 2:
        g.add(g.pick("MaxPool", "AveragePool"), [x], ("b", axes[1], "half"), kernel_shape=[2], strides=[2])


def sums(g, x, axes, f, t, lengths):
    axis = g.pick(*[i for i, axis in enumerate(axes) if axis != "b"])
    g.add("CumSum", [x, g.constant(np.int64(axis))], axes, exclusive=g.pick(0, 0, 1), reverse=g.pick(0, 1))


def normalize(g, x, axes, f, t, lengths):
    if f == len(axes) - 1:
        weights = [g.constant(g.normal(axes[f]) + 1), g.constant(g.normal(axes[f]))]
        g.add("LayerNormalization", [x, *weights], axes, axis=-1)


def normalize_steps(g, x, axes, f, t, lengths):
    if f == 1 and axes[0] == "b" and len(axes) == 3:
        weights = [g.constant(g.normal(axes[1]) + 1), g.constant(g.normal(axes[1]))]
        g.add("InstanceNormalization", [x, *weights], axes)


def choose(g, x, axes, f, t, lengths):
    test = g.node("Greater", [x, g.constant(np.float32(0.1))])
    other = g.alike(axes) if g.chance(0.7) else g.constant(np.float32(0))
    g.add("Where", [test, x, other], axes)


def again(g, x, axes, f, t, lengths):
    if axes[:2] == ("t", "b") and f == 2:
        g.recurrent(x, axes[2], lengths if g.chance(0.6) else None)


def product(g, x, axes, f, t, lengths):
    if len(axes) == 3 and axes[0] == "b" and f is not None:
        fits = [v for v in g.values if len(v[1]) == 3 and v[1][:2] == ("b", axes[2])]
        if fits:
            y, others = g.pick(*fits)
            g.add("MatMul", [x, y], (*axes[:2], others[2]))


def split(g, x, axes, f, t, lengths):
    if f is not None and axes[f] % 2 == 0:
        half = axes[f] // 2
        parts = g.node("Split", [x, g.whole(half, half)], 2, axis=f)
        g.values += [(part, (*axes[:f], half, *axes[f + 1 :])) for part in parts]


def largest(g, x, axes, f, t, lengths):
    axis = g.pick(*[i for i, axis in enumerate(axes) if axis != "b"])
    found = g.node("ArgMax", [x], axis=axis, keepdims=1)
    g.add("Cast", [found], (*axes[:axis], 1, *axes[axis + 1 :]), to=TensorProto.FLOAT)


def one_more(g, x, axes, f, t, lengths):
    if len(axes) == 2:
        axis = g.pick(0, 1, 2)
        g.add("Unsqueeze", [x, g.whole(axis)], (*axes[:axis], 1, *axes[axis:]))
    elif 1 in axes:
        axis = axes.index(1)
        g.add("Squeeze", [x, g.whole(axis)], (*axes[:axis], *axes[axis + 1 :]))


OPERATORS = {
    f.__name__: f
    for f in (
        *(function, matmul, vector, number, two, softmax, reduce, transpose, columns, crop, turn, difference, one_step),
        *(join, pad, convolve, pool, sums, normalize, normalize_steps, choose, again, product, split, largest, one_more),
    )
}


class Inputs:
    """x, (steps, batch, features) or ids or the batch first; lengths; a mask of steps; a vector a sequence."""

    def __init__(self, g):
        self.size = g.pick(2, 3)
        self.batch_first, self.ids = g.chance(0.5), g.chance(0.15)
        self.lengths, self.mask, self.vector = g.chance(0.45), g.chance(0.2), g.chance(0.2)

    def start(self, g):
        """The steps of x as recurrent nodes read them; the others are values of the graph."""
        x = "x"
        if self.ids:
            x = g.node("Gather", [g.constant(g.normal(7, self.size, scale=1)), x], axis=0)
        if self.batch_first:
            x = g.node("Transpose", [x], perm=[1, 0, 2])
        if self.mask:
            g.values.append(("mask", ("t", "b", 1)))
        if self.vector:
            g.values.append(("vector", ("b", self.size)))
        return x

    def declared(self, needed):
        lead = ["b", "t"] if self.batch_first else ["t", "b"]
        floats = TensorProto.FLOAT
        x = (TensorProto.INT64, lead) if self.ids else (floats, [*lead, self.size])
        rest = {"lengths": (TensorProto.INT32, ["b"]), "mask": (floats, ["t", "b", 1]), "vector": (floats, ["b", self.size])}
        return {name: kind for name, kind in {"x": x, **rest}.items() if name in needed}

    def data(self, g, names, steps, batch):
        lead = (batch, steps) if self.batch_first else (steps, batch)
        lengths = [steps] + [g.random.randint(1, steps) for _ in range(batch - 1)]
        made = {
            "x": g.numbers.integers(0, 7, lead) if self.ids else g.normal(*lead, self.size, scale=1),
            "lengths": np.array(g.random.sample(lengths, batch), "int32"),
            "mask": (g.numbers.uniform(size=(steps, batch, 1)) < 0.7).astype("float32"),
            "vector": g.normal(batch, self.size, scale=1),
        }
        return {name: made[name] for name in names}


def needed_nodes(g, names):
    needed, kept = set(names), []
    for node in reversed(g.nodes):
        if any(name in needed for name in node.output):
            kept.append(node)
            needed |= set(node.input)
    return kept[::-1], needed


def make(seed):
    g = Graph(seed)
    inputs = Inputs(g)
    x, lengths = inputs.start(g), "lengths" if inputs.lengths else None
    given_values = [name for name, _ in g.values]
    g.recurrent(x, inputs.size, lengths)
    wanted = len(g.values) + g.pick(1, 2, 3, 4, 6, 8)
    for _ in range(400):
        if len(g.values) < wanted:
            g.step(lengths)
    read = {name for node in g.nodes for name in node.input}
    outputs = [v for v in g.values if v[0] not in read and v[0] not in given_values][-2:]
    rest = [v for v in g.values if v not in outputs and v[0] not in given_values]
    outputs += g.random.sample(rest, min(len(rest), g.pick(0, 0, 1, 2)))
    nodes, needed = needed_nodes(g, [name for name, _ in outputs])
    if not outputs or "x" not in needed or (lengths and lengths not in needed):
        return False
    declared = inputs.declared(needed)
    words = lambda axes: [axis if isinstance(axis, int) else axis.replace("-", "_less_").replace("+", "_and_") for axis in axes]
    info = lambda name, kind, shape: helper.make_tensor_value_info(name, kind, shape)
    graph = helper.make_graph(
        nodes,
        "random",
        [info(name, kind, shape) for name, (kind, shape) in declared.items()],
        [info(name, TensorProto.FLOAT, words(axes)) for name, axes in outputs],
        [constant for constant in g.constants if constant.name in needed],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 8
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    runs = []
    for steps, batch in ((6, 3), (5, 2)):
        data = inputs.data(g, declared, steps, batch)
        results = session.run(None, data)
        if any(not np.isfinite(y).all() for y in results):
            return False
        found = [
            {"name": name, "value": tensor(y), "time": axes.index("t") if "t" in axes else -1, "batch": axes.index("b")}
            for (name, axes), y in zip(outputs, results)
        ]
        runs.append({"inputs": {name: tensor(x) for name, x in data.items()}, "outputs": found})
    onnx.save(model, f"{given.folder}/{seed}.onnx")
    write(given.folder, seed, f"{seed}.onnx", [node.op_type for node in nodes], runs)
    return True


make_all(given, make)
