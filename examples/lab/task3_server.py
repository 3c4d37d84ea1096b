"""Task 3, server: print the text and where it came from, and send it back.

Usage: task3_server.py [PORT]
"""
import socket
import sys
import threading


def report(line):
    # In one piece: threads that print at the same time would mix their lines.
    print(line + "\n", end="", flush=True)


def handle(connection, address):
    text = connection.recv(4096).decode()
    report(f"message from {address[0]}: {text}")
    try:
        connection.sendall(f"Message: {text}".encode())
    except ConnectionError:
        pass  # the client did not wait for the answer


def serve(connection, address):
    with connection:
        try:
            handle(connection, address)
        except (OSError, ValueError) as error:  # one client must not end the server
            report(f"failed: {error}")


port = int(sys.argv[1]) if len(sys.argv) > 1 else 9000

with socket.create_server(("127.0.0.1", port)) as server:
    print("listening on", server.getsockname()[1], flush=True)
    while True:
        threading.Thread(target=serve, args=server.accept(), daemon=True).start()
