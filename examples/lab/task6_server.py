"""Task 6, server: receive a name, answer OK, receive the file; one connection each.

The file is saved once every byte of it came.

Usage: task6_server.py [PORT [DIRECTORY]]
"""
import os
import socket
import sys
import threading


def report(line):
    # In one piece: threads that print at the same time would mix their lines.
    print(line + "\n", end="", flush=True)


def receive(connection, size):
    """Return size bytes, or fewer if the client closes before."""
    data = bytearray()
    while len(data) < size and (part := connection.recv(min(size - len(data), 4096))):
        data += part
    return data


def handle(connection, address):
    if connection.recv(1) != b"\x01":
        return
    # Only the last part of the name: "../../x" must not leave the directory.
    name = os.path.basename(connection.recv(4096).decode())
    connection.sendall(b"OK")

    kind = connection.recv(1)
    if not kind or not 2 <= kind[0] <= 9:
        return
    size = int.from_bytes(receive(connection, kind[0] - 1), sys.byteorder)
    data = receive(connection, size)
    if len(data) < size:
        report(f"incomplete: {name}, {len(data)} of {size} bytes from {address[0]}")
        return
    with open(os.path.join(directory, name), "wb") as file:
        file.write(data)
    report(f"saved {name}, {size} bytes from {address[0]}")


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
