"""Tasks 1 and 2, client: connect whenever Enter is pressed, and say how it went.

Usage: task1_client.py HOST PORT        (Ctrl-D ends it)
"""
import socket
import sys

address = sys.argv[1], int(sys.argv[2])

for _ in sys.stdin:
    try:
        with socket.create_connection(address):
            print(f"connected to {address[0]}:{address[1]}", flush=True)
    except OSError as error:
        print(f"not connected: {error}", flush=True)
