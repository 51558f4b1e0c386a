"""ctr watch on a pseudo-terminal: it fits, follows the size, goes on when the
server goes, and leaves the terminal as it was.

    watch.py CTR MODEL
"""

import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time

CTR, MODEL = sys.argv[1:]
ENTER, LEAVE = b"\x1b[?1049h", b"\x1b[?7h\x1b[?25h\x1b[?1049l"


def serve(listen):
    """Starts a server and gives it with its port."""
    server = subprocess.Popen([CTR, "serve", "--model", MODEL, "--listen", listen], stderr=subprocess.PIPE, text=True)
    line = server.stderr.readline()
    return server, re.search(r"at http://127\.0\.0\.1:(\d+);", line).group(1)


def resize(fd, lines, columns):
    fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))


def until(fd, done, seen):
    """Reads until done says so of all that was read; 30 seconds at most."""
    end = time.time() + 30
    while not done(bytes(seen)):
        assert time.time() < end, f"waited 30 s: {bytes(seen)[-2000:]!r}"
        if select.select([fd], [], [], 0.1)[0]:
            try:
                seen += os.read(fd, 65536)
            except OSError:  # the other side has ended
                return
    return


def pictures(seen, after=0):
    """The whole pictures that were drawn, each a list of lines without codes."""
    parts = bytes(seen)[after:].split(b"\x1b[H")[1:-1]  # the last may not be whole
    return [re.split(r"\r*\n", re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", p.decode(errors="replace"))) for p in parts]


def main():
    server, port = serve("0")
    pid, fd = pty.fork()
    if pid == 0:
        os.execv(CTR, [CTR, "watch", port])
    try:
        resize(fd, 24, 80)
        seen = bytearray()
        until(fd, lambda b: len(pictures(b)) >= 3, seen)
        assert bytes(seen).startswith(ENTER), bytes(seen)[:40]
        for p in pictures(seen)[1:]:
            assert len(p) <= 24 and max(map(len, p)) <= 80, p
            assert p[0].startswith("ctr "), p
        mark = len(seen)
        resize(fd, 8, 40)
        until(fd, lambda b: any(len(p) <= 8 and p[1].endswith("…") and max(map(len, p)) <= 40 for p in pictures(b, mark)), seen)
        server.send_signal(signal.SIGINT)
        server.wait()
        mark = len(seen)
        until(fd, lambda b: any("connection lost" in "\n".join(p) for p in pictures(b, mark)), seen)
        server, _ = serve(port)
        mark = len(seen)
        until(fd, lambda b: pictures(b, mark) and "connection lost" not in "\n".join(pictures(b, mark)[-1]), seen)
        os.write(fd, b"\x03")  # Ctrl-C
        until(fd, lambda b: b.rstrip().endswith(LEAVE), seen)
        _, status = os.waitpid(pid, 0)
        assert os.waitstatus_to_exitcode(status) == 0, status
        assert bytes(seen).count(LEAVE) == 1
        print("ctr watch: 1 passed, 0 failed")
    finally:
        server.kill()
        server.wait()


main()
