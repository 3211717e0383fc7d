"""Models of random Keras layers, with masks, and what Keras makes of them: see README.md."""

import os
import random
import sys

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["CUDA_VISIBLE_DEVICES"] = ""
if "--keras2" in sys.argv:
    os.environ["TF_USE_LEGACY_KERAS"] = "1"

import numpy as np
from results import arguments, make_all, tensor, write

given = arguments(__doc__, "--keras2")
if given.keras2:
    import tf_keras as keras
else:
    import keras
layers = keras.layers

FUNCTIONS = "tanh relu sigmoid linear elu softplus softsign selu gelu swish hard_sigmoid".split()


class Model:
    def __init__(self, seed):
        self.random = random.Random(seed)
        self.numbers = np.random.default_rng(seed)
        self.steps = self.pick(None, None, 6)
        self.inputs, self.kinds, self.values = [], [], []
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
            x = layers.Input((self.steps,), dtype="int32", name=name)
            value = layers.Embedding(7, size, mask_zero=kind == "masked ids")(x)
        else:
            x = layers.Input((self.steps, size), name=name)
            value = layers.Masking(0.0)(x) if kind == "masked" else x
        self.inputs.append(x)
        self.kinds.append(kind)
        self.values.append(value)

    def recurrent(self, x, sequences):
        kind = self.pick("GRU", "GRU", "LSTM", "SimpleRNN")
        config = {"units": self.pick(2, 3, 4), "return_sequences": sequences}
        if kind == "GRU":
            config["reset_after"] = self.chance(0.5)
        if self.chance(0.15):
            config["activation"] = self.pick("relu", "sigmoid", "softsign")
        if self.chance(0.1) and kind != "SimpleRNN":
            config["recurrent_activation"] = "hard_sigmoid"
        if self.chance(0.2):
            config["use_bias"] = False
        if self.chance(0.35):
            layer = getattr(layers, kind)(**config)
            return layers.Bidirectional(layer, merge_mode=self.pick("concat", "sum", "mul", "ave"))(x)
        return getattr(layers, kind)(**config, go_backwards=self.chance(0.2))(x)

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
        for x, kind in zip(self.inputs, self.kinds):
            if "ids" in kind:
                values = self.numbers.integers(1, 7, (batch, steps)).astype("int32")
            else:
                values = self.numbers.normal(size=(batch, steps, x.shape[-1])).astype("float32")
            if "masked" in kind:
                values[0, -2:] = 0
                if self.chance(0.4):
                    values[1, 0] = 0
                if self.chance(0.2) and batch > 2:
                    values[2, 1] = 0
            inputs[x.name.split(":")[0]] = values
        return inputs


EACH = [
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
    lambda m, x, n: layers.TimeDistributed(layers.Dense(m.pick(2, 3), activation=m.pick(*FUNCTIONS)))(x),
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


def make(seed):
    keras.backend.clear_session() if given.keras2 else keras.utils.clear_session()
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
    for batch, steps in [(3, 6)] if made.steps else [(3, 6), (2, 5)]:
        inputs = made.data(batch, steps)
        results = model(list(inputs.values()) if len(inputs) > 1 else list(inputs.values())[0], training=False)
        results = [np.asarray(y) for y in (results if isinstance(results, (list, tuple)) else [results])]
        if any(not np.isfinite(y).all() or np.abs(y).max() > 1e4 for y in results):
            return False
        runs.append(
            {"inputs": {k: tensor(x) for k, x in inputs.items()}, "outputs": [{"value": tensor(y)} for y in results]}
        )
    file = f"{seed}." + ("h5" if given.keras2 else "keras")
    model.save(f"{given.folder}/{file}")
    write(given.folder, seed, file, [type(layer).__name__ for layer in model.layers], runs)
    return True


make_all(given, make)
