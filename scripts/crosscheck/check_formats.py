"""What ctr export writes gives ctr's probabilities: JSON by json_score.py, PMML
by JPMML's evaluator, on the real rows and on rows with unseen, missing and odd
values."""

import csv
import os
import random
import shutil
import subprocess
from pathlib import Path

import numpy as np

import json_score
from ctrmodel import read_rows
from harness import Failed, Skip

TOLERANCE = 1e-12
# ctr adds the products of factorisation machines in float32.
SINGLE = 1e-5
HERE = Path(__file__).parent
ODD = [b"", b"zzz unseen", b" x ", b"<&>\"'", "é漢".encode(), b"-1", b"007", b"1e3", b"12.50", b"99999999"]
NUMBERS = [b"", b"0", b"-1", b"-0", b"1.5", b"1e3", b"+7", b".5", b"99999999", b"123456789012345678"]


def odd_rows(context, path, rows):
    """A file of the given rows in which every value is now and then replaced."""
    out = context.scratch / f"odd-{rows}-{Path(path).name}"
    if out.exists():
        return out
    tabs = out.suffix == ".tsv"
    with open(path, encoding="utf-8", newline="") as f:
        table = list(csv.reader(f, delimiter="\t" if tabs else ","))
    head, body = ([], table) if tabs else (table[:1], table[1:])
    names = head[0] if head else ["label"] + [f"I{i}" for i in range(1, 14)] + [f"C{i}" for i in range(1, 27)]
    r = random.Random(1)
    body = [list(row) for row in r.sample(body, rows)]
    for row in body:
        for i, name in enumerate(names):
            if name in ("id", "click", "label") or r.random() > 0.2:
                continue
            if name == "hour":
                day, hour = r.randint(1, 28), r.randint(0, 23)
                year, month = r.randint(2000, 2099), r.randint(1, 12)
                row[i] = r.choice([f"{year % 100:02}{month:02}{day:02}{hour:02}", f"{year}-{month:02}-{day:02}",
                                   f"{year}-{month:02}-{day:02} {hour:02}:59:59"])
            else:
                row[i] = r.choice(NUMBERS if name.startswith("I") else ODD).decode()
    with open(out, "w", encoding="utf-8", newline="") as f:
        csv.writer(f, delimiter="\t" if tabs else ",", lineterminator="\n").writerows(head + body)
    return out


def ours(context, model, path):
    _, predictions = context.predictions(model, path)
    with open(predictions, newline="") as f:
        return [(float(r["probability"]), int(r["prediction"])) for r in csv.DictReader(f)]


def export(context, model, to):
    out = model.with_suffix("." + to)
    if not out.exists():
        context.run("export", model, "--to", to, "--out", out)
    return out


def criteo(context):
    """Criteo's real rows, or Skip; and what they are."""
    return context.real("criteo-10k.tsv")


def run_json(context):
    data, kind = context.rows()
    cases = [("lr", data, []), ("lr bits", data, ["--bits", "16", "--cross", "site_id,dayofweek"]),
             ("lr replaced", data, ["--preset", "replaced-lr"]), ("dt", data, []), ("rf", data, ["--trees", "20"]),
             ("gbdt", data, []), ("gbdt-lr", data, []), ("fm", data, []), ("ffm", data, ["--passes", "2"]),
             ("ffm bits", data, ["--bits", "14", "--passes", "2"])]
    if kind == "real":
        rows = criteo(context)
        cases += [("lr criteo", rows, ["--schema", "criteo"]),
                  ("lr values", rows, ["--schema", "criteo", "--numbers-as-values"]), ("gbdt criteo", rows, ["--schema", "criteo"])]
    for name, rows, flags in cases:
        algo = name.split()[0]
        model, _ = context.train(rows, "--algo", algo, *flags)
        judge_json(context, name, kind, model, odd_rows(context, rows, 2_000 if "fm" in algo else 5_000), SINGLE if "fm" in algo else TOLERANCE)
    for name, model, rows in context.imported():
        judge_json(context, f"spark {name}", kind, model, rows or odd_rows(context, data, 5_000), TOLERANCE)


def judge_json(context, name, kind, model, judged, tolerance):
    """Holds json_score.py on the export of a model against ctr."""
    scorer = json_score.Model(export(context, model, "json"))
    want = np.array([p for p, _ in ours(context, model, judged)])
    got = np.array([scorer.probability(r) for r in read_rows(judged, scorer.m["schema"].get("layouts") or [])])
    context.report.below(f"json/{name}", float(np.abs(got - want).max()), tolerance, f"{len(want)} {kind} rows with odd values, greatest difference")


def jpmml(context):
    """The class path of JPMML's evaluator, fetched once by Maven."""
    if not shutil.which("java") or not shutil.which("mvn"):
        raise Skip("java and mvn are not here")
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "ctr" / "jpmml"
    libs = home / "libs-1.7.3"
    if not (libs / ".ok").exists():
        libs.mkdir(parents=True, exist_ok=True)
        # Maven writes a target directory beside its pom: keep that out of the tree.
        pom = home / "pom.xml"
        pom.write_text((HERE / "jpmml-pom.xml").read_text())
        done = subprocess.run(["mvn", "-B", "-q", "-f", str(pom), "dependency:copy-dependencies", "-DincludeScope=runtime",
                               f"-DoutputDirectory={libs}"], capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise Failed(f"mvn: {done.stdout.strip()[-500:]}")
        (libs / ".ok").touch()
    return f"{libs}/*"


def table(path, rows, every):
    """Writes rows for Jpmml.java; every so many texts, one that is empty is left
    out instead."""
    names, seen = list(rows[0]), 0
    with open(path, "w", encoding="utf-8", newline="\n") as f:
        f.write("\x1f".join(names) + "\n")
        for row in rows:
            values = []
            for v in row.values():
                seen += not v
                values.append("\0" if not v and seen % every == 0 else v.decode())
            f.write("\x1f".join(values) + "\n")


def evaluate(classpath, jobs):
    """Runs JPMML's evaluator on models, tables and outputs, in one JVM."""
    done = subprocess.run(["java", "-Xss64m", "-cp", classpath, str(HERE / "Jpmml.java"), *[str(a) for job in jobs for a in job]],
                          capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise Failed(f"JPMML: {done.stderr.strip()[:800]}")


def run_pmml(context):
    classpath = jpmml(context)
    data, kind = context.rows()
    crosses = ["--cross", "site_id,app_id", "--cross", "dayofweek,device_type,hour_time"]
    cases = [("lr", data, [], False), ("lr crosses", data, crosses, True),
             ("lr parts", data, ["--include", "day,dayofweek,hour_time,month,hour,C14,device_model"], True),
             ("lr replaced", data, ["--preset", "replaced-lr"], True), ("lr sparse", data, ["--l1", "1"], False),
             ("dt", data, [], False), ("dt replaced", data, ["--preset", "replaced-dt"], True), ("rf", data, ["--trees", "30"], True),
             ("gbdt", data, [], False), ("gbdt crosses", data, crosses, True), ("gbdt-lr", data, [], False)]
    if kind == "real":
        rows, c = criteo(context), ["--schema", "criteo"]
        cases += [("lr criteo", rows, c, False), ("lr values", rows, [*c, "--numbers-as-values"], True), ("dt criteo", rows, c, False),
                  ("gbdt criteo", rows, c, False), ("gbdt-lr criteo", rows, [*c, "--cross", "I1,C1"], True)]
    judged = lambda rows: (context.some(rows, 2_000), odd_rows(context, rows, 3_000 if context.everything else 1_000))
    models = [(name, context.train(rows, "--algo", name.split()[0], *flags)[0], judged(rows)) for name, rows, flags in context.chosen(cases)]
    for name, model, rows in context.imported():
        models.append((f"spark {name}", model, (rows,) if rows else judged(data)))
    judge_pmml(context, classpath, kind, models)


def judge_pmml(context, classpath, kind, models):
    """Holds JPMML on the export of each model against ctr, on each of its files."""
    jobs, wanted = [], []
    for name, model, files in models:
        layouts = json_score.Model(export(context, model, "json")).m["schema"].get("layouts") or []
        for judged in files:
            tables = context.scratch / f"jpmml-{judged.stem}"
            if not tables.exists():
                table(tables, read_rows(judged, layouts), 3)
            what = f"pmml/{name}/{kind if judged == files[0] else 'odd'}"
            jobs.append((export(context, model, "pmml"), tables, context.scratch / f"jpmml-{len(jobs)}.out"))
            wanted.append((what, np.array(ours(context, model, judged))))
    evaluate(classpath, jobs)
    for (_, _, output), (what, want) in zip(jobs, wanted, strict=True):
        got = np.loadtxt(output, delimiter="\t")
        context.report.below(what, float(np.abs(got[:, 0] - want[:, 0]).max()), TOLERANCE, f"{len(want)} rows, greatest difference")
        context.report.check(f"{what} predictions", bool((got[:, 1] == want[:, 1]).all()), "the same")
