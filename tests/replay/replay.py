#!/usr/bin/env python3
"""Replays ledgers from a register with integers alone, and compares every bit.

Written apart from the program that judges: it reads the binary summaries of blocks and the payoffs
of compiled objectives, adds and multiplies integers, and compares what it finds with what was
recorded: each bet's gain, the evidence, the sums of the ledger, the block of confirmation. No number
with a fraction is ever formed; one that is read stays text. It shares no code with clause9 and needs
nothing but Python's standard library, whose SHA-256 names what is read.

    replay.py http://127.0.0.1:9300 --system car-loan     a collector's register
    replay.py FOLDER                                      verdicts.json and blobs/NAME
"""

import argparse
import decimal
import hashlib
import json
import math
import pathlib
import sys
import urllib.request

ONE = 1 << 32
LIMIT = 1 << 62


def tagged(domain, data):
    """The name of bytes in a domain."""
    head = len(domain).to_bytes(8, "little") + domain.encode()
    return "sha256:" + hashlib.sha256(head + data).hexdigest()


def parse(data):
    """JSON without floats: a number with a fraction stays the text that it was."""
    return json.loads(data, parse_float=str)


class Folder:
    """A register as files."""

    def __init__(self, path, system):
        self.path = pathlib.Path(path)
        self.system = system

    def blob(self, name):
        return (self.path / "blobs" / name.replace(":", "-")).read_bytes()

    def verdicts(self):
        return parse((self.path / "verdicts.json").read_bytes())["items"]

    def record(self, name):
        return parse(self.blob(name))

    def together(self):
        return []


class Collector:
    """A register over HTTP."""

    def __init__(self, url, system):
        self.url = url.rstrip("/")
        self.system = system

    def get(self, path):
        with urllib.request.urlopen(self.url + path, timeout=30) as answer:
            return answer.read()

    def blob(self, name):
        return self.get("/v1/blobs/" + name)

    def verdicts(self):
        items, after = [], ""
        while True:
            page = parse(self.get(f"/v1/verdicts?system={self.system}&limit=500{after}"))
            items += page["items"]
            if page.get("next") is None:
                return items
            after = f"&after={page['next']}"

    def record(self, name):
        return parse(self.get("/v1/evidence/" + name))

    def together(self):
        found, after = [], ""
        while True:
            page = parse(self.get(f"/v1/evidence?type=together&system={self.system}&limit=500{after}"))
            found += [self.record(item["digest"]) for item in page["items"]]
            if page.get("next") is None:
                return found
            after = f"&after={page['next']}"


class Reader:
    """The wire's integers: LEB128, zig-zag for signed ones."""

    def __init__(self, data):
        self.data, self.at = data, 0

    def raw(self, count):
        part = self.data[self.at : self.at + count]
        if len(part) != count:
            raise ValueError("the summary ends within a value")
        self.at += count
        return part

    def byte(self):
        return self.raw(1)[0]

    def unsigned(self):
        value = shift = 0
        while True:
            byte = self.byte()
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value

    def signed(self):
        zigzag = self.unsigned()
        return (zigzag >> 1) ^ -(zigzag & 1)

    def text(self):
        return self.raw(self.unsigned()).decode()

    def wide(self):
        return int.from_bytes(self.raw(self.byte()), "little", signed=True)

    def sparse(self, entry):
        """Entries with ascending keys."""
        found, following = {}, 0
        for _ in range(self.unsigned()):
            key = following + self.unsigned()
            found[key] = entry()
            following = key + 1
        return found


def histogram(r):
    """Numbers by cell: 0 around the centre, then outwards on either side; 32 cells to an octave."""
    r.raw(8), r.signed()
    bits = r.byte()
    found, last = {}, None
    for _ in range(r.unsigned()):
        last = r.signed() if last is None else last + r.unsigned() + 1
        found[last] = r.unsigned()
    return {(bits, key): count for key, count in found.items()}


def cut_counts(r):
    """What each point is for, and counts below the first point, at it, between it and the next, on."""
    roles = [(r.raw(8), r.byte())[1] for _ in range(r.unsigned())]
    counts = [r.unsigned() for _ in range(2 * len(roles) + 1)]
    return {"roles": tuple(roles), **dict(enumerate(counts))}


def categories(r):
    """Listed ones, then all others, then missing values; of the others those that are new, if known."""
    r.raw(32)
    listed = r.unsigned()
    found = dict(enumerate(r.unsigned() for _ in range(listed % 128 + 2)))
    return {**found, "new": r.unsigned()} if listed >= 128 else found


def hygiene(r):
    """Rows; missing, not a number, infinite above and below, of the wrong type; two marks."""
    return [r.unsigned() for _ in range(8)]


# Score cells: an octave is cut into so many, and on each side there are 15 octaves.
OCTAVE, OCTAVES = 16, 15
SCORES = 2 * OCTAVE * OCTAVES


def score_cells(r):
    """By (group, fine cell), the cell after the last one for no score: positive, negative, unknown."""
    first = r.byte()
    # Cells of more bits are named first, with the highest bit set; those of 4 bits are not named.
    # With the next bit set, what scores a cell holds follows its counts; ledgers do not read it.
    bits, groups = (first & 0x3F, r.byte()) if first >= 0x80 else (4, first)
    cells = SCORES << (bits - 4)
    found, key = {("groups",): groups}, 0
    for _ in range(r.unsigned()):
        key += r.unsigned()
        counts = [r.unsigned() for _ in range(3)]
        group, cell = divmod(key, cells + 1)
        if first >= 0xC0 and cell < cells:
            r.unsigned()
        key += 1
        at = (group, cell >> (bits - 4) if cell < cells else SCORES)
        for label, count in enumerate(counts):
            found[(*at, label)] = found.get((*at, label), 0) + count
    return found


def confusion(r):
    """By group (the unknown one last), then label, then decision: positive, negative, unknown."""
    groups = r.byte()
    found = r.sparse(r.unsigned)
    return [found.get(key, 0) for key in range(9 * (groups + 1))]


def class_table(r):
    """By group, then label, then decision, what is not known last of each."""
    classes, groups = r.byte(), r.byte()
    found = r.sparse(r.unsigned)
    return [found.get(key, 0) for key in range((groups + 1) * (classes + 1) ** 2)]


def moments(r):
    """How many values, and their sum around a centre in steps of 2^-40 of a scale."""
    scale = (r.raw(8), r.signed())
    n, _, total, _ = r.unsigned(), r.unsigned(), r.wide(), r.wide()
    return {"scale": scale, "n": n, "sum": total}


def losses(r):
    def bins():
        r.sparse(lambda: (r.unsigned(), r.unsigned(), r.wide()))

    def group():
        r.unsigned()
        for _ in range(4):
            r.wide()
        bins()
        bins()

    r.byte()
    r.sparse(group)


def residuals(r):
    def group():
        for _ in range(5):
            r.unsigned()
        # Eight terms with their squares, and one product.
        for _ in range(17):
            r.wide()

    r.raw(8), r.signed(), r.byte()
    r.sparse(group)


def gram(r):
    r.raw(32)
    dimensions = r.unsigned()
    r.unsigned()
    r.raw(16 * (dimensions + dimensions * (dimensions + 1) // 2))


def projections(r):
    r.raw(32)
    functions = r.unsigned()
    r.unsigned()
    r.raw(16 * functions)


def traffic(r):
    """Requests; answers of each class of status from 100 on, then of none; successes that are empty."""
    return [r.unsigned() for _ in range(8)]


def distinct(r):
    r.raw(8), r.unsigned()
    if r.byte() == 0:
        r.sparse(r.unsigned)
    else:
        r.raw(1536)


KINDS = {
    1: histogram,
    2: cut_counts,
    3: categories,
    4: hygiene,
    5: score_cells,
    6: confusion,
    7: moments,
    8: losses,
    9: class_table,
    10: residuals,
    20: gram,
    21: projections,
    30: traffic,
    31: distinct,
}


def summaries(data):
    """What a ledger may read of a pane's summary, by (what it is of, name, kind)."""
    r = Reader(data)
    if r.byte() != 2:
        raise ValueError("an unknown version of summaries")
    found = {}
    for _ in range(r.unsigned()):
        of, name, kind = r.byte(), r.text(), r.byte()
        if kind not in KINDS:
            raise ValueError(f"an unknown kind of summary: {kind}")
        found[(of, name, kind)] = KINDS[kind](r)
    if r.at != len(data):
        raise ValueError("bytes are left after the summary")
    return found


def added(blocks):
    """The sum of several panes' counters."""
    total = {}
    for block in blocks:
        for key, counts in block.items():
            if isinstance(counts, list):
                counts = dict(enumerate(counts))
            if not isinstance(counts, dict):
                continue
            old = total.setdefault(key, {})
            for place, count in counts.items():
                if place in (("groups",), "roles", "scale"):
                    if old.setdefault(place, count) != count:
                        raise ValueError("summaries of different plans")
                else:
                    old[place] = old.get(place, 0) + count
    return total


def in_order(counts):
    """Counters that were a list."""
    return [counts[place] for place in range(len(counts) - ("new" in counts))]


def deciles(points):
    """Counts between the cuts; a value equal to a cut lies in the cell above it."""
    cells = [points[0]]
    for i, role in enumerate(points["roles"]):
        here = points[2 * i + 1] + points[2 * i + 2]
        if role & 1:
            cells.append(here)
        else:
            cells[-1] += here
    return cells


def finest(points):
    """Counts below the first point, at it, between it and the next one, and on."""
    return [points[place] for place in range(2 * len(points["roles"]) + 1)]


def labelled(cells, group, places, place_of):
    """Positive and negative cases by place of their score."""
    found = [0] * (2 * places)
    for key, count in cells.items():
        if len(key) == 3 and key[0] == group and key[1] < SCORES and key[2] < 2:
            found[2 * place_of(key[1]) + key[2]] += count
    return found


def fine(cell):
    return cell


def even(cell):
    """Which of 64 equal parts of 0 to 1 a fine cell lies in, by its nearer end in 2^-20."""
    side = OCTAVE * OCTAVES
    inner = cell if cell < side else 2 * side - 1 - cell
    edge = 0 if inner == 0 else (OCTAVE + inner % OCTAVE) << (inner // OCTAVE)
    part = edge * 64 >> 20
    return part if cell < side else 63 - part


def sizes(cells):
    """Absolute errors by cell, from 0 on: one around it, 30 octaves of 32, one beyond."""
    found = [0] * 962
    for (bits, key), count in cells.items():
        if bits != 5 or not 0 <= key <= 961:
            raise ValueError("absolute errors in other cells")
        found[key] += count
    return found


# Shares of a table of two labels and two decisions: (above the line, below it), each of tp, fp, fn, tn.
ALL = ("tp", "fp", "fn", "tn")
SHARES = {
    "accuracy": (("tp", "tn"), ALL),
    "error_rate": (("fp", "fn"), ALL),
    "recall": (("tp",), ("tp", "fn")),
    "specificity": (("tn",), ("tn", "fp")),
    "false_positive_rate": (("fp",), ("fp", "tn")),
    "false_negative_rate": (("fn",), ("fn", "tp")),
    "precision": (("tp",), ("tp", "fp")),
    "negative_predictive_value": (("tn",), ("tn", "fn")),
    "false_discovery_rate": (("fp",), ("tp", "fp")),
    "false_omission_rate": (("fn",), ("fn", "tn")),
    "jaccard": (("tp",), ("tp", "fp", "fn")),
    "prevalence": (("tp", "fn"), ALL),
    "detection_prevalence": (("tp", "fp"), ALL),
    "detection_rate": (("tp",), ALL),
}
# What groups are compared by: name of a group's share and of comparisons, and the share.
GROUPS = [
    ("selection_rate", "demographic_parity", None),
    ("base_rate", "base_rate", "prevalence"),
    ("accuracy", "accuracy", "accuracy"),
    ("true_positive_rate", "equal_opportunity", "recall"),
    ("false_positive_rate", "false_positive_rate", "false_positive_rate"),
    ("true_negative_rate", "true_negative_rate", "specificity"),
    ("false_negative_rate", "false_negative_rate", "false_negative_rate"),
    ("positive_predictive_value", "predictive_parity", "precision"),
    ("negative_predictive_value", "negative_predictive_value", "negative_predictive_value"),
    ("false_discovery_rate", "false_discovery_rate", "false_discovery_rate"),
    ("false_omission_rate", "false_omission_rate", "false_omission_rate"),
]


def share(name, table):
    above, below = SHARES[name]
    return sum(table[cell] for cell in above), sum(table[cell] for cell in below)


def of_two(counts, groups):
    """A table of known labels and decisions over some groups."""
    cells = {"tp": 0, "fn": 1, "fp": 3, "tn": 4}
    return {name: sum(counts[9 * g + at] for g in groups) for name, at in cells.items()}


def decided(counts, groups):
    """Positive decisions among all known ones, whatever the label."""
    hits = sum(counts[9 * g + label] for g in groups for label in (0, 3, 6))
    return hits, hits + sum(counts[9 * g + label] for g in groups for label in (1, 4, 7))


def unusable(document, counts):
    """Rows without an answer that a label could be held against, and all rows."""
    outputs = document["outputs"]
    if outputs.get("ranking") or outputs.get("value"):
        found = counts[(16 if outputs.get("ranking") else 6, "", 4)]
        return sum(found[defect] for defect in range(1, 6)), found[0]
    if (3, "", 9) in counts:
        classes = outputs["decision"]["rule"]["class"]["classes"]
        n, table = len(classes) + 1, counts[(3, "", 9)]
        return (
            sum(table[label * n + n - 1] for label in range(n)),
            sum(table[label * n + d] for label in range(n) for d in range(n)),
        )
    table = counts[(3, "", 6)]
    groups = range(len(table) // 9)
    none = sum(table[9 * g + label] for g in groups for label in (2, 5, 8))
    return none, none + decided(table, groups)[1]


def of_groups(metric, of, document, counts):
    """Samples of metrics by an attribute."""
    if "attribute" not in of:
        return None
    attribute = next(a for a in document["attributes"] if a["name"] == of["attribute"])
    names = attribute["groups"]
    if metric == "unknown_group_rate":
        table = counts[(3, of["attribute"], 6)]
        unknown = decided(table, [len(names)])[1]
        return ("rate", unknown, unknown + decided(table, range(len(names)))[1])
    if metric in ("mean_residual.group", "ece.group"):
        cells = counts[(4, of["attribute"], 5)]
        return ("cells", labelled(cells, names.index(of["group"]), 64, even))
    if metric in ("log_loss.group", "brier.group"):
        cells = counts[(4, of["attribute"], 5)]
        return ("cells", labelled(cells, names.index(of["group"]), SCORES, fine))
    if (5, of["attribute"], 9) in counts:
        return of_grouped_classes(metric, of, document, counts, attribute)
    if metric in ("f1.group", "cost.group"):
        two = of_two(counts[(5, of["attribute"], 6)], [names.index(of["group"])])
        return ("cells", [two[name] for name in ALL])
    for rate, stem, name in GROUPS:

        def counted(groups):
            if name is None:
                return decided(counts[(3, of["attribute"], 6)], groups)
            return share(name, of_two(counts[(5, of["attribute"], 6)], groups))

        reference = [names.index(attribute["reference"])]
        if metric == f"{rate}.group":
            return ("rate", *counted([names.index(of["group"])]))
        if metric in (f"{stem}_difference", f"{stem}_ratio"):
            return ("two_rates", counted(reference), counted([names.index(of["group"])]))
        if metric in (f"{stem}_difference.pooled", f"{stem}_ratio.pooled"):
            others = [g for g in range(len(names)) if g not in reference]
            return ("two_rates", counted(reference), counted(others))
    return None


def of_grouped_classes(metric, of, document, counts, attribute):
    """Samples of metrics of a decision among several classes by an attribute."""
    classes = [str(c) for c in document["outputs"]["decision"]["rule"]["class"]["classes"]]
    n, names = len(classes), attribute["groups"]

    def cell(kind, group, label, decision):
        place = (names.index(group) * (n + 1) + label) * (n + 1) + decision
        return counts[(kind, of["attribute"], 9)][place]

    if metric == "multiclass_accuracy.group":
        right = sum(cell(5, of["group"], c, c) for c in range(n))
        return ("rate", right, sum(cell(5, of["group"], a, b) for a in range(n) for b in range(n)))
    if metric == "cost.group":
        return ("cells", [cell(5, of["group"], a, b) for a in range(n) for b in range(n)])
    if "class" not in of:
        return None
    at, others = classes.index(of["class"]), [c for c in range(n) if c != classes.index(of["class"])]

    def counted(group):
        if metric.startswith("class_decided_rate"):
            hits = sum(cell(3, group, label, at) for label in range(n + 1))
            every = (cell(3, group, a, b) for a in range(n + 1) for b in range(n + 1))
            return hits, sum(every)
        if metric.startswith("class_recall"):
            return cell(5, group, at, at), sum(cell(5, group, at, d) for d in range(n))
        if metric.startswith("class_precision"):
            return cell(5, group, at, at), sum(cell(5, group, label, at) for label in range(n))
        wrong = sum(cell(5, group, label, at) for label in others)
        return wrong, sum(cell(5, group, label, d) for label in others for d in range(n))

    if metric.endswith(".group"):
        return ("rate", *counted(of["group"]))
    return ("two_rates", counted(attribute["reference"]), counted(of["group"]))


def of_feature(metric, of, counts):
    """Samples of metrics of a feature."""
    feature = of.get("feature")
    if feature is None:
        return None
    wrong = counts[(1, feature, 4)]
    unusable = sum(wrong[place] for place in range(1, 6))
    usable = wrong[0] - unusable
    points = counts.get((1, feature, 2))
    if metric == "flag_rate":
        return ("rate", *ones(counts[(1, feature, 7)]))
    if metric == "missing_rate":
        return ("rate", wrong[1], wrong[0])
    if metric == "range_conformity":
        return ("rate", usable - min(wrong[7], usable), usable)
    if metric == "type_conformity":
        return ("rate", usable, wrong[0] - wrong[1])
    if metric == "unseen":
        categories = counts[(1, feature, 3)]
        names = in_order(categories)
        return ("rate", categories.get("new", names[-2]), sum(names) - names[-1])
    if metric in ("psi", "js_distance", "hellinger", "kl", "chi2.distance", "total_variation"):
        if points is not None:
            return ("cells", [*deciles(points), unusable])
        return ("cells", in_order(counts[(1, feature, 3)]))
    if metric == "ks":
        return ("cells", deciles(points))
    if metric in ("quantile.25", "median", "quantile.75") or metric.startswith("wasserstein"):
        return ("cells", finest(points))
    return None


def ones(moments):
    """How many of some zeros and ones are ones, and how many there are."""
    centre, exponent = moments["scale"]
    bits = int.from_bytes(centre, "little")
    power, part = bits >> 52 & 2047, bits & (1 << 52) - 1
    # The centre is `part` times 2^power.
    part, power = (part | 1 << 52, power - 1075) if power else (part, -1074)
    part = -part if bits >> 63 else part
    step = exponent - 40
    least = min(power, step, 0)
    total = (part * moments["n"] << power - least) + (moments["sum"] << step - least)
    if total % (1 << -least):
        raise ValueError("a sum of zeros and ones is no whole number")
    return total >> -least, moments["n"]


# Ranked lists: under which number the cells of each figure are kept.
FIGURES = {
    "precision_at_k": 17,
    "recall_at_k": 18,
    "hit_rate_at_k": 19,
    "mrr_at_k": 20,
    "map_at_k": 21,
    "ndcg_at_k": 22,
}


def of_lists(metric, counts):
    """Samples of figures of ranked lists."""
    if metric not in FIGURES:
        return None
    cells = finest(counts[(FIGURES[metric], "", 2)])
    if metric == "hit_rate_at_k":
        # Below 0, at 0, between, at 1, above.
        return ("rate", cells[3] + cells[4], sum(cells))
    return ("cells", cells)


# How the model is served: what is kept under which number.
FACETS = {"latency": 129, "first_byte": 130, "request_bytes": 131, "response_bytes": 132}


def of_service(metric, document, counts):
    """Samples of metrics of how the model is served."""
    facet, _, figure = metric.partition(".")
    if facet in FACETS and figure == "mean":
        return ("cells", eighths(counts[(FACETS[facet], "", 1)]))
    if facet in FACETS:
        return ("cells", finest(counts[(FACETS[facet], "", 2)]))
    if metric == "slow_rate":
        service = document["service"]
        slow = decimal.Decimal(service["slow_after"])
        points = {decimal.Decimal(p) for p in service.get("limits", {}).get("latency", [])}
        cells = finest(counts[(FACETS["latency"], "", 2)])
        at = sorted(points | {slow}).index(slow)
        return ("rate", sum(cells[2 * at + 2 :]), sum(cells))
    if metric in ("client_error_rate", "server_error_rate", "failure_rate", "empty_answer_rate"):
        answers = in_order(counts[(128, "", 30)])
        wrong, failed, empty = answers[4], answers[5], answers[7]
        hits = {
            "client_error_rate": wrong,
            "server_error_rate": failed,
            "failure_rate": wrong + failed,
            "empty_answer_rate": empty,
        }
        return ("rate", hits[metric], sum(answers[1:7]))
    return None


def eighths(cells):
    """Numbers from 0 on by cell: one around it, 30 octaves of 8, one beyond."""
    found = [0] * 242
    for (bits, key), count in cells.items():
        last = 30 << bits
        if bits < 3 or not 0 <= key <= last + 1:
            raise ValueError("numbers of the service in other cells")
        found[0 if key == 0 else 1 + ((key - 1) >> (bits - 3))] += count
    return found


def of_classes(metric, of, document, counts):
    """Samples of metrics of a decision among several classes."""
    every_class = ("multiclass_accuracy", "multiclass_kappa.pairs", "multiclass_mcc.pairs")
    if metric == "multiclass_log_loss":
        scored = [key for key in counts if 32 <= key[0] < 63]
        each = [labelled(counts[key], key[0] - 32, SCORES, fine) for key in scored]
        return ("cells", [sum(cell) for cell in zip(*each)])
    if metric in ("class_roc_auc", "class_ece.mass"):
        return None
    if not (metric in every_class or metric.startswith("class_")):
        return None
    classes = [str(c) for c in document["outputs"]["decision"]["rule"]["class"]["classes"]]
    n, table = len(classes), counts[(5, "", 9)]

    def cell(label, decision):
        return table[label * (n + 1) + decision]

    every = sum(cell(label, decision) for label in range(n) for decision in range(n))
    if metric == "multiclass_accuracy":
        return ("rate", sum(cell(c, c) for c in range(n)), every)
    if metric in every_class:
        return ("cells", [cell(label, decision) for label in range(n) for decision in range(n)])
    at = classes.index(of["class"])
    right = cell(at, at)
    labels, decisions = (
        sum(cell(at, c) for c in range(n)),
        sum(cell(c, at) for c in range(n)),
    )
    rest = {"tp": right, "fn": labels - right, "fp": decisions - right}
    rest["tn"] = every - sum(rest.values())
    if metric == "class_f1":
        return ("cells", [rest[name] for name in ALL])
    return ("rate", *share(metric.removeprefix("class_"), rest))


def all_right(counts, document):
    """Counts of labelled decisions with every case of the traffic that has no label decided rightly."""
    counts = dict(counts)
    if (3, "", 9) in counts:
        classes = document["outputs"]["decision"]["rule"]["class"]["classes"]
        n, table, cases = len(classes), dict(counts[(5, "", 9)]), counts[(3, "", 9)]
        # Of the groups only the one that holds all cases; that each right one is of the first class
        # changes neither how many are right nor how many there are.
        every = sum(cases[label * (n + 1) + d] for label in range(n + 1) for d in range(n))
        known = sum(table[label * (n + 1) + d] for label in range(n) for d in range(n))
        table[0] += max(every - known, 0)
        counts[(5, "", 9)] = table
        return counts
    table, cases = dict(counts[(5, "", 6)]), counts[(3, "", 6)]
    # Nine places for each group: label by decision, of positive, negative, not known.
    for decision in range(2):
        known = sum(table[at] for at in table if at % 3 == decision and at % 9 < 6)
        every = sum(cases[at] for at in cases if at % 3 == decision)
        table[4 * decision] += max(every - known, 0)
    counts[(5, "", 6)] = table
    return counts


def sample(objective, document, counts):
    """The integers that the ledger of an objective reads."""
    metric, of = objective["metric"], objective.get("of", {})
    if objective.get("labels") == "worst_case":
        counts = all_right(counts, document)
    found = (
        of_feature(metric, of, counts)
        or of_groups(metric, of, document, counts)
        or of_classes(metric, of, document, counts)
        or of_service(metric, document, counts)
        or of_lists(metric, counts)
    )
    if found is not None:
        return found
    if metric == "unusable_answer_rate":
        return ("rate", *unusable(document, counts))
    if metric == "predicted_positive_rate":
        table = counts[(3, "", 6)]
        return ("rate", *decided(table, range(len(table) // 9)))
    if metric in ("log_loss", "brier", "roc_auc.pairs"):
        return ("cells", labelled(counts[(4, "", 5)], 0, SCORES, fine))
    if metric == "ece":
        return ("cells", labelled(counts[(4, "", 5)], 0, 64, even))
    if metric in ("mae", "mse", "rmse", "median_absolute_error", "absolute_error_p90"):
        return ("cells", sizes(counts[(7, "", 1)]))
    if metric == "cost" and (5, "", 9) in counts:
        classes = document["outputs"]["decision"]["rule"]["class"]["classes"]
        n, table = len(classes), counts[(5, "", 9)]
        every = [table[label * (n + 1) + decision] for label in range(n) for decision in range(n)]
        return ("cells", every)
    if (5, "", 6) in counts:
        table = counts[(5, "", 6)]
        two = of_two(table, range(len(table) // 9))
        if metric in SHARES:
            return ("rate", *share(metric, two))
        if metric in ("f1", "f0_5", "f2", "cost"):
            return ("cells", [two[name] for name in ALL])
        if metric in ("cohen_kappa.pairs", "mcc.pairs"):
            return ("cells", [two[name] for name in ("tp", "fn", "fp", "tn")])
        if metric == "youden_j":
            return ("two_rates", share("false_positive_rate", two), share("recall", two))
    return None


def integer(value):
    """An integer of JSON: a number, or text from 2^53 on."""
    return int(value)


def saturated(value):
    return max(-LIMIT, min(LIMIT, value))


def gains(bets, payoffs, found):
    """What each bet gains, from integers alone."""
    kind = bets["kind"]
    if kind == "rate":
        _, hits, of = found
        # Where the level follows from how many cases have a label, the step says what pays what.
        rows = payoffs["rows"] if payoffs["kind"] == "rate" else bets["payoffs"]
        return [
            saturated(hits * integer(hit) + (of - hits) * integer(miss)) for hit, miss in rows
        ]
    if kind == "cells":
        return [
            saturated(sum(integer(l) * c for l, c in zip(bet["payoffs"], found[1], strict=True)))
            for bet in bets["bets"]
        ]
    if kind == "pairs":
        return of_pairs(bets["payoffs"], found[1])
    if kind == "agreement":
        return of_agreement(bets["bets"], found[1])
    if kind in ("two_rates", "difference"):
        (a, a_of), (b, b_of) = found[1:]
        counts = (a, a_of - a, b, b_of - b)
        rows = payoffs["rows"]
        return [saturated(sum(integer(l) * c for l, c in zip(row, counts))) for row in rows]
    if kind == "normal":
        z = integer(payoffs["z"])
        strengths = [integer(d) for d in bets["strengths"]]
        return [saturated(d * z // ONE - d * d // (2 * ONE)) for d in strengths]
    raise ValueError(f"an unknown family of bets: {kind}")


def of_pairs(payoffs, counts):
    """What bets on ordered pairs gain: ties count as ordered rightly."""
    right = positives = negatives = 0
    for positive, negative in zip(counts[::2], counts[1::2]):
        positives, negatives = positives + positive, negatives + negative
        right += positive * negatives
    pairs = positives * negatives
    spare = min(128 - right.bit_length(), 32)
    ordered = min(-(-(right << spare) // max(pairs >> (32 - spare), 1)), ONE)
    found = []
    for right_pays, wrong_pays in payoffs:
        mean = ordered * integer(right_pays) + (ONE - ordered) * integer(wrong_pays)
        found.append(saturated(min(positives, negatives) * (mean >> 16) >> 16))
    return found


def kinds_of_pairs(table):
    """Pairs of cases of a square table, in the order of payoffs: of each two cells, what the pair is."""
    n = math.isqrt(len(table))
    order = [(0, 0, 0, 0), (0, 2, 1, 1), (1, 1, 0, 1), (1, 1, 1, 0), (1, 2, 1, 1), (2, 0, 1, 1)]
    order += [(2, 1, 1, 1), (2, 2, 0, 0), (2, 2, 0, 1), (2, 2, 1, 0), (2, 2, 1, 1)]
    found = [0] * len(order)
    for one in range(n * n):
        for two in range(one + 1):
            (a, b), (c, d) = divmod(one, n), divmod(two, n)
            pairs = table[one] * (table[one] - 1) // 2 if one == two else table[one] * table[two]
            is_ = ((a != b) + (c != d), (a != d) + (c != b), int(a != c), int(b != d))
            found[order.index(is_)] += pairs
    return found


def of_agreement(bets, table):
    """What bets on pairs of cases gain: each the least of its arcs, in the mean over matchings."""
    pairs, cases = kinds_of_pairs(table), sum(table)
    share = cases - 1 if cases % 2 == 0 else cases

    def paid(arc):
        return sum(integer(l) * count for l, count in zip(arc["payoffs"], pairs, strict=True)) // share

    return [saturated(min(paid(arc) for arc in bet["arcs"])) for bet in bets]


def log_price(count):
    """ln of a number from 1 on in 2^-32, rounded up by a sixteenth: by halving and 2 atanh((x-1)/(x+1))."""
    scale, total = 1 << 160, 0

    def atanh_twice(above, below):
        power = scale * above // below
        square = (above * above, below * below)
        sum_, k = 0, 0
        while power:
            sum_ += power // (2 * k + 1)
            power = power * square[0] // square[1]
            k += 1
        return 2 * sum_

    above, below = count.as_integer_ratio()
    while above >= 2 * below:
        total += atanh_twice(1, 3)
        below *= 2
    if above > below:
        total += atanh_twice(above - below, above + below)
    # ceil(ln * 2^32 + 1/16)
    return -((-(total * ONE * 16 + scale)) // (16 * scale))


def booked(ledger, block, gained):
    """The ledger after a block: each sum from zero if it was below, plus its gain."""
    bets = []
    for bet, gain in zip(ledger["bets"], gained, strict=True):
        before = integer(bet["sum"])
        since = block if before <= 0 else bet["since"]
        bets.append({"sum": saturated(max(before, 0) + gain), "since": since})
    return {"bets": bets}


def evidence(ledger):
    best = max(bet["sum"] for bet in ledger["bets"])
    return saturated(best - log_price(len(ledger["bets"])))


def same_sums(ledger, recorded):
    kept = [(integer(bet["sum"]), bet["since"]) for bet in recorded["bets"]]
    return [(bet["sum"], bet["since"]) for bet in ledger["bets"]] == kept


def plain(ledger):
    return {
        "bets": [{"sum": integer(b["sum"]), "since": b["since"]} for b in ledger["bets"]]
    }


def check(register, record, cache):
    """Takes the step of one verdict again. Gives what differs, and whether the counts were replayed."""
    body = record["body"]

    def blob(name):
        if name not in cache:
            cache[name] = register.blob(name)
        return cache[name]

    compiled = parse(blob(body["compiled"]))
    document = next(r["digest"] for r in record["header"]["refs"] if r["role"] == "objectives")
    before, after = parse(blob(body["ledger_before"])), parse(blob(body["ledger"]))
    for name in (body["ledger_before"], body["ledger"]):
        if tagged("clause9/ledger-state/v1", blob(name)) != name:
            return ["a ledger is not what it is called"], False
    panes = []
    for reference in body["blocks"]:
        data = blob(reference["summary"])
        if tagged("clause9/pane-summary/v1", data) != reference["summary"]:
            return ["a summary is not what it is called"], False
        panes.append(summaries(data))
    step, cluster = body["step"], compiled["objective"].get("cluster", 1)
    action = plain(before["action"])
    alert = plain(before["alert"]) if before.get("alert") else None
    payoffs, replayed, wrong = step.get("payoffs"), False, []
    if payoffs is not None:
        found = None
        if compiled["action"]["kind"] != "normal":
            found = sample(compiled["objective"], parse(blob(document)), added(panes))
            if found is None:
                return [f"the metric {compiled['objective']['metric']} is not known here"], False
        gained = [g // cluster for g in gains(compiled["action"], payoffs, found)]
        if gained != [integer(g) for g in step["gains"]]:
            wrong.append("gains differ")
        action = booked(action, step["block"], gained)
        kinds = ("rate", "cells", "pairs", "agreement")
        fixed = compiled["action"]["kind"] in kinds and "rows" not in payoffs
        replayed = compiled["action"]["kind"] != "normal"
        if alert is not None and fixed:
            level = [g // cluster for g in gains(compiled["alert"], payoffs, found)]
            alert = booked(alert, step["block"], level)
            if not same_sums(alert, after["alert"]):
                wrong.append("the alert ledger differs")
            if evidence(alert) != integer(step["alert_evidence"]):
                wrong.append("the alert evidence differs")
    if not same_sums(action, after["action"]):
        wrong.append("the ledger differs")
    if evidence(action) != integer(step["evidence"]):
        wrong.append("the evidence differs")
    confirmed = before.get("confirmed_at")
    if confirmed is None and evidence(action) >= integer(compiled["nonconformity_at"]):
        confirmed = step["block"]
    if confirmed != after.get("confirmed_at"):
        wrong.append("the confirmation differs")
    return wrong, replayed


def named_together(body):
    """Which members have evidence enough, by the largest number that all of them pay for."""
    evidence = [integer(member["evidence"]) for member in body["members"]]
    order = sorted(range(len(evidence)), key=lambda at: (-evidence[at], at))
    every = float(len(evidence)) * float(body["steps_per_cycle"])
    for count in range(len(order), 0, -1):
        if evidence[order[count - 1]] >= log_price(every / (count * float(body["alpha"]))):
            return [body["members"][at]["objective"] for at in sorted(order[:count])]
    return []


def check_together(register, record):
    """Whether features named together are those that their verdicts' evidence names."""
    body, wrong = record["body"], []
    if named_together(body) != body["named"]:
        wrong.append("others are named")
    for member in body["members"]:
        if member["verdict"] is not None:
            said = register.record(member["verdict"])["body"]
            if integer(said["step"]["evidence"]) != integer(member["evidence"]):
                wrong.append(f"the evidence of {member['objective']} differs")
    return wrong


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("register", help="a collector's address or a folder")
    arguments.add_argument("--system", default="")
    options = arguments.parse_args()
    kind = Collector if options.register.startswith("http") else Folder
    register = kind(options.register, options.system)
    steps = replayed = differ = 0
    cache = {}
    for item in register.verdicts():
        wrong, counted = check(register, item["record"], cache)
        steps += 1
        replayed += counted
        differ += bool(wrong)
        if wrong:
            body = item["record"]["body"]
            print(f"{body['objective']} block {body['step']['block']}: {'; '.join(wrong)}")
    for record in register.together():
        wrong = check_together(register, record)
        differ += bool(wrong)
        if wrong:
            print(f"{record['body']['metric']} together: {'; '.join(wrong)}")
    print(f"{steps} steps, {replayed} of them from the counts, {differ} differ")
    if differ or not replayed:
        sys.exit(1)


if __name__ == "__main__":
    main()
