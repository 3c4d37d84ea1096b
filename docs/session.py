#!/usr/bin/env python3
"""Draws two terminals, in which labnet really runs.

    just build && docs/session.py ./labnet docs/session.svg

Every character in the picture is what a shell or labnet wrote to a terminal.
Only the network is made slower, so that there is something to interrupt.
Needs Linux, bash, and nothing but Python's own library.
"""

import html
import os
import pty
import re
import select
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import termios
import threading
import time
from fcntl import ioctl

COLUMNS = 112
RATE = 60 << 20  # of the network, in bytes per second


class Terminal:
    """A shell on a terminal, as far as a shell and labnet make use of one."""

    def __init__(self, folder, env):
        self.rows, self.x, self.style, self.rest = [[]], 0, "", ""
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.chdir(folder)
            shell = ["bash", "--norc", "--noprofile", "--noediting", "-i"]
            os.execvpe("bash", shell, env)
        ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", 50, COLUMNS, 0, 0))
        self.until(lambda: self.last() == "$ ")

    def run(self, command):
        """Types a command and waits for the next prompt."""
        self.type(command + "\n")
        self.until(lambda: self.last() == "$ ")

    def type(self, keys):
        lines = len(self.rows)
        os.write(self.fd, keys.encode())
        self.until(lambda: len(self.rows) > lines or keys == "\x03")

    def until(self, condition, seconds=60):
        """Reads what comes until the screen is as wanted."""
        end = time.monotonic() + seconds
        while not condition():
            if not select.select([self.fd], [], [], 0.1)[0] and time.monotonic() > end:
                sys.exit("this did not go on:\n" + "\n".join(map(self.text, self.rows)))
            elif select.select([self.fd], [], [], 0)[0]:
                self.show(os.read(self.fd, 4096).decode(errors="replace"))

    def show(self, text):
        text = self.rest + text
        done = 0
        for m in re.finditer(r"\x1b\[([?\d;]*)([A-Za-z])|[^\x1b]", text):
            done = m.end()
            if m[2] == "m":
                codes = [c for c in m[1].split(";") if c not in ("", "0")]
                self.style = " ".join((self.style.split() if codes else []) + ["c" + c for c in codes])
            elif m[2] == "J":
                del self.rows[-1][self.x:]
            elif m[0] == "\r":
                self.x = 0
            elif m[0] == "\n":
                self.rows.append([])
                self.x = 0
            elif not m[2]:
                if self.x == COLUMNS:
                    self.rows.append([])
                    self.x = 0
                row = self.rows[-1]
                row += [(" ", "")] * (self.x + 1 - len(row))
                row[self.x] = (m[0], self.style)
                self.x += 1
        self.rest = text[done:]

    def text(self, row):
        return "".join(c for c, _ in row)

    def last(self):
        return self.text(self.rows[-1])

    def contains(self, pattern):
        return lambda: any(re.search(pattern, self.text(row)) for row in self.rows)


def relay(server):
    """Listens, and passes what comes on to the server, not faster than RATE."""

    def copy(a, b):
        try:
            while data := a.recv(1 << 18):
                time.sleep(len(data) / RATE)
                b.sendall(data)
        except OSError:
            pass
        for s in a, b:
            try:
                s.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def accept():
        while True:
            a = listener.accept()[0]
            b = socket.create_connection(server)
            for pair in (a, b), (b, a):
                threading.Thread(target=copy, args=pair, daemon=True).start()

    listener = socket.create_server(("127.0.0.1", 0))
    threading.Thread(target=accept, daemon=True).start()
    return "%s:%d" % listener.getsockname()


WIDTH, HEIGHT, PAD = 8, 18, 14  # of a character; around a terminal
STYLE = """
svg { font: 13px ui-monospace, SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono", monospace }
rect { fill: #f6f8fa; stroke: #d0d7de } text { fill: #1f2328; white-space: pre } .title { fill: #59636e }
.prompt, .c1 { font-weight: bold }
.c90 { fill: #6e7781 } .c31 { fill: #cf222e } .c32 { fill: #116329 } .c33 { fill: #7d4e00 } .c36 { fill: #1b6c7d }
@media (prefers-color-scheme: dark) {
  rect { fill: #0d1117; stroke: #3d444d } text { fill: #e6edf3 } .title { fill: #9198a1 }
  .c90 { fill: #8b949e } .c31 { fill: #ff7b72 } .c32 { fill: #7ee787 } .c33 { fill: #e3b341 } .c36 { fill: #76e3ea }
}"""


def draw(panes):
    """The picture of terminals, each with a title, one below the other."""
    out, y = [], 0
    width = COLUMNS * WIDTH + 2 * PAD
    for title, rows in panes:
        height = len(rows) * HEIGHT + 2 * PAD + HEIGHT
        out.append(f'<rect x="0.5" y="{y + 0.5}" width="{width - 1}" height="{height - 1}" rx="8"/>')
        out.append(f'<text class="title" x="{PAD}" y="{y + PAD + 10}">{html.escape(title)}</text>')
        for n, row in enumerate(rows, 2):
            out += spans(row, y + PAD + n * HEIGHT - 6)
        y += height + 12
    size = f'width="{width}" height="{y - 12}" viewBox="0 0 {width} {y - 12}"'
    label = "labnet serve in one terminal, and in another say, ping and upload, which is interrupted and goes on"
    head = f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img" aria-label="{label}">'
    return "\n".join([head, f"<style>{STYLE}\n</style>", *out, "</svg>"]) + "\n"


def spans(row, y):
    """One text for each run of characters of a style, in its place in any font."""
    line = "".join(c for c, _ in row)
    styles = ["prompt" if line.startswith("$ ") else style for _, style in row]
    for m in re.finditer(r"(?s)(\S+(?: \S+)*)", line):
        start = m.start()
        while start < m.end():
            end = start
            while end < m.end() and styles[end] == styles[start]:
                end += 1
            text = line[start:end].rstrip()
            length = f' textLength="{len(text) * WIDTH}"' if len(text) > 1 else ""
            kind = f' class="{styles[start]}"' if styles[start] else ""
            if text:
                yield f'<text{kind} x="{PAD + start * WIDTH}" y="{y}"{length}>{html.escape(text, quote=False)}</text>'
            start = end


def main():
    labnet = os.path.abspath(sys.argv[1])
    folder = tempfile.mkdtemp()
    terminals = []
    try:
        here, there = os.path.join(folder, "laptop"), os.path.join(folder, "nas")
        for path in here, there, os.path.join(folder, "bin"), os.path.join(here, "photos"):
            os.mkdir(path)
        os.symlink(labnet, os.path.join(folder, "bin", "labnet"))
        for name, size in ("report.pdf", 4_400_000), ("disk.img", 260 << 20), ("photos/cat.jpg", 2_700_000), ("photos/dog.jpg", 3_100_000):
            with open(os.path.join(here, name), "wb") as f:
                f.write(os.urandom(1 << 20))
                f.truncate(size)
        env = {"PATH": os.path.join(folder, "bin") + ":" + os.environ["PATH"], "PS1": "$ ", "TERM": "xterm", "HOME": folder, "TZ": "UTC"}
        addr_file = os.path.join(folder, "addr")

        server = Terminal(there, env | {"LABNET_LISTEN": "127.0.0.1:0", "LABNET_ADDR_FILE": addr_file})
        terminals.append(server)
        server.type("labnet serve\n")
        server.until(lambda: os.path.exists(addr_file))
        host, port = open(addr_file).read().strip().split(":")

        client = Terminal(here, env | {"LABNET_ADDR": relay((host, int(port)))})
        terminals.append(client)
        client.run("labnet say hello")
        client.run("labnet ping -c 3 -i 0.2s")
        client.run("labnet upload report.pdf photos/")
        client.type("labnet upload disk.img           # stopped by Ctrl-C\n")
        client.until(client.contains(r"disk.img +1\d\d MiB of"))
        client.type("\x03")
        client.until(lambda: client.last() == "$ ")
        server.until(server.contains("not finished"))
        client.run("labnet upload disk.img           # goes on where it stopped")
        client.run("labnet upload report.pdf         # once more changes nothing")
        client.type("labnet upload --name backup.img disk.img\n")
        client.until(client.contains(r"disk.img +1\d\d MiB of"))
        server.until(server.contains("unchanged=true"))
        picture = draw([("server", server.rows[:-1]), ("client", client.rows)])
    finally:
        for t in reversed(terminals):
            os.write(t.fd, b"\x03\x03")  # ends what runs in the shell
            t.until(lambda: t.last() == "$ ")
            os.kill(t.pid, signal.SIGKILL)
            os.waitpid(t.pid, 0)
        shutil.rmtree(folder)
    with open(sys.argv[2], "w") as f:
        f.write(picture)


if __name__ == "__main__":
    main()
