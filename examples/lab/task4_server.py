"""Task 4, server: a first byte of 1 is followed by text, one of 2 by random bytes.

Usage: task4_server.py [PORT [DIRECTORY]]
"""
import os
import random
import socket
import string
import sys
import threading


def report(line):
    # In one piece: threads that print at the same time would mix their lines.
    print(line + "\n", end="", flush=True)


def handle(connection, address):
    kind = connection.recv(1)
    if kind == b"\x01":
        text = connection.recv(4096).decode()
        report(f"message from {address[0]}: {text}")
    elif kind == b"\x02":
        name = "".join(random.choices(string.ascii_letters + string.digits, k=8)) + ".bin"
        size = 0
        with open(os.path.join(directory, name), "wb") as file:
            while data := connection.recv(4096):  # until the client closes
                size += file.write(data)
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
