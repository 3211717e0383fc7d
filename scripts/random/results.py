"""What the scripts beside this one share: the command line, and one file of results a model."""

import argparse
import json
import os


def arguments(description, *flags):
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("folder")
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    for flag in flags:
        parser.add_argument(flag, action="store_true")
    given = parser.parse_args()
    os.makedirs(given.folder, exist_ok=True)
    return given


def tensor(array):
    kind = "int32" if array.dtype.kind == "i" else "float32"
    return {"dtype": kind, "shape": list(array.shape), "data": array.ravel().tolist()}


def write(folder, seed, file, parts, runs, **more):
    """`runs`: inputs and outputs by name; of a graph with lengths, where the batch and the steps of each output lie. `more`: how it is loaded."""
    with open(f"{folder}/{seed}.json", "w") as out:
        json.dump({"file": file, "parts": parts, **more, "runs": runs}, out)


def make_all(given, make):
    """Calls `make` with one seed after the other until there are as many as asked for; what throws is counted."""
    made, seed, failed = 0, given.seed, {}
    while made < given.count and seed < given.seed + 20 * given.count:
        seed += 1
        try:
            made += bool(make(seed))
        except Exception as error:
            name = type(error).__name__
            failed[name] = failed.get(name, 0) + 1
    print(f"{made} models, seeds {given.seed + 1} to {seed}; refused by the framework: {failed}")
