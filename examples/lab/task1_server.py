"""Task 1, server: print who connects, and close the connection.

Usage: task1_server.py [PORT]
"""
import socket
import sys

port = int(sys.argv[1]) if len(sys.argv) > 1 else 9000

with socket.create_server(("127.0.0.1", port)) as server:
    print("listening on", server.getsockname()[1], flush=True)
    while True:
        connection, address = server.accept()
        print(f"connection from {address[0]}:{address[1]}", flush=True)
        connection.close()
