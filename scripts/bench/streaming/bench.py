"""What the parts of the streaming benchmark share."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
PEERS = ROOT / "scripts" / "bench" / "peers"
SHARED = Path(os.environ.get("CTR_SHARED") or ROOT.parent / "shared")
# The jars of Spark's connector that pyspark does not have itself.
CONNECTOR = ("spark-sql-kafka-0-10_2.12", "spark-token-provider-kafka-0-10_2.12", "kafka-clients", "commons-pool2")
SAMPLE = 20_000  # rows that models are fitted on: Spark takes half a minute for them
PRESET = "replaced-lr"


def say(text):
    print(f"bench-stream: {text}", file=sys.stderr, flush=True)


@dataclass
class Bench:
    """One broker and a folder for what is made."""

    ctr: Path
    broker: str
    folder: Path
    rows: int
    rounds: int

    def run(self, *command, **more):
        """Runs a command and gives its standard output."""
        return subprocess.run([str(a) for a in command], stdout=subprocess.PIPE, text=True, check=True, **more).stdout

    def synthetic(self, rows=None):
        """A file of synthetic rows with a header."""
        rows = rows or self.rows
        path = self.folder / f"rows-{rows}.csv"
        if not path.exists():
            self.run(self.ctr, "synth", "--rows", rows, "--seed", 1, "--out", path)
        return path

    def sample(self):
        """Its first rows: what models are fitted on."""
        path = self.folder / "sample.csv"
        with open(self.synthetic(), "rb") as rows, open(path, "wb") as out:
            for _, line in zip(range(SAMPLE + 1), rows):
                out.write(line)
        return path

    def train(self, name, rows):
        """A model of the replaced system's columns and settings."""
        path = self.folder / f"{name}.ctr"
        self.run(self.ctr, "train", rows, "--preset", PRESET, "--split", "none", "--out", path, "--json", "--quiet")
        return path

    def fill(self, topic, rows, partitions, limit, *flags):
        """A new topic of so many rows of a file, which is read again and again."""
        say(f"{limit:,} rows to {topic}")
        got = json.loads(self.run(self.ctr, "replay", rows, "--brokers", self.broker, "--topic", topic, "--create", "--partitions", partitions,
                                  "--rate", "max", "--loop", "--limit", limit, "--json", "--quiet", *flags))
        if got["acknowledged"] != limit:
            raise SystemExit(f"{topic}: {got['acknowledged']} rows, want {limit}")

    def scoring(self, topic, group, model, output):
        """The command of a ctr score to the topic's end."""
        return [str(a) for a in (self.ctr, "score", "--brokers", self.broker, "--topic", topic, "--group", group, "--model", model,
                                 "--until-end", "--quiet", "--stats-every", "0s", "--json", "--output", output)]

    def score(self, topic, group, model):
        """Rows a second of one ctr score to CSV, joining and leaving the group
        included, in its own time and in that of the process."""
        out = self.folder / f"{group}.csv"
        got = json.loads(self.run(*self.scoring(topic, group, model, out), stderr=subprocess.DEVNULL))
        out.unlink()
        if got["bad"]:
            raise SystemExit(f"{topic}: {got['bad']} rows cannot be scored")
        return got["rows"] / got["seconds"]

    def gobench(self, pattern, **env):
        """What the Go benchmarks of pipeline/kafka print."""
        env = {**os.environ, "CTR_KAFKA": self.broker, "CTR_BENCH_ROWS": str(self.rows), "CTR_BENCH_ROUNDS": str(self.rounds), **env}
        command = ["go", "test", "./pipeline/kafka", "-run", "^$", "-bench", pattern, "-benchtime", "1x", "-timeout", "60m"]
        lines = []
        with subprocess.Popen(command, cwd=ROOT, env=env, stdout=subprocess.PIPE, text=True) as test:
            for line in test.stdout:
                sys.stderr.write(line)
                lines.append(line)
        if test.returncode:
            raise SystemExit(f"go test -bench {pattern}: exit {test.returncode}")
        return lines


class Spark:
    """PySpark in an environment of its own, with its connector to Kafka."""

    def __init__(self, bench):
        self.bench = bench
        self.python = bench.run(ROOT / "scripts/lib/peers.sh", ROOT / "scripts/bench/requirements/spark-stream.txt").strip()
        self.env = {**os.environ, "SPARK_JARS": ",".join(map(str, jars()))}
        self.version = bench.run(self.python, "-c", "import pyspark; print(pyspark.__version__)").strip()

    def call(self, *arguments):
        """Runs spark_stream.py to its end and gives its last line, JSON."""
        log = self.bench.folder / "spark.log"
        with open(log, "w") as errors:
            done = subprocess.run([self.python, PEERS / "spark_stream.py", *map(str, arguments)], env=self.env,
                                  stdout=subprocess.PIPE, stderr=errors, text=True, check=False)
        if done.returncode:
            raise SystemExit(f"{log.read_text()[-3000:]}\nspark_stream.py {arguments[0]}: exit {done.returncode}")
        return json.loads(done.stdout.strip().splitlines()[-1])

    def fit(self, rows):
        """A pipeline fitted on a file, and its number of features."""
        model = self.bench.folder / "spark-model"
        say(f"Spark fits its pipeline on {rows.name}")
        return model, self.call("fit", rows, model)["features"]

    def scoring(self, broker, topic, model, columns):
        """The arguments of a scoring."""
        checkpoint = self.bench.folder / f"checkpoint-{topic}".replace("$", "")
        return ["score", "--brokers", broker, "--topic", topic, "--model", model, "--columns", columns, "--checkpoint", checkpoint]

    def shell(self, model, columns):
        """The command of a scoring for BenchmarkScorerLatency."""
        words = [self.python, PEERS / "spark_stream.py", *self.scoring("$BROKERS", "$IN", model, columns), "--to", "$OUT"]
        return "exec " + " ".join(w if w.startswith("$") else shlex.quote(w) for w in map(str, words)) + f" 2>{shlex.quote(str(self.bench.folder / 'spark.log'))}"


def jars():
    """Paths of the connector's jars, from Maven the first time."""
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "ctr" / "spark-kafka"
    pom = ROOT / "scripts" / "bench" / "spark-kafka-pom.xml"
    kept = home / "pom.xml"
    if not kept.exists() or kept.read_bytes() != pom.read_bytes():
        shutil.rmtree(home, ignore_errors=True)
        home.mkdir(parents=True)
        making = home / "making.xml"  # Maven writes a target directory beside its pom: not into the tree
        shutil.copy(pom, making)
        subprocess.run(["mvn", "-B", "-q", "-f", making, "dependency:copy-dependencies", "-DincludeScope=runtime",
                        f"-DincludeArtifactIds={','.join(CONNECTOR)}", f"-DoutputDirectory={home / 'libs'}"], stdout=sys.stderr, check=True)
        making.rename(kept)
    found = sorted((home / "libs").glob("*.jar"))
    if len(found) != len(CONNECTOR):
        raise SystemExit(f"{home / 'libs'}: {len(found)} jars, want {len(CONNECTOR)}")
    return found


def header(rows):
    """The names of a file's columns, as one text."""
    with open(rows) as f:
        return f.readline().strip()


def metric(line, name):
    """A figure that a Go benchmark reported."""
    return float(re.search(rf"([\d.e+-]+) {re.escape(name)}", line)[1])
