"""Mistakes of students, each put into a sound example server: check must name them.

Usage: mutants.py [--quick] LABNET EXAMPLES

A mutant is a task, the cases one of which must fail or warn, and pairs of what the
example says and what the student wrote. With --quick only those marked are run, and
only by the case that names them.
"""
import json
import os
import random
import socket
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor

ACCEPT = "threading.Thread(target=serve, args=server.accept(), daemon=True).start()"
ALONE = (ACCEPT, "serve(*server.accept())")
CATCH = "except (OSError, ValueError) as error:"
UNCAUGHT = (CATCH, "except ZeroDivisionError as error:")
LISTEN = 'with socket.create_server(("127.0.0.1", port)) as server:\n    print("listening on", server.getsockname()[1], flush=True)\n    while True:\n'
AGAIN = 'import time\nwhile True:\n    time.sleep(0.2)\n    with socket.create_server(("127.0.0.1", port)) as server:\n'
READ = "    while len(data) < size and (part := connection.recv(min(size - len(data), 4096))):\n        data += part\n"
HANDLE = "            handle(connection, address)\n"
TEXT = "    text = connection.recv(4096).decode()\n"
NAME = 'name = "".join(random.choices(string.ascii_letters + string.digits, k=8)) + ".bin"'
SAVED = '        report(f"saved {name}, {size} bytes from {address[0]}")\n'
BASE = "os.path.basename(connection.recv(4096).decode())"
OPEN = '            file = open(os.path.join(directory, name), "wb")\n'
DATA = "        elif file and 2 <= kind[0] <= 9:\n"
WRITE = "came = sum(file.write(part) for part in receive(connection, size))"
QUICK = True

MUTANTS = [
    ("1", "1.close", ("connection.close()", "connections = globals().setdefault('connections', []); connections.append(connection)")),
    ("1", "1.close", ("connection.close()", "connection.close"), QUICK),
    ("1", "1.close", ("connection.close()", "connection.recv(4096); connection.close()")),
    ("1", "1.close", ("connection.close()", 'connection.sendall(b"Hello"); connection.close()')),
    ("1", "1.again 1.close", ("connection.close()", "connection.close(); break")),
    ("1", "1.again 1.crowd", (LISTEN, AGAIN)),
    ("2", "1.close", ("    with connection:\n", "    with connection:\n        connection.recv(1)\n")),
    ("2", "1.again", ("daemon=True).start()", "daemon=True).start(); break")),

    ("3", "3.second", ALONE),
    ("3", "3.badutf8", ALONE, UNCAUGHT),
    ("3", "3.4096", ("recv(4096)", "recv(4000)"), QUICK),
    ("3", "3.4096", ("recv(4096)", "recv(1024)")),
    ("3", "3.answer", ("Message: {text}", "Echo {text.upper()}")),
    ("3", "3.answer", ("Message: {text}", "Message received: {text}")),
    ("3", "3.answer", ('        connection.sendall(f"Message: {text}".encode())\n', "        pass\n")),
    ("3", "3.answer", (TEXT, '    data = b""\n    while part := connection.recv(4096):\n        data += part\n    text = data.decode()\n')),
    ("3", "3.utf8", (".decode()", '.decode("latin-1")')),
    ("3", "3.utf8", (".decode()", '.decode("ascii")')),
    ("3", "3.utf8", (".encode()", '.encode("ascii", "replace")')),
    ("3", "3.close", ("def serve(connection, address):\n", "clients = []\ndef serve(connection, address):\n    clients.append(connection.dup())\n")),
    ("3", "3.end", (HANDLE, "            while True:\n                handle(connection, address)\n")),

    ("4", "4.second", ALONE),
    ("4", "4.bytes", ('b"\\x02"', 'b"2"'), QUICK),
    ("4", "4.bytes", ('b"\\x02"', 'b"\\x03"')),
    ("4", "4.bytes", ("kind = connection.recv(1)", 'kind = b"\\x02"')),
    ("4", "4.ascii", ('    elif kind == b"\\x02":\n', '    elif kind == b"\\x02" and not connection.recv(64, socket.MSG_PEEK).isascii():\n')),
    ("4", "4.pieces", ("while data := connection.recv(4096):", "if data := connection.recv(4096):")),
    ("4", "4.pieces", ("while data := connection.recv(4096):", "if data := connection.recv(100_000):"), QUICK),
    ("4", "4.names", (NAME, 'name = "blob.bin"')),
    ("4", "4.text", ("text = connection.recv(4096).decode()", 'text = ""')),
    ("4", "4.empty 4.bytes", ("while data := connection.recv(4096):", "while True:\n                data = connection.recv(4096)")),
    ("4", "4.badtype", (SAVED, SAVED + "    elif kind:\n        os._exit(1)\n")),

    ("5", "", ("kind[0] - 1)", "4)")),  # as some read the task: it is spoken
    ("5", "5.1", ("kind[0] - 1)", "2)")),
    ("5", "5.scheme", ("kind[0] - 1)", "kind[0])")),
    ("5", "5.scheme", ("sys.byteorder", '"big"')),
    ("5", "5.255", ("sys.byteorder", "sys.byteorder, signed=True")),
    ("5", "5.65536", ("2 <= kind[0] <= 9", "2 <= kind[0] <= 3")),
    ("5", "5.0", ("if len(data) < size:", "if not data or len(data) < size:")),
    ("5", "5.pieces", (READ, "    data = connection.recv(size)\n"), QUICK),
    ("5", "5.header", ("receive(connection, kind[0] - 1)", "connection.recv(kind[0] - 1)"), QUICK),
    ("5", "5.half", ("    if len(data) < size:", "    if False:")),
    ("5", "5.halfreset", ("    if len(data) < size:", "    if False:"), (READ, "    try:\n" + READ.replace("    ", "        ") + "    except OSError:\n        pass\n")),
    ("5", "5.half", (READ, "    while len(data) < size:\n        data += connection.recv(min(size - len(data), 4096))\n")),
    ("5", "5.more", ("min(size - len(data), 4096)", "4096"), ("receive(connection, 1)", "connection.recv(1)"), ("receive(connection, kind[0] - 1)", "connection.recv(kind[0] - 1)"), QUICK),
    ("5", "5.more", ("data = receive(connection, size)", "data = receive(connection, 1 << 30)")),
    ("5", "5.count", ("data = receive(connection, size)", "data = receive(connection, 1 << 30)[:size]")),
    ("5", "4.text", ('kind == b"\\x01"', 'kind == b"1"')),
    ("5", "5.second", ALONE),
    ("5", "5.badtype", ("    if not kind or not 2 <= kind[0] <= 9:\n", "    if kind and not 2 <= kind[0] <= 9:\n        os._exit(1)\n    if not kind:\n")),

    ("6", "6.scheme", ('b"OK"', 'b"ok"')),
    ("6", "6.scheme", ('    connection.sendall(b"OK")\n', "")),
    ("6", "6.scheme", ("sys.byteorder", '"big"')),
    ("6", "6.scheme", ("connection.recv(4096).decode()", "connection.recv(int.from_bytes(connection.recv(2), sys.byteorder)).decode()")),
    ("6", "6.ok", ('b"OK"', 'b"OK\\n"'), QUICK),
    ("6", "6.ok", ("    if connection.recv(1) != b", "    first = connection.recv(4096)\n    if first[:1] != b"), ("connection.recv(4096).decode()", "first[1:].decode()")),
    ("6", "6.small", ("os.path.join(directory, name)", 'os.path.join(directory, "received_" + name)')),
    ("6", "6.scheme", ('name), "wb")', 'name), "w")'), ("file.write(data)", 'file.write(data.decode(errors="replace"))')),
    ("6", "6.name", (".decode()", '.decode("ascii")')),
    ("6", "6.name", (".decode()", '.decode().split(" ")[0]')),
    ("6", "6.pieces", (READ, "    data = connection.recv(size)\n")),
    ("6", "6.two", ("    name = os", "    global name\n    name = os")),
    ("6", "6.two 6.second", ALONE),
    ("6", "6.half", ("    if len(data) < size:", "    if False:")),
    ("6", "6.up", (BASE, "connection.recv(4096).decode()"), QUICK),
    ("6", "6.leave", ("    kind = connection.recv(1)\n", '    kind = b""\n    while not kind:\n        kind = connection.recv(1)\n')),
    ("6", "6.folder 6.badutf8", ALONE, UNCAUGHT),

    ("extra", "x.next", ("while kind := connection.recv(1):", "for kind in (connection.recv(1) for _ in range(2)):")),
    ("extra", "x.three", ("while kind := connection.recv(1):", "for kind in (connection.recv(1) for _ in range(4)):")),
    ("extra", "x.glued", ("min(size, 4096)", "4096"), ('b"".join(receive(connection, kind[0] - 1))', "connection.recv(kind[0] - 1)")),
    ("extra", "x.create", ("import os\n", "import io\nimport os\n"), (OPEN, "            file = io.BytesIO()\n"), (DATA, DATA + OPEN), ("os.remove(file.name)", "pass")),
    ("extra", "x.grows", (WRITE, 'came = file.write(b"".join(receive(connection, size)))')),
    ("extra", "6.half", ("os.remove(file.name)", "pass")),
    ("extra", "6.up", (BASE, "connection.recv(4096).decode()")),
    ("extra", "x.second 6.two", ALONE),
]


def free_port():
    """A port that no program gets that asks the system for any."""
    while True:
        port = random.randrange(10000, 32000)
        with socket.socket() as taken:
            try:
                taken.bind(("127.0.0.1", port))
                return port
            except OSError:
                pass


def found(number):
    """Run a mutant, and return whether it was named, and a line about it."""
    task, cases, *rest = MUTANTS[number]
    program = "extra_server.py" if task == "extra" else f"task{task}_server.py"
    with open(os.path.join(examples, program), encoding="utf-8") as file:
        source = file.read()
    changes = [pair for pair in rest if pair is not QUICK]
    for old, new in changes:
        assert old in source, (task, old)
        source = source.replace(old, new)
    with tempfile.TemporaryDirectory() as directory:
        path = os.path.join(directory, "server.py")
        with open(path, "w", encoding="utf-8") as file:
            file.write(source)
        port = free_port()
        command = [labnet, "check", "--json", "--lab", task, f"127.0.0.1:{port}"]
        if quick:
            command += ["--only", cases.replace(" ", ",")]
        run = subprocess.run(command + ["--", sys.executable, path, str(port)], capture_output=True, text=True, timeout=300, cwd=directory)
    results = [result for result in map(json.loads, run.stdout.splitlines()) if result["op"] == "check"]
    bad = {result["id"]: result["verdict"] for result in results if result["verdict"] in ("fail", "warn")}
    right = bool(bad.keys() & set(cases.split())) if cases else bool(results) and not bad
    return right, f"{'ok' if right else 'NOT'} {number} {task} {cases or 'none'}: {bad} {changes[-1][1].strip()!r:.60} {'' if results else run.stderr}"


def found_at_last(number):
    """Try again what passed: a server that is kept waiting for long gets all pieces at once."""
    for _ in range(3):
        right, line = found(number)
        if right:
            break
    return right, line


quick = "--quick" in sys.argv
labnet, examples = sys.argv[-2:]
chosen = [number for number, mutant in enumerate(MUTANTS) if not quick or QUICK in mutant]
with ThreadPoolExecutor(16 if quick else 4) as pool:
    outcomes = []
    for right, line in pool.map(found_at_last, chosen):
        print(line, flush=True)
        outcomes.append(right)
print(f"{sum(outcomes)} of {len(outcomes)} are named")
sys.exit(not all(outcomes))
