"""Task 4, client: send a text, or a number of random bytes; nothing is read.

Usage: task4_client.py [--joined] HOST PORT text TEXT
       task4_client.py [--joined] HOST PORT random SIZE
"""
import argparse
import hashlib
import os
import socket

parser = argparse.ArgumentParser()
parser.add_argument("host")
parser.add_argument("port", type=int)
parser.add_argument("kind", choices=["text", "random"])
parser.add_argument("value", help="the text, or how many random bytes")
parser.add_argument("--joined", action="store_true", help="type and body in one send")
args = parser.parse_args()

if args.kind == "text":
    kind, body = b"\x01", args.value.encode()
else:
    kind, body = b"\x02", os.urandom(int(args.value))

with socket.create_connection((args.host, args.port)) as connection:
    if args.joined:
        connection.sendall(kind + body)
    else:
        connection.send(kind)
        connection.sendall(body)
print(f"sent {len(body)} bytes, sha256 {hashlib.sha256(body).hexdigest()}")
