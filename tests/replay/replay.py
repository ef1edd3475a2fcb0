#!/usr/bin/env python3
"""Replays ledgers from a register with integers alone, and compares every bit.

Written apart from the program that judges: it reads the binary summaries of blocks and the payoffs
of compiled objectives, adds and multiplies integers, and compares what it finds with what was
recorded: each bet's gain, the evidence, the sums of the ledger, the block of confirmation. No number
with a fraction is ever formed; one that is read stays text. It shares no code with clause9 and needs
nothing but Python's standard library, whose SHA-256 names what is read.

    replay.py http://127.0.0.1:9181 --system car-loan     a collector's register
    replay.py FOLDER                                      verdicts.json and blobs/NAME
"""

import argparse
import hashlib
import json
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
    r.raw(8), r.signed(), r.byte()
    for entry in range(r.unsigned()):
        (r.unsigned if entry else r.signed)()
        r.unsigned()


def cut_counts(r):
    """Counts between the cuts; a value equal to a cut lies in the cell above it."""
    roles = [(r.raw(8), r.byte())[1] for _ in range(r.unsigned())]
    counts = [r.unsigned() for _ in range(2 * len(roles) + 1)]
    cells = [counts[0]]
    for i, role in enumerate(roles):
        here = counts[2 * i + 1] + counts[2 * i + 2]
        if role & 1:
            cells.append(here)
        else:
            cells[-1] += here
    return cells


def categories(r):
    """Listed ones, then all others, then missing values."""
    r.raw(32)
    return [r.unsigned() for _ in range(r.unsigned() + 2)]


def hygiene(r):
    """Rows; missing, not a number, infinite above and below, of the wrong type; two marks."""
    return [r.unsigned() for _ in range(8)]


def score_cells(r):
    """By group, then cell: positive, negative, unknown; only the cells of six bits are read."""
    if r.byte() != 0x86:
        raise ValueError("score cells of another resolution")
    r.byte()
    return r.sparse(lambda: [r.unsigned() for _ in range(3)])


def confusion(r):
    """By group (the unknown one last), then label, then decision: positive, negative, unknown."""
    groups = r.byte()
    found = r.sparse(r.unsigned)
    return [found.get(key, 0) for key in range(9 * (groups + 1))]


def moments(r):
    r.raw(8), r.signed(), r.unsigned(), r.unsigned(), r.wide(), r.wide()


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


KINDS = {
    1: histogram,
    2: cut_counts,
    3: categories,
    4: hygiene,
    5: score_cells,
    6: confusion,
    7: moments,
    8: losses,
}


def summaries(data):
    """What a ledger may read of a pane's summary, by (what it is of, name, kind).

    Tables of several classes, errors of predicted numbers and sums of whole rows are not read here: a
    system that has them cannot be replayed by this program, and it says so.
    """
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
            if not isinstance(counts, list):
                continue
            old = total.get(key, [0] * len(counts))
            total[key] = [a + b for a, b in zip(old, counts, strict=True)]
    return total


def sample(objective, document, counts):
    """The integers that the ledger of an objective reads."""
    metric, of = objective["metric"], objective.get("of", {})
    feature = of.get("feature", "")
    if metric == "missing_rate":
        rows = counts[(1, feature, 4)]
        return ("rate", rows[1], rows[0])
    if metric == "psi":
        wrong = counts[(1, feature, 4)]
        if (1, feature, 2) in counts:
            return ("cells", counts[(1, feature, 2)] + [sum(wrong[1:6])])
        return ("cells", counts[(1, feature, 3)])
    if metric == "accuracy":
        table = counts[(5, "", 6)]
        groups = range(0, len(table), 9)
        right = sum(table[g] + table[g + 4] for g in groups)
        known = sum(table[g + cell] for g in groups for cell in (0, 1, 3, 4))
        return ("rate", right, known)
    if metric == "demographic_parity_ratio":
        attribute = next(a for a in document["attributes"] if a["name"] == of["attribute"])
        table = counts[(3, of["attribute"], 6)]

        def group(name):
            at = 9 * attribute["groups"].index(name)
            hits = sum(table[at + label] for label in (0, 3, 6))
            return hits, hits + sum(table[at + label] for label in (1, 4, 7))

        return ("two_rates", group(attribute["reference"]), group(of["group"]))
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
        return [
            saturated(hits * integer(hit) + (of - hits) * integer(miss))
            for hit, miss in bets["payoffs"]
        ]
    if kind == "cells":
        return [
            saturated(sum(integer(l) * c for l, c in zip(bet["payoffs"], found[1], strict=True)))
            for bet in bets["bets"]
        ]
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


def log_price(count):
    """ln(count) in 2^-32, rounded up by a sixteenth: by halving and 2 atanh((x-1)/(x+1))."""
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

    above, below = count, 1
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
        fixed = compiled["action"]["kind"] in ("rate", "cells")
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
    print(f"{steps} steps, {replayed} of them from the counts, {differ} differ")
    if differ or not replayed:
        sys.exit(1)


if __name__ == "__main__":
    main()
