"""A standalone Spark cluster on loopback, of the pyspark package that this
interpreter has: a master and workers, each a process of its own.

    with Cluster(folder) as cluster:
        run([ctr, "train", …, "--master", cluster.url, *cluster.flags()])

Ports are base (the master's), base + 1 (its page), base + 2 … of the workers and
base + 50 … of the driver, so that several clusters can stand side by side.
"""

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pyspark

HOME = Path(pyspark.__file__).parent
SUBMIT = HOME / "bin" / "spark-submit"
BASE = int(os.environ.get("SPARK_CLUSTER_PORT", "21400"))


class Cluster:
    """Two workers by default, each with one core and so much memory, all of which
    one job gets."""

    def __init__(self, folder, base=BASE, workers=2, memory_mb=2048):
        self.folder, self.base, self.workers, self.memory_mb = Path(folder), base, workers, memory_mb
        self.url = f"spark://127.0.0.1:{base}"
        self.processes = []

    def flags(self):
        """Flags of ctr train that run its job here."""
        settings = {
            # The driver's Python; else it would be the first on the PATH.
            "spark.pyspark.python": sys.executable,
            "spark.executor.memory": f"{self.memory_mb - 512}m", "spark.driver.memory": "3g",
            "spark.driver.host": "127.0.0.1", "spark.driver.bindAddress": "127.0.0.1", "spark.driver.port": self.base + 50, "spark.ui.port": self.base + 60,
            "spark.blockManager.port": self.base + 70, "spark.sql.shuffle.partitions": 2 * self.workers,
        }
        flags = ["--engine", "spark", "--master", self.url, "--spark-submit", str(SUBMIT)]
        for name, value in settings.items():
            flags += ["--spark-conf", f"{name}={value}"]
        return flags

    def start(self, name, *args):
        # Spark's own settings of whoever runs this must not reach the cluster.
        env = {k: v for k, v in os.environ.items() if not k.startswith("SPARK_")}
        env |= {"SPARK_HOME": str(HOME), "SPARK_LOCAL_IP": "127.0.0.1", "SPARK_DAEMON_MEMORY": "512m", "SPARK_NO_DAEMONIZE": "1"}
        log = open(self.folder / f"{name.rpartition('.')[2]}-{len(self.processes)}.log", "w")
        self.processes.append(subprocess.Popen(
            [str(HOME / "bin" / "spark-class"), f"org.apache.spark.deploy.{name}", *map(str, args)],
            stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, env=env, cwd=self.folder, start_new_session=True))

    def alive(self):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.base + 1}/json/", timeout=5) as page:
                return json.load(page)["aliveworkers"]
        except (OSError, ValueError, KeyError):
            return 0

    def __enter__(self):
        self.folder.mkdir(parents=True, exist_ok=True)
        signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended by a signal"))  # and so through __exit__
        try:
            self.start("master.Master", "--host", "127.0.0.1", "--port", self.base, "--webui-port", self.base + 1)
            for i in range(self.workers):
                self.start("worker.Worker", "--host", "127.0.0.1", "--port", self.base + 2 + 2 * i, "--webui-port", self.base + 3 + 2 * i,
                           "--cores", 1, "--memory", f"{self.memory_mb}m", "--work-dir", self.folder / f"work-{i}", self.url)
            deadline = time.monotonic() + 180
            while self.alive() < self.workers:
                if time.monotonic() > deadline or any(p.poll() is not None for p in self.processes):
                    raise SystemExit(f"no Spark cluster of {self.workers} workers at {self.url}: see the logs in {self.folder}")
                time.sleep(0.5)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        for p in reversed(self.processes):
            p.terminate()
        for p in self.processes:
            try:
                p.wait(20)
            except subprocess.TimeoutExpired:
                p.kill()
                p.wait()
        self.processes = []
