"""Writes models of one GRU(640, 640), about 10 MB, with the frameworks that this Python has.

    python -m venv venv && venv/bin/pip install torch keras tensorflow-cpu
    venv/bin/python bench/load/make_models.py FOLDER

keras and torch may be in two environments: run it with each.
"""

import pathlib
import sys

SIZE = 640
folder = pathlib.Path(sys.argv[1])
folder.mkdir(parents=True, exist_ok=True)


def note(name, version):
    print(name, version)
    (folder / f"{name}.version").write_text(version)


def torch_models():
    import numpy
    import torch

    note("torch", torch.__version__)
    gru = torch.nn.GRU(SIZE, SIZE)
    state = gru.state_dict()
    torch.save(state, folder / "torch.pt")
    torch.save(state, folder / "torch-legacy.pt", _use_new_zipfile_serialization=False)
    torch.save({k: v.half() for k, v in state.items()}, folder / "torch-f16.pt")
    torch.jit.script(gru).save(folder / "torchscript.pt")
    arrays = {k: v.numpy() for k, v in state.items()}
    numpy.savez(folder / "numpy.npz", **arrays)
    numpy.savez_compressed(folder / "numpy-compressed.npz", **arrays)


def keras_models():
    import keras

    note("keras", keras.__version__)
    model = keras.Sequential([keras.Input((None, SIZE)), keras.layers.GRU(SIZE, return_sequences=True)])
    model.save(folder / "keras.keras")
    model.save(folder / "keras.h5")
    model.save_weights(folder / "keras.weights.h5")
    (folder / "config.json").write_text(model.to_json())


for make in (torch_models, keras_models):
    try:
        make()
    except ImportError as error:
        print(f"left out: {error}")
