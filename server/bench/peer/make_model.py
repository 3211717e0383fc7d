"""One step of a GRU (reset gate after the matmul), its state in and out: what a server without sequences runs. Usage: make_model.py FOLDER INPUT HIDDEN."""

import json
import pathlib
import sys

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

folder, size, hidden = pathlib.Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
random = np.random.default_rng(1)


def tensor(name, *shape):
    return numpy_helper.from_array(random.uniform(-0.3, 0.3, shape).astype(np.float32), name)


def model(name, inputs, gru, outputs):
    node = helper.make_node("GRU", gru, ["all", "last"], hidden_size=hidden, linear_before_reset=1)
    squeeze = helper.make_node("Squeeze", ["all", "directions"], ["y"])
    weights = [tensor("W", 1, 3 * hidden, size), tensor("R", 1, 3 * hidden, hidden), tensor("B", 1, 6 * hidden)]
    axes = numpy_helper.from_array(np.array([1], np.int64), "directions")
    graph = helper.make_graph([node, squeeze], name, inputs, outputs, [*weights, axes])
    opset = [helper.make_opsetid("", 14)]
    onnx.save(helper.make_model(graph, opset_imports=opset, ir_version=8), folder / f"{name}.onnx")


def value(name, *shape):
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)


random = np.random.default_rng(1)
model("model", [value("x", "steps", "batch", size)], ["x", "W", "R", "B"], [value("y", "steps", "batch", hidden)])
random = np.random.default_rng(1)
model(
    "step",
    [value("x", 1, 1, size), value("h", 1, 1, hidden)],
    ["x", "W", "R", "B", "", "h"],
    [value("y", 1, 1, hidden), value("last", 1, 1, hidden)],
)
settings = {
    "name": "step",
    "implementation": "runtime.OnnxStep",
    "parameters": {"uri": str(folder / "step.onnx")},
}
(folder / "model-settings.json").write_text(json.dumps(settings))
ports = {"http_port": int(sys.argv[4]), "grpc_port": int(sys.argv[5]), "metrics_port": int(sys.argv[6])}
(folder / "settings.json").write_text(json.dumps({**ports, "host": "127.0.0.1", "parallel_workers": 0, "debug": False, "metrics_dir": str(folder)}))
