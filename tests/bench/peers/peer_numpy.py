"""numpy: bounds from below on the 20 numeric columns."""


import numpy as np

from common import NUMERIC, numbers, phase

columns = [numbers("cur", c) for c in NUMERIC]
ranges = [(r.min(), r.max()) for r in (numbers("ref", c) for c in NUMERIC)]
phase("sum of 20 numeric columns", lambda: [c.sum() for c in columns])
phase(
    "histogram of 20 uniform bins of 20 numeric columns",
    lambda: [np.histogram(c, bins=20, range=r)[0] for c, r in zip(columns, ranges)],
)
