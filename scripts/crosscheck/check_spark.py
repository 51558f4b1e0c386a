"""Models that come from Spark ML and go there: ctr beside PySpark."""

import collections
import csv
import subprocess

from check_fixtures import HERE, ROOT
from harness import Failed, Skip
from spark_fixtures import spoiled, table, write

TOLERANCE = 1e-12
FITTED = 8_000  # rows; Spark's time for a model is mostly that of its many small jobs
KEPT = ROOT / "models" / "interchange" / "spark" / "testdata"
# What ctr trains for its exports: numbers as bins and as values, caps, parts of
# the hour, crosses.
NUMBERS = """name: numbers
columns:
  - id: id
  - label: click
  - time: hour
  - category: [C1, banner_pos, site_id, site_domain, site_category, app_id, app_category, device_model, device_type, C18]
  - number: [C14, C15, C16, C17, C19, C20, C21]
"""
EXPORTS = {
    "lr": ["--algo", "lr", "--cross", "site_id,C18", "--cross", "hour_time,banner_pos"],
    "lr-values": ["--algo", "lr", "--numbers-as-values", "--include", "site_id,app_id,C14,C17,C19,C21,hour_time,dayofweek,day,month"],
    "dt": ["--algo", "dt", "--depth", "9", "--min-leaf", "5"],
    "rf": ["--algo", "rf", "--trees", "8", "--depth", "8"],
    "gbdt": ["--algo", "gbdt", "--trees", "20"],
    "replaced-lr": ["--preset", "replaced-lr"],
    "replaced-dt": ["--preset", "replaced-dt", "--depth", "8"],
}


def scores(text):
    return list(csv.DictReader(text.splitlines()))


def compare(context, name, ours, theirs, column="probability"):
    """The greatest difference of probabilities, and predictions that differ."""
    if len(ours) < len(theirs) or not theirs:
        raise Failed(f"{name}: {len(ours)} rows: want {len(theirs)}")
    worst = other = 0
    for a, b in zip(ours, theirs):
        worst = max(worst, abs(float(a["probability"]) - float(b[column])))
        other += int(a["prediction"]) != int(float(b["prediction"]))
    context.report.check(name, worst <= TOLERANCE and other == 0,
                         f"{len(theirs)} rows, greatest difference {worst:.2g}: want at most {TOLERANCE:g}; {other} other predictions")


def common(rows, least=4):
    """Rows in which rare sites and devices are one value: Spark's time for a
    split is the square of a category's values."""
    for column in ("site_id", "app_id", "device_model"):
        seen = collections.Counter(row[column] for row in rows)
        rows = [row if seen[row[column]] >= least else {**row, column: "rare"} for row in rows]
    return rows


def score(context, model, rows):
    return scores(context.run("score", rows, "--model", model, "--format", "csv", "--quiet"))


def run_import(context):
    """Imported models against the kept references: no Spark is needed."""
    for kept in sorted(KEPT.glob("*.tar.gz")):
        name = kept.name.removesuffix(".tar.gz")
        model = context.scratch / f"imported-{name}.ctr"
        context.run("import", "spark", kept, "--out", model)
        compare(context, f"spark-import/{name}", score(context, model, KEPT / "rows.csv"), table(KEPT / f"{name}.csv"))
    real = context.shared / "spark"
    if not real.exists():
        raise Skip(f"no model of the replaced system in {real}")
    model = context.scratch / "imported-real.ctr"
    context.run("import", "spark", real / "avazu-lr-model", "--out", model)
    compare(context, "spark-import/replaced", score(context, model, context.real("avazu-stream.csv")),
            table(real / "avazu-lr-model-scores.csv"), "probability_1")


def python_of(version):
    """An interpreter that has that PySpark, or Skip."""
    requirements = HERE / "requirements" / f"spark-{version}.txt"
    done = subprocess.run([ROOT / "scripts" / "lib" / "peers.sh", requirements], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise Skip(f"PySpark {version} can't be had: {done.stderr.strip()[-200:]}")
    return done.stdout.strip()


def spark(python, script, *args):
    done = subprocess.run([python, str(HERE / script), *map(str, args)], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise Failed(f"{script}: {done.stderr.strip()[-500:]}")


def live(version):
    """The check against one live Spark: models fitted there, and ours loaded
    there. It fits to some of the rows, and compares on all."""
    def run(context):
        python = python_of(version)
        data, kind = context.rows()
        rows = table(data)
        scratch = context.scratch / f"spark-{version}"
        theirs = scratch / "theirs"
        theirs.mkdir(parents=True, exist_ok=True)
        train, more = scratch / "train.csv", scratch / "rows.csv"
        write(train, common(rows[:FITTED]))
        write(more, spoiled(rows))
        folders = export(context, scratch, train)
        spark(python, "spark_models.py", "--train", train, "--score", more, "--out", theirs, *folders)
        for given in sorted(theirs.glob("*.csv")):
            if given.stem not in (folder.name for folder in folders):
                model = scratch / f"{given.stem}.ctr"
                context.run("import", "spark", theirs / given.stem, "--out", model)
                compare(context, f"spark-{version}/import {given.stem} ({kind})", score(context, model, more), table(given))
        for folder in folders:
            ours = score(context, folder.with_suffix(".ctr"), more)
            compare(context, f"spark-{version}/export {folder.name}", ours, table(theirs / f"{folder.name}.csv"))
            back = scratch / f"back-{folder.name}.ctr"
            context.run("import", "spark", folder, "--out", back)
            compare(context, f"spark-{version}/there and back {folder.name}", score(context, back, more), ours)
    return run


def export(context, scratch, train):
    """Trains our models and gives the folders they are exported to."""
    schema = scratch / "numbers.yaml"
    schema.write_text(NUMBERS)
    folders = []
    for name, flags in EXPORTS.items():
        model, folder = scratch / f"ours-{name}.ctr", scratch / f"ours-{name}"
        how = flags if "--preset" in flags else [*flags, "--schema", schema]
        context.run("train", train, "--split", "none", *how, "--out", model)
        context.run("export", model, "--to", "spark", "--out", folder, "--overwrite")
        folders.append(folder)
    return folders
