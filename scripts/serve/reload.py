"""Replaces the model of a live `ctr serve` a thousand times while it is asked:
no request fails, and each is answered by one of the two models, the one that
its Ctr-Model-Version names. Every tenth time the new file is broken, half
written or gone for a while: then the model before answers on.

    reload.py --ctr ./ctr [--reloads 1000] [--seed 1]
"""

import argparse
import http.client
import json
import os
import random
import tempfile
import threading
import time
from pathlib import Path

import serving


class Client(threading.Thread):
    """Asks again and again, on one connection as long as it lasts."""

    def __init__(self, server, body, want):
        super().__init__(daemon=True)
        self.server, self.body, self.want = server, body, want
        self.by, self.fault, self.stop = dict.fromkeys(want, 0), None, False

    def run(self):
        try:
            connection = http.client.HTTPConnection(self.server.host, self.server.port, timeout=30)
            while not self.stop:
                version, text = ask(connection, self.body)
                if self.want.get(version) != text:
                    raise serving.Failed(f"reload: version {version} answered {text!r}")
                self.by[version] += 1
            connection.close()
        except BaseException as fault:  # noqa: BLE001 # told by main
            self.fault = fault


def ask(connection, body):
    connection.request("POST", "/v1/score", body, {"Content-Type": "application/json"})
    answer = connection.getresponse()
    text = answer.read()
    if answer.status != 200:
        raise serving.Failed(f"reload: {answer.status} {text!r}")
    return answer.getheader("Ctr-Model-Version"), text


def put(path, data):
    """Puts a file in the place of another, in one step."""
    new = path.with_suffix(".new")
    new.write_bytes(data)
    os.replace(new, path)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ctr", type=Path, required=True)
    parser.add_argument("--reloads", type=int, default=1000)
    parser.add_argument("--clients", type=int, default=4)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    chance = random.Random(args.seed)
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        ctr = args.ctr.resolve()
        data = serving.rows(ctr, folder)
        two = [serving.train(ctr, data, folder / f"{algo}.ctr", "--algo", algo).read_bytes() for algo in ("lr", "dt")]
        file = folder / "m.ctr"
        put(file, two[0])
        body = json.dumps(serving.as_dicts(data)[:3]).encode()
        with serving.Server(ctr, folder, "--model", file, "--reload-every", "1ms") as server:
            connection = http.client.HTTPConnection(server.host, server.port, timeout=30)

            def until(what):
                end = time.monotonic() + 30
                while True:
                    found = ask(connection, body)
                    if what(found[0]):
                        return found
                    if time.monotonic() > end:
                        raise serving.Failed(f"reload: not replaced within 30 s: {server.log.read_text()[-2000:]}")

            first = ask(connection, body)
            put(file, two[1])
            second = until(lambda version: version != first[0])
            versions = [first[0], second[0]]
            want = dict([first, second])
            if first[1] == second[1]:
                raise serving.Failed("reload: both models give one answer")
            clients = [Client(server, body, want) for _ in range(args.clients)]
            for c in clients:
                c.start()
            began, odd = time.monotonic(), 0
            for i in range(args.reloads):
                new = two[i % 2]
                if i % 10 == 5:
                    odd += 1
                    kind = chance.choice(("broken", "half", "gone"))
                    if kind == "broken":
                        put(file, b"no model")
                    elif kind == "half":
                        file.write_bytes(new[: chance.randrange(len(new))])
                    else:
                        file.unlink()
                    time.sleep(0.01)
                    if ask(connection, body)[0] != versions[(i + 1) % 2]:
                        raise serving.Failed(f"reload: a file that is {kind} replaced a model")
                put(file, new)
                until(lambda version, i=i: version == versions[i % 2])
                if dead := [c.fault for c in clients if c.fault]:
                    raise serving.Failed(f"reload {i}: {dead[0]}")
            for c in clients:
                c.stop = True
            for c in clients:
                c.join()
            if dead := [c.fault for c in clients if c.fault]:
                raise serving.Failed(f"reload: {dead[0]}")
            by = [sum(c.by[v] for c in clients) for v in versions]
            seconds = time.monotonic() - began
            if min(by) < args.reloads // 4:
                raise serving.Failed(f"reload: too few answers to judge: {by}")
            print(f"reload: {args.reloads} in {seconds:.0f} s, {odd} after a file that was none; {by[0]} and {by[1]} answers by the two models, none wrong; "
                  f"{server.memory_mb('VmHWM'):.0f} MB at most")


if __name__ == "__main__":
    main()
