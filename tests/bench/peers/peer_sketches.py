"""DataSketches (C++): one KLL sketch for each of the 20 numeric columns."""
import datasketches
import numpy as np

from common import NUMERIC, numbers, phase

columns = [numbers("cur", c).astype(np.float32) for c in NUMERIC]


def kll():
    sketches = [datasketches.kll_floats_sketch(200) for _ in columns]
    for sketch, column in zip(sketches, columns):
        sketch.update(column)
    return sketches


phase("KLL of 20 numeric columns of 1,000,000 rows", kll)
