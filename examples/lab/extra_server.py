"""Extra tasks, server: many files on one connection, written as they come.

A name (type 1) creates the file and is answered OK; data (types 2 to 9) is
appended to it, until the next name.

Usage: extra_server.py [PORT [DIRECTORY]]
"""
import os
import socket
import sys
import threading


def report(line):
    # In one piece: threads that print at the same time would mix their lines.
    print(line + "\n", end="", flush=True)


def receive(connection, size):
    """Yield size bytes in parts, or fewer if the client closes before."""
    while size > 0 and (part := connection.recv(min(size, 4096))):
        yield part
        size -= len(part)


def handle(connection, address):
    name = file = None
    while kind := connection.recv(1):
        if kind == b"\x01":
            if file:
                file.close()
            name = os.path.basename(connection.recv(4096).decode())
            file = open(os.path.join(directory, name), "wb")
            connection.sendall(b"OK")
        elif file and 2 <= kind[0] <= 9:
            size = int.from_bytes(b"".join(receive(connection, kind[0] - 1)), sys.byteorder)
            came = sum(file.write(part) for part in receive(connection, size))
            file.flush()
            if came == size:
                report(f"saved {name}, {size} bytes from {address[0]}")
            else:
                os.remove(file.name)
                report(f"incomplete: {name}, {came} of {size} bytes from {address[0]}")
        else:
            break
    if file:
        file.close()


def serve(connection, address):
    with connection:
        try:
            handle(connection, address)
        except (OSError, ValueError) as error:  # one client must not end the server
            report(f"failed: {error}")


port = int(sys.argv[1]) if len(sys.argv) > 1 else 9000
directory = sys.argv[2] if len(sys.argv) > 2 else "."
if not os.path.isdir(directory):
    sys.exit(f"{directory} is not a folder")

with socket.create_server(("127.0.0.1", port)) as server:
    print("listening on", server.getsockname()[1], flush=True)
    while True:
        threading.Thread(target=serve, args=server.accept(), daemon=True).start()
