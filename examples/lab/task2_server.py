"""Task 2, server: as Task 1, with a thread for every connection.

Usage: task2_server.py [PORT]
"""
import socket
import sys
import threading


def report(line):
    # In one piece: threads that print at the same time would mix their lines.
    print(line + "\n", end="", flush=True)


def handle(connection, address):
    with connection:
        report(f"connection from {address[0]}:{address[1]}")


port = int(sys.argv[1]) if len(sys.argv) > 1 else 9000

with socket.create_server(("127.0.0.1", port)) as server:
    print("listening on", server.getsockname()[1], flush=True)
    while True:
        threading.Thread(target=handle, args=server.accept(), daemon=True).start()
