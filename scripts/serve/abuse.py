"""Sends 10,000 requests that no client should send to a live `ctr serve`, each
of which has one right answer: fuzzed, oversized, compressed, wrongly typed,
cut off in the head or the body, and slow. All the while good requests must be
answered with the same bytes as before, and memory must stay bounded.

    abuse.py --ctr ./ctr [--requests 10000] [--seed 1]
"""

import argparse
import collections
import gzip
import http.client
import json
import os
import random
import socket
import tempfile
import threading
import time
import zlib
from pathlib import Path

import serving

MAX_BODY = 1 << 20
WAIT = 2  # seconds: --max-wait
MEMORY_MB = 400  # at most, of which bodies take 64


def head(length=None, kind="application/json", extra=""):
    size = "" if length is None else f"Content-Length: {length}\r\n"
    return f"POST /v1/score HTTP/1.1\r\nHost: x\r\nContent-Type: {kind}\r\n{size}{extra}\r\n".encode()


def post(body, kind="application/json", extra=""):
    return head(len(body), kind, extra) + body


def zstd_bomb(blocks):
    """A frame of RFC 8878 with a window of 128 KiB, and blocks of 128 KiB of one byte."""
    size = 128 << 10
    block = ((size << 3) | (1 << 1)).to_bytes(3, "little") + b"x"
    return b"\x28\xb5\x2f\xfd\x00\x38" + block * blocks


class Mischief:
    """Makes bad requests: (what is sent, statuses that are right)."""

    def __init__(self, chance, rows):
        self.chance, self.rows = chance, rows
        self.bomb = gzip.compress(b"[" + b" " * (64 << 20), 9)
        self.zbomb = zstd_bomb(2000)
        self.kinds = [getattr(self, name) for name in sorted(dir(self)) if name.startswith("as_")]

    def one(self):
        make = self.chance.choice(self.kinds)
        sent, right = make()
        return make.__name__[3:], sent, right

    def row(self):
        return dict(self.chance.choice(self.rows))

    def as_noise(self):
        body = self.chance.randbytes(self.chance.randrange(2000))
        return post(body), {400}

    def as_flipped(self):
        """A good body with some bytes changed: 200 where it is a row still."""
        body = bytearray(json.dumps(self.row()).encode())
        for _ in range(self.chance.randrange(1, 6)):
            body[self.chance.randrange(len(body))] = self.chance.randrange(256)
        return post(bytes(body)), {200, 400}

    def as_cut(self):
        body = json.dumps([self.row(), self.row()]).encode()
        return post(body[: self.chance.randrange(len(body))]), {400}

    def as_wrong_type(self):
        row = self.row()
        row[self.chance.choice(sorted(row))] = self.chance.choice([[], {}, [1], {"a": 1}])
        return post(json.dumps(row).encode()), {400}

    def as_no_number(self):
        row = self.row()
        row["hour"] = self.chance.choice(["NaN", "Infinity", -1, 1e300, "14130100", True, None, "1" * 9])
        body = json.dumps([self.row(), row])
        return post(body.replace('"NaN"', "NaN").encode()), {400}

    def as_missing(self):
        row = self.row()
        del row[self.chance.choice(sorted(row.keys() - {"id"}))]
        return post(json.dumps(row).encode()), {400}

    def as_deep(self):
        depth = self.chance.randrange(20, 100_000)
        return post(self.chance.choice([b"[", b'{"a":']) * depth), {400, 413}

    def as_csv(self):
        body = bytearray("\n".join(",".join(map(str, self.row().values())) for _ in range(3)).encode())
        for _ in range(4):
            body.insert(self.chance.randrange(len(body)), self.chance.choice(b'"\n,\0'))
        return post(bytes(body), "text/csv"), {200, 400}

    def as_many_rows(self):
        n = self.chance.randrange(20_000, 400_000)
        header = b"id,click,hour\n"
        return post(header + b"a\n" * n, "text/csv"), {413}

    def as_long_row(self):
        row = self.row()
        row["site_id"] = "x" * self.chance.randrange(70_000, 500_000)
        return post(json.dumps(row).encode()), {400}

    def as_claim(self):
        return head(self.chance.randrange(MAX_BODY + 1, 1 << 50)), {413}

    def as_oversized(self):
        size = f"{1 << 16:x}\r\n".encode() + b" " * (1 << 16) + b"\r\n"
        return head(extra="Transfer-Encoding: chunked\r\n") + size * 17 + b"0\r\n\r\n", {413}

    def as_bomb(self):
        return post(self.bomb, extra="Content-Encoding: gzip\r\n"), {413}

    def as_zstd_bomb(self):
        return post(self.zbomb, extra="Content-Encoding: zstd\r\n"), {413}

    def as_bad_gzip(self):
        body = bytearray(gzip.compress(json.dumps(self.row()).encode()))
        at = self.chance.randrange(len(body))
        if at in (4, 5, 6, 7, 8, 9):  # time, flags and system, which nobody reads
            at = 0
        body[at] ^= 1 << self.chance.randrange(8)
        # What a flipped bit leaves may be a name or comment of the header: good.
        try:
            zlib.decompress(bytes(body), 31)
            right = {200}
        except zlib.error:
            right = {400}
        return post(bytes(body), extra="Content-Encoding: gzip\r\n"), right | {400}

    def as_bad_chunks(self):
        return head(extra="Transfer-Encoding: chunked\r\n") + self.chance.choice([b"zz\r\n", b"-1\r\n", b"5\r\nabcdefgh\r\n", b"fffffffffffffffffff\r\n"]), {400}

    def as_wrong_kind(self):
        return post(b"{}", self.chance.choice(["application/xml", "a", ";", "text/csv; charset=utf-16", "image/png"])), {415}

    def as_wrong_method(self):
        method = self.chance.choice(["GET", "PUT", "DELETE", "OPTIONS", "PATCH", "BREW"])
        return f"{method} /v1/score HTTP/1.1\r\nHost: x\r\n\r\n".encode(), {405}

    def as_nowhere(self):
        path = "/" + self.chance.randbytes(8).hex()
        return f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n".encode(), {404}

    def as_bad_http(self):
        return self.chance.choice([b"\0\r\n\r\n", b"GET\r\n\r\n", b"GET / HTTP/1.1\r\n\r\n", b"GET / HTTP/1.1\r\nHost x\r\n\r\n", b"\x16\x03\x01\r\n\r\n"]), {400}

    def as_large_head(self):
        return b"GET /livez HTTP/1.1\r\nHost: x\r\nX: " + b"x" * 100_000 + b"\r\n\r\n", {431}


def status(answer):
    """The status of an answer, and whether it is whole JSON where it should be."""
    first, _, _ = answer.partition(b"\r\n")
    parts = first.split(b" ")
    return int(parts[1]) if len(parts) > 1 and parts[1].isdigit() else None


def exchange(server, sent, wait=30):
    with socket.create_connection((server.host, server.port), timeout=wait) as s:
        try:
            s.sendall(sent)
        except OSError:
            pass  # refused before it was all sent: the answer is there
        got = b""
        while status(got) is None or b"\r\n\r\n" not in got:
            try:
                piece = s.recv(1 << 16)
            except ConnectionError:
                break
            if not piece:
                break
            got += piece
    return got


class Bad(threading.Thread):
    """Sends its share of the bad requests, one after another."""

    def __init__(self, server, seed, rows, count):
        super().__init__(daemon=True)
        self.server, self.count, self.seed = server, count, seed
        self.mischief = Mischief(random.Random(seed), rows)
        self.seen, self.faults = collections.Counter(), []

    def run(self):
        for i in range(self.count):
            kind, sent, right = self.mischief.one()
            try:
                got = status(exchange(self.server, sent))
            except OSError as fault:
                got = repr(fault)
            self.seen[kind] += 1
            if got not in right:
                self.faults.append(f"seed {self.seed}, request {i}, {kind}: {got}, want {sorted(right)}: {sent[:300]!r}")


class Aborts(threading.Thread):
    """Leaves in the middle of heads and bodies, some by a reset."""

    def __init__(self, server, seed, rows, count):
        super().__init__(daemon=True)
        self.server, self.count, self.chance, self.rows = server, count, random.Random(seed), rows
        self.faults = []

    def run(self):
        whole = post(json.dumps(self.rows).encode())
        for _ in range(self.count):
            try:
                with socket.create_connection((self.server.host, self.server.port), timeout=30) as s:
                    s.sendall(whole[: self.chance.randrange(len(whole))])
                    if self.chance.random() < 0.5:
                        s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            except ConnectionError:
                pass
            except OSError as fault:
                self.faults.append(f"abort: {fault!r}")


class Slow(threading.Thread):
    """Holds many connections at once, each sending a byte now and then: heads
    (cut off, by 400 or nothing) and bodies (408)."""

    def __init__(self, server, seed, count):
        super().__init__(daemon=True)
        self.server, self.count, self.chance = server, count, random.Random(seed)
        self.seen, self.faults = collections.Counter(), []

    def run(self):
        open_ = []
        for i in range(self.count):
            s = socket.create_connection((self.server.host, self.server.port), timeout=30)
            body = i % 2 == 0
            s.sendall(head(900_000) + b"[" if body else b"POST /v1/score HTTP/1.1\r\nHost: x\r\nX-A")
            open_.append((s, body))
        end = time.monotonic() + WAIT + 20
        while open_ and time.monotonic() < end:
            time.sleep(0.1)
            left = []
            for s, body in open_:
                try:
                    s.sendall(b" " if body else b"a")
                    s.setblocking(False)
                    got = s.recv(1 << 16)
                except BlockingIOError:
                    s.setblocking(True)
                    left.append((s, body))
                    continue
                except OSError:
                    got = b""
                found = status(got)
                self.seen[found] += 1
                # A reset may overtake the answer, since bytes came after it.
                if found not in ({408, None} if body else {400, None}):
                    self.faults.append(f"slow {'body' if body else 'head'}: {got[:200]!r}")
                s.close()
            open_ = left
        if open_:
            self.faults.append(f"slow: {len(open_)} connections are open after {WAIT + 20} s")


class Good(threading.Thread):
    """Asks for what should be answered throughout."""

    def __init__(self, server, body, want):
        super().__init__(daemon=True)
        self.server, self.body, self.want = server, body, want
        self.count, self.slowest, self.faults, self.stop = 0, 0.0, [], False

    def run(self):
        while not self.stop and not self.faults:
            began = time.monotonic()
            try:
                connection = http.client.HTTPConnection(self.server.host, self.server.port, timeout=20)
                for _ in range(50):
                    connection.request("POST", "/v1/score", self.body, {"Content-Type": "application/json"})
                    answer = connection.getresponse()
                    got = answer.status, answer.read()
                    if got != (200, self.want):
                        self.faults.append(f"a good request: {got}")
                        break
                    self.count += 1
                    self.slowest, began = max(self.slowest, time.monotonic() - began), time.monotonic()
                connection.close()
            except (OSError, http.client.HTTPException) as fault:
                self.faults.append(f"a good request: {fault!r}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ctr", type=Path, required=True)
    parser.add_argument("--requests", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        ctr = args.ctr.resolve()
        data = serving.rows(ctr, folder, count=2000)
        model = serving.train(ctr, data, Path(folder) / "m.ctr", "--algo", "lr")
        flags = ("--model", model, "--max-body", "1M", "--max-memory", "64M", "--max-wait", f"{WAIT}s")
        with serving.Server(ctr, folder, *flags) as server:
            attack(server, args, serving.as_dicts(data)[:50])


def attack(server, args, rows):
    body = json.dumps(rows[:3]).encode()
    answer = exchange(server, post(body, extra="Connection: close\r\n"))
    connection = http.client.HTTPConnection(server.host, server.port, timeout=30)
    connection.request("POST", "/v1/score", body, {"Content-Type": "application/json"})
    got = connection.getresponse()
    want = got.read()
    if got.status != 200 or status(answer) != 200:
        raise serving.Failed(f"abuse: {got.status} {want!r}")
    before = server.memory_mb()
    slow, aborts, bad = args.requests // 25, args.requests // 5, 8
    left = args.requests - slow - aborts
    good = [Good(server, body, want) for _ in range(2)]
    workers = [Slow(server, args.seed, slow)]
    workers += [Aborts(server, args.seed + i, rows, aborts // 2) for i in range(2)]
    workers += [Bad(server, 1000 * args.seed + i, rows, left // bad) for i in range(bad)]
    began = time.monotonic()
    for t in good + workers:
        t.start()
    for t in workers:
        t.join()
    for t in good:
        t.stop = True
    for t in good:
        t.join()
    seconds = time.monotonic() - began
    faults = [f for t in workers + good for f in t.faults]
    if faults:
        raise serving.Failed(f"abuse: {len(faults)} answers were wrong\n" + "\n".join(faults[:20]))
    most = server.memory_mb("VmHWM")
    if most > MEMORY_MB:
        raise serving.Failed(f"abuse: {most:.0f} MB at most, {before:.0f} before: want {MEMORY_MB} or less")
    if min(t.count for t in good) < 50:
        raise serving.Failed(f"abuse: {[t.count for t in good]} good requests: too few to judge")
    connection = http.client.HTTPConnection(server.host, server.port, timeout=30)
    for _ in range(20):  # those that are held are let go
        connection.request("GET", "/readyz")
        if connection.getresponse().read() == b"ok\n":
            break
    files = len(os.listdir(f"/proc/{server.process.pid}/fd"))
    kinds = sum((t.seen for t in workers if isinstance(t, Bad)), collections.Counter())
    if len(kinds) < 20 or files > 100:
        raise serving.Failed(f"abuse: {len(kinds)} kinds, {files} open files after the end")
    print(f"abuse: {args.requests} requests of {len(kinds) + 3} kinds in {seconds:.0f} s, each answered as it should be; meanwhile {sum(t.count for t in good)} good ones, "
          f"the slowest in {1000 * max(t.slowest for t in good):.0f} ms; memory {before:.0f} MB before, {most:.0f} at most")


if __name__ == "__main__":
    main()
