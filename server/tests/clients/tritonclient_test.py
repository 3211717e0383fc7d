"""What tritonclient (PyPI) does with a server: its HTTP port, then its gRPC port, are the arguments. The model is tests/models.ts's."""

import queue
import sys

import numpy as np
import tritonclient.grpc as grpc
import tritonclient.http as http
from tritonclient.utils import InferenceServerException

h = http.InferenceServerClient(f"127.0.0.1:{sys.argv[1]}")
g = grpc.InferenceServerClient(f"127.0.0.1:{sys.argv[2]}")
for c in (h, g):
    assert c.is_server_live() and c.is_server_ready() and c.is_model_ready("gru")
assert h.get_model_metadata("gru")["inputs"] == [{"name": "x", "datatype": "FP32", "shape": [-1, -1, 3]}]
assert g.get_model_metadata("gru", as_json=True)["platform"] == "gru-wasm"
assert h.get_model_repository_index() == [{"name": "gru", "version": "1", "state": "READY"}]
x = np.random.default_rng(0).normal(size=(1, 6, 3)).astype(np.float32)


def infer(c, m, x, binary=True, **more):
    i = m.InferInput("x", x.shape, "FP32")
    if m is http:
        i.set_data_from_numpy(x, binary_data=binary)
    else:
        i.set_data_from_numpy(x)
    return c.infer("gru", [i], **more).as_numpy("y")


whole = infer(h, http, x)
assert whole.shape == (1, 6, 5)
assert (infer(h, http, x, binary=False) == whole).all()
assert (infer(g, grpc, x) == whole).all()


def flags(t):
    return {"sequence_start": t == 0, "sequence_end": t == 5}


for c, m, i in ((h, http, 7), (g, grpc, 8), (h, http, "talk"), (g, grpc, "speak")):
    steps = [infer(c, m, x[:, t : t + 1], sequence_id=i, **flags(t)) for t in range(6)]
    assert (np.concatenate(steps, axis=1) == whole).all(), (m, i)

answers = queue.Queue()
g.start_stream(callback=lambda result, error: answers.put((result, error)))
for t in range(6):
    i = grpc.InferInput("x", (1, 1, 3), "FP32")
    i.set_data_from_numpy(x[:, t : t + 1])
    g.async_stream_infer("gru", [i], sequence_id=9, **flags(t))
results = [answers.get(timeout=60) for _ in range(6)]
g.stop_stream()
assert all(error is None for _, error in results)
assert (np.concatenate([result.as_numpy("y") for result, _ in results], axis=1) == whole).all()

try:
    infer(h, http, x[:, :1], sequence_id=99)
    raise SystemExit("an unknown sequence was answered")
except InferenceServerException as error:
    assert "no sequence" in str(error), error
print("ok")
