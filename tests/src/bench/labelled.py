"""Seven figures of labelled rows by scikit-learn, timed by the thread's processor time.

ECE has no function in scikit-learn: it is three numpy histograms over 15 bins of equal width.
"""
import json
import sys
import time

import numpy as np
from sklearn import metrics

raw = np.fromfile(sys.argv[1], dtype=np.uint8)
rows = len(raw) // 9
scores = raw[: 8 * rows].view(np.float64)
labels = raw[8 * rows :].astype(np.int64)


def figures():
    decisions = (scores >= 0.5).astype(np.int64)
    bins = np.minimum((scores * 15).astype(np.int64), 14)
    cases = np.bincount(bins, minlength=15)
    gaps = np.bincount(bins, weights=labels, minlength=15) - np.bincount(bins, weights=scores, minlength=15)
    return [
        metrics.accuracy_score(labels, decisions),
        metrics.f1_score(labels, decisions),
        metrics.matthews_corrcoef(labels, decisions),
        metrics.roc_auc_score(labels, scores),
        metrics.log_loss(labels, scores),
        metrics.brier_score_loss(labels, scores),
        float(np.abs(gaps).sum() / cases.sum()),
    ]


figures()
begun = time.thread_time()
found = figures()
used = time.thread_time() - begun
print(json.dumps({"cpu_seconds": used, "figures": [float(figure) for figure in found]}))
