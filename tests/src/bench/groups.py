"""Demographic parity and equalised odds by fairlearn, for one attribute, timed by the process's CPU time."""
import json
import sys
import time

import numpy as np
from fairlearn.metrics import MetricFrame, demographic_parity_difference, equalized_odds_difference

raw = np.fromfile(sys.argv[1], dtype=np.uint8).reshape(3, -1)
labels, decisions = raw[0].astype(np.int64), raw[1].astype(np.int64)
groups = np.array(["a", "b"], dtype=object)[raw[2]]
begun = time.process_time()
figures = [
    demographic_parity_difference(labels, decisions, sensitive_features=groups),
    equalized_odds_difference(labels, decisions, sensitive_features=groups),
]
print(json.dumps({"cpu_seconds": time.process_time() - begun, "figures": [float(f) for f in figures]}))
