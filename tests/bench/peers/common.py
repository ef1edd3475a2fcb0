"""What the peers' scripts share: the data of `clause9-bench profile`, and a timer of CPU seconds."""
import json
import resource
import sys

import numpy as np

FOLDER = sys.argv[-1]
NUMERIC = [f"n{i:02d}" for i in range(20)]
STRINGS = [f"c{i}" for i in range(5)]


def numbers(name, column):
    return np.fromfile(f"{FOLDER}/{name}_{column}.f64", dtype="<f8")


def strings(name, column):
    codes = np.fromfile(f"{FOLDER}/{name}_{column}.u32", dtype="<u4")
    names = np.array([f"{column}_v{i:04d}" for i in range(codes.max() + 1)], dtype=object)
    return names[codes]


def frame(name):
    import pandas as pd

    columns = {c: numbers(name, c) for c in NUMERIC}
    columns.update({c: strings(name, c) for c in STRINGS})
    return pd.DataFrame(columns)


def cpu():
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def phase(name, work):
    before = cpu()
    result = work()
    print(json.dumps({"phase": name, "cpu": cpu() - before}), flush=True)
    return result
