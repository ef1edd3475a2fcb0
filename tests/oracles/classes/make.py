"""Writes the rows of this case and what scikit-learn says of them (1.9.0: `python make.py`)."""

import csv
import json
import pathlib

import numpy
import sklearn
from sklearn.metrics import brier_score_loss, log_loss, roc_auc_score

HERE = pathlib.Path(__file__).parent
CLASSES = ["bike", "bus", "car", "truck"]


def rows(seed, count):
    """True classes of unequal frequency, and probabilities that know something of them."""
    draw = numpy.random.default_rng(seed)
    truth = draw.choice(len(CLASSES), size=count, p=[0.1, 0.2, 0.45, 0.25])
    logits = draw.normal(size=(count, len(CLASSES)))
    logits[numpy.arange(count), truth] += 1.3
    scores = numpy.exp(logits)
    return truth, scores / scores.sum(axis=1, keepdims=True)


def write(name, truth, scores):
    with open(HERE / name, "w", newline="") as out:
        lines = csv.writer(out, lineterminator="\n")
        lines.writerow(["load", "kind", *(f"p_{c}" for c in CLASSES), "truth"])
        for i, (label, row) in enumerate(zip(truth, scores)):
            load = (i * 37) % 101
            kind = CLASSES[row.argmax()]
            lines.writerow([load, kind, *(repr(float(x)) for x in row), CLASSES[label]])


write("reference.csv", *rows(11, 200))
truth, scores = rows(12, 400)
write("current.csv", truth, scores)
golden = {
    "scikit-learn": sklearn.__version__,
    "roc_auc.ovr_macro": roc_auc_score(truth, scores, multi_class="ovr", average="macro"),
    "roc_auc.hand_till": roc_auc_score(truth, scores, multi_class="ovo", average="macro"),
    "multiclass_log_loss": log_loss(truth, scores),
    "multiclass_brier": brier_score_loss(truth, scores, scale_by_half=False),
    "class_roc_auc": {
        name: roc_auc_score(truth == place, scores[:, place]) for place, name in enumerate(CLASSES)
    },
}
(HERE / "golden.json").write_text(json.dumps(golden, indent=1) + "\n")
