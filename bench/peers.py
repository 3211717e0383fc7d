#!/usr/bin/env python3
"""Weights of 8 bits, ours and of others: PyTorch's dynamic int8 GRU and LSTM (quantize_dynamic), ONNX Runtime's int8 LSTM
(onnxruntime.quantization; it has no GRU of integers), and ours by peers.ts, a Node 24 process.

    pip install torch onnx onnxruntime safetensors
    python3 peers.py --node NODE24 [--out FILE.md] [--rounds 9] [--seconds 0.1]

One thread each. In each round each engine has its turn, in an order that rotates; ratios are medians over the rounds. The outputs of all
are compared with PyTorch in float64 first: the largest distance is in the record, and an engine further off than 0.05 is not timed.
"""
import argparse
import datetime
import json
import logging
import platform
import statistics
import subprocess
import tempfile
import time
import warnings
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import torch
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization import QuantType, quantize_dynamic
from safetensors.numpy import save_file

HERE = Path(__file__).resolve().parent
ROWS = [(64, 1, 1), (256, 1, 1), (64, 100, 1), (128, 100, 1), (256, 100, 1), (512, 50, 1), (1024, 25, 1), (128, 100, 16), (256, 50, 32)]
BOUND = 0.05
CELLS = {'gru': torch.nn.GRU, 'lstm': torch.nn.LSTM}


def torch_engines(module, x):
    """PyTorch in float32 and with weights of 8 bits."""
    # Children are replaced, not the module itself.
    (quantized,) = torch.ao.quantization.quantize_dynamic(torch.nn.Sequential(module), {type(module)}, dtype=torch.qint8)
    assert 'quantized' in type(quantized).__module__, type(quantized)
    x = torch.from_numpy(x)

    def runner(net):
        def run():
            with torch.inference_mode():
                return net(x)[0].numpy()

        return run

    return {'torch': runner(module), 'torch int8': runner(quantized)}


def onnx_file(cell, module, size, path):
    """One node of the cell: gates of ONNX's order (GRU z, r, h; LSTM i, o, f, c), of PyTorch's (r, z, n; i, f, g, o)."""
    order = {'gru': (1, 0, 2), 'lstm': (0, 3, 1, 2)}[cell]
    parts = lambda tensor: np.concatenate([np.split(tensor.detach().numpy(), len(order))[gate] for gate in order])
    w, r = parts(module.weight_ih_l0)[None], parts(module.weight_hh_l0)[None]
    b = np.concatenate([parts(module.bias_ih_l0), parts(module.bias_hh_l0)])[None]
    attributes = {'linear_before_reset': 1} if cell == 'gru' else {}
    node = helper.make_node(cell.upper(), ['x', 'W', 'R', 'B'], ['y'], hidden_size=size, **attributes)
    graph = helper.make_graph(
        [node],
        cell,
        [helper.make_tensor_value_info('x', TensorProto.FLOAT, ['steps', 'batch', size])],
        [helper.make_tensor_value_info('y', TensorProto.FLOAT, ['steps', 1, 'batch', size])],
        [numpy_helper.from_array(value, name) for name, value in (('W', w), ('R', r), ('B', b))],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid('', 14)], ir_version=8), path)


def ort_engines(cell, module, size, x, folder):
    """ONNX Runtime in float32 and, of an LSTM, with weights of 8 bits."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    x = np.ascontiguousarray(x.transpose(1, 0, 2))
    float_file, int_file = str(folder / 'float.onnx'), str(folder / 'int8.onnx')
    onnx_file(cell, module, size, float_file)
    files = {'ORT': float_file}
    if cell == 'lstm':
        quantize_dynamic(float_file, int_file, weight_type=QuantType.QInt8)
        kinds = {node.op_type for node in onnx.load(int_file).graph.node}
        assert 'DynamicQuantizeLSTM' in kinds, kinds
        files['ORT int8'] = int_file

    def runner(file):
        session = onnxruntime.InferenceSession(file, options, providers=['CPUExecutionProvider'])
        return lambda: session.run(None, {'x': x})[0][:, 0].transpose(1, 0, 2)

    return {name: runner(file) for name, file in files.items()}


class Ours:
    """peers.ts: a request a line, an answer a line."""

    def __init__(self, node):
        self.child = subprocess.Popen([node, HERE / 'peers.ts'], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=HERE)
        self.about = self.ask({})

    def ask(self, request):
        self.child.stdin.write(json.dumps(request) + '\n')
        self.child.stdin.flush()
        return json.loads(self.child.stdout.readline())


def timed(run, seconds):
    """Seconds a call."""
    calls, start = 0, time.perf_counter()
    while True:
        run()
        calls += 1
        taken = time.perf_counter() - start
        if taken >= seconds:
            return taken / calls


def measure(ours, cell, row, rounds, seconds, folder):
    size, steps, batch = row
    torch.manual_seed(1)
    module = CELLS[cell](size, size, batch_first=True).eval()
    x = np.random.default_rng(1).uniform(-1, 1, (batch, steps, size)).astype(np.float32)
    with torch.inference_mode():
        truth = CELLS[cell](size, size, batch_first=True).double()
        truth.load_state_dict(module.state_dict())
        want = truth(torch.from_numpy(x).double())[0].numpy()
    save_file({name: tensor.detach().numpy() for name, tensor in module.state_dict().items()}, folder / 'model.safetensors')
    x.tofile(folder / 'x')
    engines = {**torch_engines(module, x), **ort_engines(cell, module, size, x, folder)}
    errors = {name: float(np.abs(run() - want).max()) for name, run in engines.items()}
    times = {name: (lambda run=run: timed(run, seconds)) for name, run in engines.items()}
    for precision in ('f32', 'i16', 'i8'):
        ours.ask({'prepare': precision, 'folder': str(folder), 'cell': cell, 'shape': [batch, steps, size]})
        got = np.fromfile(folder / precision, np.float32).reshape(want.shape)
        errors[precision] = float(np.abs(got - want).max())
        times[precision] = lambda precision=precision: ours.ask({'time': precision, 'seconds': seconds})['seconds']
    names = [name for name, error in errors.items() if error < BOUND]
    for name in names:
        times[name]()
    taken = {name: [] for name in names}
    for i in range(rounds):
        for name in names[i % len(names):] + names[:i % len(names)]:
            taken[name].append(times[name]())
    return errors, taken


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('--node', default='node')
    parser.add_argument('--out')
    parser.add_argument('--rounds', type=int, default=9)
    parser.add_argument('--seconds', type=float, default=0.1)
    args = parser.parse_args()
    torch.set_num_threads(1)
    # What PyTorch says of its own future, and ONNX Runtime of preparing models that are one node.
    warnings.simplefilter('ignore')
    logging.disable(logging.WARNING)
    ours = Ours(args.node)
    lines = [
        f'# Weights of 8 bits, ours and of others: {ours.about["machine"]}; {ours.about["commit"]}',
        '',
        f'By `bench/peers.py`, {datetime.date.today()}: Node {ours.about["node"]}, Python {platform.python_version()}, torch {torch.__version__}'
        f' ({torch.backends.quantized.engine}), onnxruntime {onnxruntime.__version__}; one thread, {args.rounds} rounds in turns.',
        'Microseconds a call; in brackets how many times as long as our i8; the largest distance from float64.',
    ]
    for cell in CELLS:
        names = ['i8', 'i16', 'f32', 'torch int8', 'torch'] + (['ORT int8'] if cell == 'lstm' else []) + ['ORT']
        lines += ['', f'## {cell.upper()} (I = H, T, B)' + (', reset after' if cell == 'gru' else ''), '', f'| row | {" | ".join(names)} |', '|---' * (len(names) + 1) + '|']
        for row in ROWS:
            with tempfile.TemporaryDirectory() as folder:
                errors, taken = measure(ours, cell, row, args.rounds, args.seconds, Path(folder))
            cells = []
            for name in names:
                if name not in taken:
                    cells.append(f'wrong: {errors[name]:.1e}')
                    continue
                ratio = statistics.median(theirs / own for theirs, own in zip(taken[name], taken['i8']))
                taken_us = 1e6 * statistics.median(taken[name])
                cells.append(f'{taken_us:,.{0 if taken_us > 100 else 1}f} ({ratio:.2f}x), {errors[name]:.0e}')
            lines.append(f'| {", ".join(map(str, row))} | {" | ".join(cells)} |')
            print(lines[-1], flush=True)
    if args.out:
        Path(args.out).write_text('\n'.join(lines) + '\n')


main()
