"""`ctr serve` beside Python's servers with the same model, on the cores that
the client has too: wrk for HTTP, ghz for gRPC. Each is measured for some
seconds in each of some rounds, one after another (A B C A B C …), and the
middle of its rounds is printed. Answers are compared before.

    serve.py --ctr ./ctr --fastapi PYTHON --mlserver PYTHON [--wrk wrk] [--ghz ghz]
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "serve"))
import serving  # noqa: E402 # lies in another folder

ROWS = 1000
JSON = "application/json"


def post(url, body, kind=JSON):
    request = urllib.request.Request(url, body, {"Content-Type": kind})
    with urllib.request.urlopen(request, timeout=120) as answer:
        return answer.read()


def table(server, data, path):
    """The model as a dictionary: what each value of each column adds, as the
    explanations say. Those of columns made of the hour are the hour's."""
    baseline, weights = None, {}
    rows = serving.as_dicts(data)
    for begin in range(0, len(rows), 2000):
        part = rows[begin : begin + 2000]
        lines = "\n".join(map(json.dumps, part)).encode()
        for row, line in zip(part, post(server.url + "/v1/score?explain=true", lines, "application/x-ndjson").splitlines(), strict=True):
            why = json.loads(line)["explanation"]
            baseline = why["baseline"]
            adds = {}
            for field, x in why["contributions"].items():
                column = field if field in row else "hour"
                adds[column] = adds.get(column, 0.0) + x
            for column, x in adds.items():
                weights.setdefault(column, {})[row[column]] = x
    path.write_text(json.dumps({"baseline": baseline, "weights": weights}))
    return sorted(weights)


class Process:
    """A Python server and its children, until stop."""

    def __init__(self, command, port, log, **more):
        self.log, self.url = log, f"http://127.0.0.1:{port}"
        with open(log, "wb") as f:
            self.process = subprocess.Popen(command, stdout=f, stderr=subprocess.STDOUT, **more)

    def wait(self, path):
        for _ in range(600):
            try:
                urllib.request.urlopen(self.url + path, timeout=5)
                return
            except urllib.error.HTTPError:
                return  # it answers
            except OSError:
                time.sleep(0.1)
            if self.process.poll() is not None:
                break
        raise serving.Failed(f"did not start: {self.log.read_text()[-2000:]}")

    def stop(self):
        self.process.terminate()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()


def family(pid):
    """A process and all below it."""
    found = [pid]
    for of in found:
        for task in Path(f"/proc/{of}/task").glob("*/children"):
            found += map(int, task.read_text().split())
    return found


def used(pid):
    """CPU seconds and resident MB of a process and its children."""
    cpu = mb = 0.0
    for p in family(pid):
        fields = Path(f"/proc/{p}/stat").read_text().rsplit(")", 1)[1].split()
        cpu += (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
        mb += int(fields[21]) * os.sysconf("SC_PAGE_SIZE") / 1e6
    return cpu, mb


class Bodies:
    """Requests in files, as wrk.lua takes them."""

    def __init__(self, folder, name, kind, bodies, rows=1):
        self.folder, self.kind, self.count, self.rows = Path(folder) / name, kind, len(bodies), rows
        self.folder.mkdir()
        for i, body in enumerate(bodies):
            (self.folder / str(i)).write_bytes(body)
        self.first = bodies[0]


def inference(rows, columns):
    return json.dumps({"inputs": [{"name": c, "shape": [len(rows)], "datatype": "BYTES", "data": [r[c] for r in rows]} for c in columns]}).encode()


class Contest:
    def __init__(self, args):
        self.args, self.results = args, {}

    def wrk(self, url, bodies, connections):
        command = [self.args.wrk, "-t", "1" if connections == 1 else "2", "-c", str(connections), "-d", f"{self.args.seconds}s", "--timeout", "30s",
                   "-s", HERE / "serving/wrk.lua", url, "--", bodies.folder, bodies.kind, str(bodies.count)]
        out = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        return json.loads(next(line for line in out.splitlines() if line.startswith("RESULT "))[7:])

    def ghz(self, address, request, connections):
        command = [self.args.ghz, "--insecure", "--proto", HERE.parents[1] / "pipeline/infer/oip/oip.proto", "--call", "inference.GRPCInferenceService.ModelInfer",
                   "-c", str(connections), "--connections", "8", "-z", f"{self.args.seconds}s", "-d", request, "--format", "json", address]
        r = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
        spread = {d["percentage"]: d["latency"] / 1e3 for d in r["latencyDistribution"]}
        good = r.get("statusCodeDistribution", {}).get("OK", 0)
        # Those that were under way when the time ended are cancelled by ghz.
        bad = r["count"] - good - r.get("statusCodeDistribution", {}).get("Canceled", 0) - r.get("statusCodeDistribution", {}).get("Unavailable", 0)
        return {"requests": good, "seconds": r["total"] / 1e9, "p50": spread[50], "p99": spread[99], "errors": bad}

    def measure(self, name, pid, rows, run):
        cpu, _ = used(pid)
        r = run()
        after, mb = used(pid)
        r["cpu"], r["mb"], r["rows"] = after - cpu, mb, rows
        if r["errors"] or r["requests"] < 10:
            raise serving.Failed(f"{name}: {r}")
        self.results.setdefault(name, []).append(r)
        print(f"{name}: {r['requests'] / r['seconds']:.0f} req/s", file=sys.stderr, flush=True)

    def middle(self, name, figure):
        return statistics.median(figure(r) for r in self.results[name])

    def rate(self, name):
        return self.middle(name, lambda r: r["requests"] / r["seconds"])

    def line(self, name):
        m = lambda f: self.middle(name, f)  # noqa: E731 # short
        return (f"{name:<44} {self.rate(name):>9,.0f} {m(lambda r: r['requests'] * r['rows'] / r['seconds']):>11,.0f} {m(lambda r: r['p50']) / 1e3:>8.2f} "
                f"{m(lambda r: r['p99']) / 1e3:>8.2f} {m(lambda r: 1000 * r['cpu'] / r['requests']):>10.3f} {m(lambda r: r['mb']):>6,.0f}")


OIP, FLAT = "ctr, Open Inference JSON", "ctr, flat JSON"
MLSERVER, FASTAPI = "MLServer 1.7.1, parallel_workers 0, dictionary", "FastAPI + orjson + dictionary, 2 workers"
FASTAPI1, CONSTANT = "FastAPI + orjson + dictionary, 1 worker", "Go's net/http, a constant for flat JSON"
CSV1, CSV16, BATCH = "ctr, CSV of 1,000 rows, 1 connection", "ctr, CSV of 1,000 rows", "ctr, JSON of 100 rows"
GRPC = "ctr, gRPC, 64 streams"


def contestants(contest, folder, server, python, data, columns):
    """What is measured: (name, pid, rows a request, what runs it)."""
    rows = serving.as_dicts(data)[:ROWS]
    header, *lines = data.read_text().splitlines()
    flat = Bodies(folder, "flat", JSON, [json.dumps(r).encode() for r in rows])
    oip = Bodies(folder, "oip", JSON, [inference([r], columns) for r in rows])
    csv = Bodies(folder, "csv", "text/csv", ["\n".join([header, *lines[i * 1000 : i * 1000 + 1000], ""]).encode() for i in range(8)], 1000)
    batch = Bodies(folder, "batch", JSON, [json.dumps(rows[i * 100 : i * 100 + 100]).encode() for i in range(10)], 100)
    score, infer = server.url + "/v1/score", server.url + "/v2/models/m/infer"
    want = json.loads(post(score, flat.first))["probability"]
    found = []

    def add(name, pid, url, bodies, connections, probability):
        try:
            got = probability(json.loads(post(url, bodies.first, bodies.kind))) if probability else want
        except urllib.error.HTTPError as e:
            if e.code != 404:
                raise
            print(f"{name}: not served here, left out", file=sys.stderr)
            return
        if abs(got - want) > 1e-9:
            raise serving.Failed(f"{name}: {got}, want {want}")
        found.append((name, pid, bodies.rows, lambda: contest.wrk(url, bodies, connections)))

    first = lambda a: a["outputs"][0]["data"][0]  # noqa: E731 # short
    add(OIP, server.process.pid, infer, oip, 16, first)
    if "mlserver" in python:
        add(MLSERVER, python["mlserver"].process.pid, python["mlserver"].url + "/v2/models/m/infer", oip, 16, first)
    add(FLAT, server.process.pid, score, flat, 16, lambda a: a["probability"])
    if "fastapi" in python:
        add(FASTAPI, python["fastapi"].process.pid, python["fastapi"].url + "/score", flat, 16, lambda a: a["probability"])
        add(FASTAPI1, python["fastapi1"].process.pid, python["fastapi1"].url + "/score", flat, 16, lambda a: a["probability"])
    if "constant" in python:
        add(CONSTANT, python["constant"].process.pid, python["constant"].url, flat, 16, None)
    add(CSV1, server.process.pid, score, csv, 1, None)
    add(CSV16, server.process.pid, score, csv, 16, None)
    add(BATCH, server.process.pid, score, batch, 16, lambda a: a[0]["probability"])
    if contest.args.ghz:
        import base64

        request = json.dumps({"model_name": "m", "inputs": [
            {"name": c, "shape": [1], "datatype": "BYTES", "contents": {"bytes_contents": [base64.b64encode(rows[0][c].encode()).decode()]}} for c in columns]})
        found.append((GRPC, server.process.pid, 1, lambda: contest.ghz(contest.args.grpc, request, 64)))
    return found


def judge(contest):
    """What was wanted, and whether it was reached."""
    wanted = []

    def want(text, figure, least=None, most=None):
        good = figure >= least if least is not None else figure <= most
        limit = f"at least {least:,}" if least is not None else f"at most {most:,}"
        wanted.append(f"{text + ':':<52} {figure:,.2f} ({limit}): {'reached' if good else 'not reached'}")

    have = contest.results.keys()
    if OIP in have:
        want("Open Inference JSON, requests/s", contest.rate(OIP), least=30_000)
        want("Open Inference JSON, p50 ms", contest.middle(OIP, lambda r: r["p50"]) / 1e3, most=0.4)
    if {OIP, MLSERVER} <= have:
        want("Open Inference JSON, times MLServer", contest.rate(OIP) / contest.rate(MLSERVER), least=10)
    if FLAT in have:
        want("flat JSON, requests/s", contest.rate(FLAT), least=45_000)
        want("flat JSON, p50 ms", contest.middle(FLAT, lambda r: r["p50"]) / 1e3, most=0.4)
    if {FLAT, FASTAPI} <= have:
        want("flat JSON, times the best Python server", contest.rate(FLAT) / contest.rate(FASTAPI), least=4.5)
        want("flat JSON, times that server with one worker", contest.rate(FLAT) / contest.rate(FASTAPI1), least=4.5)
    if CSV1 in have:
        want("CSV batches on one connection, M rows/s", contest.rate(CSV1) / 1e3, least=1.5)
    if GRPC in have:
        want("gRPC, CPU s per 1,000", contest.middle(GRPC, lambda r: 1000 * r["cpu"] / r["requests"]), most=0.05)
    return wanted


def start_python(args, folder, tab, port):
    """MLServer and FastAPI, those that there are, and a server that does nothing."""
    env = {**os.environ, "TABLE": str(tab), "PYTHONPATH": str(HERE / "serving")}
    found = {}
    if args.fastapi:
        for name, at, workers in (("fastapi", port, 2), ("fastapi1", port + 5, 1)):
            command = [args.fastapi, "-m", "uvicorn", "fastapi_app:app", "--port", str(at), "--workers", str(workers), "--loop", "uvloop", "--http", "httptools", "--no-access-log", "--log-level", "warning"]
            found[name] = Process(command, at, folder / f"{name}.log", env=env)
    if args.constant:
        found["constant"] = Process([args.constant, str(port + 6)], port + 6, folder / "constant.log")
    if args.mlserver:
        home = folder / "mlserver"
        home.mkdir()
        (home / "settings.json").write_text(json.dumps({"parallel_workers": 0, "http_port": port + 1, "grpc_port": port + 2, "metrics_port": port + 3, "metrics_endpoint": None, "debug": False, "use_structured_logging": False}))
        (home / "model-settings.json").write_text(json.dumps({"name": "m", "implementation": "mlserver_model.Dictionary"}))
        found["mlserver"] = Process([Path(args.mlserver).with_name("mlserver"), "start", home], port + 1, folder / "mlserver.log", env=env)
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ctr", type=Path, required=True)
    parser.add_argument("--wrk", default="wrk")
    parser.add_argument("--ghz", help="left out where it is not given")
    parser.add_argument("--fastapi", help="an interpreter with FastAPI; left out where it is not given")
    parser.add_argument("--mlserver", help="an interpreter with MLServer; left out where it is not given")
    parser.add_argument("--constant", help="serving/constant.go, compiled; left out where it is not given")
    parser.add_argument("--seconds", type=int, default=10)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--port", type=int, default=19600, help="the first of seven")
    args = parser.parse_args()
    args.grpc = f"127.0.0.1:{args.port + 4}"
    contest = Contest(args)
    load = os.getloadavg()[1]
    folder = Path(tempfile.mkdtemp())
    python = {}
    try:
        ctr = args.ctr.resolve()
        data = serving.rows(ctr, folder, count=20_000)
        model = serving.train(ctr, data, folder / "m.ctr", "--algo", "lr")
        grpc = ("--grpc", args.grpc) if args.ghz else ()
        with serving.Server(ctr, folder, "--model", model, "--max-body", "64M", *grpc) as server:
            columns = table(server, data, folder / "table.json")
            python = start_python(args, folder, folder / "table.json", args.port)
            for name, p in python.items():
                p.wait("/v2/models/m/ready" if name == "mlserver" else "/")
            runs = contestants(contest, folder, server, python, data, columns)
            for _ in range(args.rounds):
                for name, pid, rows, run in runs:
                    contest.measure(name, pid, rows, run)
    finally:
        for p in python.values():
            p.stop()
        shutil.rmtree(folder)
    print(f"One row of 22 columns a request on 16 connections where it does not say otherwise; the same logistic regression; client and")
    print(f"servers on {os.cpu_count()} cores; the middle of {args.rounds} rounds of {args.seconds} s; load average before {load:.1f} (5 minutes).\n")
    print(f"{'':<44} {'req/s':>9} {'rows/s':>11} {'p50 ms':>8} {'p99 ms':>8} {'CPU s/1000':>10} {'MB':>6}")
    for name in contest.results:
        print(contest.line(name))
    print("\nWanted:")
    print("\n".join(judge(contest)))


if __name__ == "__main__":
    main()
