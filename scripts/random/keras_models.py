"""Models of random Keras layers, with masks, and what Keras, or onnxruntime of their export, makes of them: see README.md."""

import contextlib
import io
import logging
import os
import random
import sys

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["CUDA_VISIBLE_DEVICES"] = ""
if "--keras2" in sys.argv:
    os.environ["TF_USE_LEGACY_KERAS"] = "1"

import numpy as np
from results import arguments, make_all, tensor, write

given = arguments(__doc__, "--keras2", "--onnx")
if given.keras2:
    import tf_keras as keras
else:
    import keras
layers = keras.layers

logging.disable(logging.CRITICAL)

FUNCTIONS = "tanh relu sigmoid linear elu softplus softsign selu gelu swish hard_sigmoid exponential softmax mish leaky_relu".split()
FUNCTIONS += "relu6 silu log_softmax".split()
if not given.keras2:
    FUNCTIONS += "celu hard_shrink hard_silu hard_tanh log_sigmoid soft_shrink sparse_plus sparse_sigmoid".split()
    FUNCTIONS += "squareplus tanh_shrink threshold".split()
CELLS = {"GRU": layers.GRUCell, "LSTM": layers.LSTMCell, "SimpleRNN": layers.SimpleRNNCell}


class Model:
    def __init__(self, seed):
        self.random = random.Random(seed)
        self.numbers = np.random.default_rng(seed)
        self.steps = self.pick(None, None, 6)
        self.batch = 3 if self.chance(0.05) else None
        self.inputs, self.kinds, self.values = [], [], []
        # Of recurrent layers: their type and units, and the tensors; embeddings, to be used again.
        self.states, self.tables = [], []
        # Whether a second input has steps of its own.
        self.apart = self.steps is None and self.chance(0.5)
        for _ in range(self.pick(1, 1, 1, 2)):
            self.add_input(f"in{len(self.inputs)}")
        self.given = len(self.values)

    def pick(self, *choices):
        return self.random.choice(choices)

    def chance(self, share):
        return self.random.random() < share

    def add_input(self, name):
        """Floats, floats or ids of which zeros are masked, or ids."""
        kind = self.pick("floats", "floats", "masked", "ids", "masked ids")
        size = self.pick(2, 3, 4)
        if "ids" in kind:
            x = layers.Input(batch_shape=(self.batch, self.steps), dtype="int32", name=name)
            if not self.tables or self.chance(0.5):
                self.tables.append((kind, layers.Embedding(7, size, mask_zero=kind == "masked ids")))
            kind, table = self.tables[-1]
            value = table(x)
        else:
            x = layers.Input(batch_shape=(self.batch, self.steps, size), name=name)
            value = layers.Masking(0.0)(x) if kind == "masked" else x
        self.inputs.append(x)
        self.kinds.append(kind)
        self.values.append(value)

    def recurrent_config(self, kind, units):
        config = {"units": units}
        if kind == "GRU":
            config["reset_after"] = self.chance(0.5)
        if self.chance(0.15):
            config["activation"] = self.pick("relu", "sigmoid", "softsign")
        if self.chance(0.1) and kind != "SimpleRNN":
            config["recurrent_activation"] = "hard_sigmoid"
        if self.chance(0.2):
            config["use_bias"] = False
        return config

    def cells(self, kind, units):
        """One cell or several, as RNN takes them."""
        sizes = [units, self.pick(2, 3)] if self.chance(0.5) else [units]
        made = [CELLS[kind](**self.recurrent_config(kind, size)) for size in sizes]
        if len(made) == 1:
            return made[0]
        return layers.StackedRNNCells(made) if self.chance(0.5) else made

    def recurrent(self, x, sequences):
        kind, units = self.pick("GRU", "GRU", "LSTM", "SimpleRNN"), self.pick(2, 3, 4)
        count = 2 if kind == "LSTM" else 1
        both = self.chance(0.35)
        flags = {"return_sequences": sequences, "return_state": self.chance(0.3), "stateful": bool(self.batch)}
        initial = None
        known = [(k, u, h) for k, u, h in self.states if len(h) == count * (1 + both)]
        if known and self.chance(0.6):
            kind, units, initial = self.random.choice(known)
        elif self.chance(0.15):
            vectors = [y for y in self.values if len(y.shape) == 2 and y.shape[-1] <= 4]
            if vectors:
                vector = self.random.choice(vectors)
                units, initial = vector.shape[-1], [vector] * count * (1 + both)
        make = lambda **more: getattr(layers, kind)(**self.recurrent_config(kind, units), **flags, **more)
        if both:
            merge = self.pick("concat", "sum", "mul", "ave", None)
            more = {"backward_layer": make(go_backwards=True)} if self.chance(0.3) else {}
            layer = layers.Bidirectional(make(), merge_mode=merge, **more)
        elif initial is None and self.chance(0.25):
            layer = layers.RNN(self.cells(kind, units), **flags, go_backwards=self.chance(0.2))
            kind = None
        else:
            layer = make(go_backwards=self.chance(0.2))
        results = layer(x, initial_state=initial if both or count > 1 else initial[0]) if initial else layer(x)
        results = list(results) if isinstance(results, (list, tuple)) else [results]
        if flags["return_state"]:
            states = count * (1 + both)
            if kind:
                self.states.append((kind, units, results[-states:]))
                self.values.append(self.random.choice(results[-states:]))
                results = results[:-states]
        self.values += results[1:] if both else []
        return results[0]

    def nested(self, x):
        """A model of its own as a layer, at times used twice."""
        inner = layers.Input(x.shape[1:])
        values, self.values = self.values, [inner]
        states, self.states = self.states, []
        for _ in range(self.pick(1, 2, 3)):
            self.step()
        made, self.values = self.values[-1], values
        self.states = states
        model = keras.Model(inner, made)
        if self.chance(0.3):
            self.values.append(model(self.alike(x)))
        return model(x)

    def sequential(self, x):
        steps = len(x.shape) == 3
        kinds = SIMPLE + (SIMPLE_STEPS if steps else [])
        made = [self.random.choice(kinds)(self) for _ in range(self.pick(1, 2, 3))]
        if steps and self.chance(0.4):
            made.append(layers.GRU(self.pick(2, 3)))
        first = [layers.Input(x.shape[1:])] if self.chance(0.7) else []
        return keras.Sequential(first + made)(x)

    def distributed(self, x):
        inner = self.random.choice(SIMPLE)(self)
        if self.chance(0.3):
            inner = keras.Sequential([layers.Input(x.shape[2:]), inner, self.random.choice(SIMPLE)(self)])
        return layers.TimeDistributed(inner)(x)

    def operated(self, x):
        """Python's operators and functions on tensors."""
        y = self.alike(x)
        steps = len(x.shape) == 3
        table = OPERATORS + (OPERATORS_OVER_STEPS if steps else [])
        return self.random.choice(table)(x, y)

    def alike(self, x, last=False, steps=False):
        """A value of the same rank: of the same shape, or with the same last size, or with steps."""
        fits = lambda y: len(y.shape) == len(x.shape) and (
            steps or (y.shape[-1] == x.shape[-1] if last else y.shape == x.shape)
        )
        return self.random.choice([y for y in self.values if fits(y)])

    def merge(self, x):
        kind = self.pick("Add", "Multiply", "Average", "Maximum", "Minimum", "Subtract")
        others = [self.alike(x) for _ in range(1 if kind == "Subtract" else self.pick(1, 1, 2))]
        return getattr(layers, kind)()([x, *others])

    def concatenate(self, x):
        beside = [y for y in self.values if len(y.shape) == len(x.shape) and y.shape[:-1] == x.shape[:-1]]
        return layers.Concatenate()([x, self.random.choice(beside)])

    def convolution(self, x):
        stride, dilation = self.pick((1, 1), (1, 1), (2, 1), (1, 2))
        config = {"padding": self.pick("same", "causal", "valid"), "activation": self.pick(*FUNCTIONS)}
        size = self.pick(1, 2, 3)
        return layers.Conv1D(self.pick(2, 4), size, strides=stride, dilation_rate=dilation, **config)(x)

    def attend(self, x):
        y = self.alike(x, last=True)
        if self.chance(0.5):
            return layers.Attention(use_scale=self.chance(0.5))([x, y])
        return layers.AdditiveAttention()([x, y])

    def weigh(self, x):
        y = self.alike(x, last=True)
        scores = layers.Softmax()(layers.Dot((2, 2))([x, y]))
        return layers.Dot((2, 1))([scores, y])

    def heads(self, x):
        return layers.MultiHeadAttention(self.pick(1, 2), 2)(x, self.alike(x, steps=True))

    def step(self):
        x = self.random.choice(self.values[-4:])
        table = OVER_STEPS if len(x.shape) == 3 else OF_VECTORS
        self.values.append(self.random.choice(table)(self, x, x.shape[-1]))

    def fill(self, model):
        for weight in model.weights:
            name = getattr(weight, "path", None) or weight.name
            values = np.asarray(weight.numpy())
            if values.dtype.kind != "f":
                continue
            made = self.numbers.normal(size=values.shape) * 0.5
            weight.assign((np.abs(made) + 0.5 if "variance" in name else made).astype("float32"))

    def data(self, batch, steps):
        """Masked at the end, and some at the start or in between."""
        inputs = {}
        for i, (x, kind) in enumerate(zip(self.inputs, self.kinds)):
            count = steps - i if self.apart else steps
            if "ids" in kind:
                values = self.numbers.integers(1, 7, (batch, count)).astype("int32")
            else:
                values = self.numbers.normal(size=(batch, count, x.shape[-1])).astype("float32")
            if "masked" in kind:
                values[0, -2:] = 0
                if self.chance(0.4):
                    values[1, 0] = 0
                if self.chance(0.2) and batch > 2:
                    values[2, 1] = 0
            inputs[x.name.split(":")[0]] = values
        return inputs


SIMPLE = [
    lambda m: layers.Dense(m.pick(2, 3), activation=m.pick(*FUNCTIONS)),
    lambda m: layers.Activation(m.pick(*FUNCTIONS)),
    lambda m: layers.LayerNormalization(),
    lambda m: layers.BatchNormalization(),
    lambda m: layers.Dropout(0.2),
]
SIMPLE_STEPS = [
    lambda m: layers.Masking(0.0),
    lambda m: layers.GRU(m.pick(2, 3), return_sequences=True),
    lambda m: layers.Bidirectional(layers.LSTM(2, return_sequences=True)),
    lambda m: layers.Conv1D(2, 2, padding="causal"),
    lambda m: layers.TimeDistributed(layers.Dense(2)),
]
OPERATORS = [
    lambda x, y: x + y,
    lambda x, y: x - y,
    lambda x, y: x * y,
    lambda x, y: x / (y * y + 1.0),
    lambda x, y: 1.0 - x,
    lambda x, y: x * 2.0 + 0.5,
    lambda x, y: -x,
    lambda x, y: x**2,
]
OPERATORS_OVER_STEPS = [
    lambda x, y: x[:, -1],
    lambda x, y: x[:, -1, :],
    lambda x, y: x[:, 1:],
    lambda x, y: x[:, :-1, :],
    lambda x, y: x[:, 1:] - x[:, :-1],
    lambda x, y: x[..., :1],
]
if given.keras2:
    import tensorflow as tf

    OPERATORS += [
        lambda x, y: tf.nn.softmax(x),
        lambda x, y: tf.nn.relu(x),
        lambda x, y: tf.tanh(x),
        lambda x, y: tf.concat([x, y], -1),
        lambda x, y: tf.maximum(x, y),
        lambda x, y: tf.exp(-tf.abs(x)),
    ]
    OPERATORS_OVER_STEPS += [
        lambda x, y: tf.reduce_mean(x, 1),
        lambda x, y: tf.reduce_max(x, axis=1),
        lambda x, y: tf.reduce_sum(x, axis=-1, keepdims=True),
        lambda x, y: tf.reverse(x, [1]),
        lambda x, y: tf.matmul(tf.nn.softmax(tf.matmul(x, y, transpose_b=True)), y),
    ]
else:
    ops = keras.ops
    OPERATORS += [
        lambda x, y: ops.softmax(x),
        lambda x, y: ops.relu(x),
        lambda x, y: ops.tanh(x),
        lambda x, y: ops.concatenate([x, y], axis=-1),
        lambda x, y: ops.maximum(x, y),
        lambda x, y: ops.exp(-ops.abs(x)),
        lambda x, y: ops.clip(x, -0.3, 0.4),
        lambda x, y: ops.where(x > 0.1, x, y),
        lambda x, y: ops.normalize(x, axis=-1),
    ]
    OPERATORS_OVER_STEPS += [
        lambda x, y: ops.mean(x, axis=1),
        lambda x, y: ops.max(x, axis=1),
        lambda x, y: ops.sum(x, axis=-1, keepdims=True),
        lambda x, y: ops.flip(x, axis=1),
        lambda x, y: ops.matmul(ops.softmax(ops.matmul(x, ops.transpose(y, (0, 2, 1)))), y),
        lambda x, y: ops.sum(x * ops.softmax(y, axis=1), axis=1),
        lambda x, y: ops.std(x, axis=1),
        lambda x, y: ops.cumsum(x, axis=1),
        lambda x, y: ops.take(x, -1, axis=1),
    ]
EACH = [
    lambda m, x, n: m.operated(x),
    lambda m, x, n: m.operated(x),
    lambda m, x, n: m.sequential(x),
    lambda m, x, n: m.nested(x),
    lambda m, x, n: layers.Dense(m.pick(1, 2, 3), activation=m.pick(*FUNCTIONS), use_bias=m.chance(0.8))(x),
    lambda m, x, n: layers.Activation(m.pick(*FUNCTIONS))(x),
    lambda m, x, n: layers.BatchNormalization(scale=m.chance(0.8), center=m.chance(0.8))(x),
    lambda m, x, n: layers.LayerNormalization(scale=m.chance(0.8), center=m.chance(0.8))(x),
    lambda m, x, n: layers.UnitNormalization()(x),
    lambda m, x, n: layers.Rescaling(m.pick(0.5, 2.0), offset=m.pick(0.0, 0.3))(x),
    lambda m, x, n: layers.Normalization(mean=[0.1] * n, variance=[2.0] * n)(x),
    lambda m, x, n: m.pick(layers.LeakyReLU, layers.ELU)()(x),
    lambda m, x, n: layers.ReLU(max_value=0.5, negative_slope=0.1, threshold=0.05)(x),
    lambda m, x, n: layers.Softmax()(x),
    lambda m, x, n: layers.Dropout(0.3)(x),
    lambda m, x, n: m.merge(x),
    lambda m, x, n: m.merge(x),
    lambda m, x, n: m.concatenate(x),
]
OVER_STEPS = EACH + [
    lambda m, x, n: m.recurrent(x, True),
    lambda m, x, n: m.recurrent(x, True),
    lambda m, x, n: m.recurrent(x, True),
    lambda m, x, n: m.recurrent(x, False),
    lambda m, x, n: m.distributed(x),
    lambda m, x, n: m.distributed(x),
    lambda m, x, n: layers.Conv1DTranspose(2, m.pick(2, 3), strides=m.pick(1, 2), padding=m.pick("same", "valid"))(x),
    lambda m, x, n: layers.SpatialDropout1D(0.2)(x),
    lambda m, x, n: m.convolution(x),
    lambda m, x, n: layers.SeparableConv1D(m.pick(2, 3), 2, padding=m.pick("same", "valid"))(x),
    lambda m, x, n: layers.DepthwiseConv1D(m.pick(2, 3), padding=m.pick("same", "valid"))(x),
    lambda m, x, n: m.pick(layers.MaxPooling1D, layers.AveragePooling1D)(2, m.pick(1, 2), m.pick("same", "valid"))(x),
    lambda m, x, n: layers.UpSampling1D(2)(x),
    lambda m, x, n: layers.ZeroPadding1D(m.pick(1, (1, 0), (0, 2)))(x),
    lambda m, x, n: layers.Cropping1D(m.pick((1, 0), (0, 1), (1, 1)))(x),
    lambda m, x, n: layers.GroupNormalization(m.pick(1, -1))(x),
    lambda m, x, n: layers.PReLU(shared_axes=[1])(x),
    lambda m, x, n: layers.Softmax(axis=1)(x),
    lambda m, x, n: layers.Masking(0.0)(x),
    lambda m, x, n: layers.GlobalMaxPooling1D()(x),
    lambda m, x, n: layers.GlobalAveragePooling1D()(x),
    lambda m, x, n: layers.Permute((1, 2))(x),
    lambda m, x, n: x[:, m.pick(-1, 0)],
    lambda m, x, n: x[:, :, : max(1, n - 1)],
    lambda m, x, n: (layers.Flatten if x.shape[1] else layers.GlobalMaxPooling1D)()(x),
    lambda m, x, n: layers.Concatenate()([x, m.recurrent(x, True)]),
    lambda m, x, n: layers.Multiply()([x, layers.Dense(n, activation="sigmoid")(x)]),
    lambda m, x, n: m.attend(x),
    lambda m, x, n: m.weigh(x),
    lambda m, x, n: m.heads(x),
]
OF_VECTORS = EACH + [lambda m, x, n: layers.RepeatVector(m.pick(3, 6))(x)] * 2


def reads_all(inputs, outputs):
    def stands_without(i):
        try:
            keras.Model(inputs[:i] + inputs[i + 1 :], outputs)
            return True
        except Exception:
            return False

    return len(inputs) == 1 or not any(stands_without(i) for i in range(len(inputs)))


def export(model, seed, runs):
    """Writes the model by tf2onnx; the runs as onnxruntime has them."""
    import onnxruntime

    file = f"{given.folder}/{seed}.onnx"
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        if given.keras2:
            import tf2onnx

            tf2onnx.convert.from_keras(model, output_path=file)
        else:
            model.export(file, format="onnx", verbose=False)
    session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
    asked, names = ([x.name for x in both] for both in (session.get_inputs(), session.get_outputs()))
    for run in runs:
        arrays = {name: np.array(x["data"], x["dtype"]).reshape(x["shape"]) for name, x in run["inputs"].items()}
        if len(asked) == len(arrays):
            arrays = dict(zip(asked, arrays.values()))
        arrays = {name: arrays[name] for name in asked}
        results = session.run(None, arrays)
        run["inputs"] = {name: tensor(x) for name, x in arrays.items()}
        run["outputs"] = [{"name": name, "value": tensor(y)} for name, y in zip(names, results)]
    return f"{seed}.onnx"


def make(seed):
    keras.backend.clear_session() if given.keras2 else keras.utils.clear_session()
    is_half = random.Random(seed).random() < 0.04
    keras.mixed_precision.set_global_policy("mixed_float16" if is_half else "float32")
    made = Model(seed)
    for _ in range(made.pick(1, 2, 3, 4, 6, 8)):
        made.step()
    new = made.values[made.given :]
    outputs = [new[-1]] + ([made.pick(*new[:-1])] if len(new) > 1 and made.chance(0.3) else [])
    if not reads_all(made.inputs, outputs):
        return False
    model = keras.Model(made.inputs, outputs)
    made.fill(model)
    runs = []
    for batch, steps in [(3, 6)] if made.steps or made.batch else [(3, 6), (2, 5)]:
        inputs = made.data(batch, steps)
        results = model(list(inputs.values()) if len(inputs) > 1 else list(inputs.values())[0], training=False)
        results = [np.asarray(y, "float32") for y in (results if isinstance(results, (list, tuple)) else [results])]
        if any(not np.isfinite(y).all() or np.abs(y).max() > 1e4 for y in results):
            return False
        runs.append(
            {"inputs": {k: tensor(x) for k, x in inputs.items()}, "outputs": [{"value": tensor(y)} for y in results]}
        )
    file = f"{seed}." + made.pick("h5", "keras")
    if given.onnx:
        file = export(model, seed, runs)
    else:
        model.save(f"{given.folder}/{file}")
    # Their sums and products have 11 bits; ours, of the same weights, 24.
    more = {"tolerance": 0.03} if is_half else {}
    write(given.folder, seed, file, [type(layer).__name__ for layer in model.layers], runs, **more)
    return True


make_all(given, make)
