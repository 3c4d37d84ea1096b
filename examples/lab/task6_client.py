"""Task 6, client: send each file over a connection of its own.

Usage: task6_client.py [--joined] HOST PORT FILE...
"""
import argparse
import os
import socket
import sys

parser = argparse.ArgumentParser()
parser.add_argument("host")
parser.add_argument("port", type=int)
parser.add_argument("files", nargs="+", metavar="FILE")
parser.add_argument("--joined", action="store_true", help="type, size and body in one send")
args = parser.parse_args()

for path in args.files:
    try:
        with open(path, "rb") as file:
            body = file.read()
    except OSError as error:
        sys.exit(f"cannot read it: {error}")
    name = os.path.basename(path)
    width = max(1, (len(body).bit_length() + 7) // 8)
    size = len(body).to_bytes(width, sys.byteorder)

    with socket.create_connection((args.host, args.port)) as connection:
        if args.joined:
            connection.sendall(b"\x01" + name.encode())
        else:
            connection.send(b"\x01")
            connection.send(name.encode())
        if (answer := connection.recv(4096)) != b"OK":
            sys.exit(f"{name}: the server answered {answer}")

        if args.joined:
            connection.sendall(bytes([1 + width]) + size + body)
        else:
            connection.send(bytes([1 + width]))
            connection.send(size)
            connection.sendall(body)
    print(f"sent {name}, {len(body)} bytes")
