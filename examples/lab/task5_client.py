"""Task 5, client: send random bytes after their size; nothing is read.

Usage: task5_client.py [--joined] [--width N] [--short N] HOST PORT SIZE
"""
import argparse
import hashlib
import os
import socket
import sys

parser = argparse.ArgumentParser()
parser.add_argument("host")
parser.add_argument("port", type=int)
parser.add_argument("size", type=int, help="how many random bytes")
parser.add_argument("--joined", action="store_true", help="type, size and body in one send")
parser.add_argument("--width", type=int, help="bytes of the size, 1 to 8; default: what it needs")
parser.add_argument("--short", type=int, default=0, help="close before the last N bytes")
args = parser.parse_args()

width = args.width or max(1, (args.size.bit_length() + 7) // 8)
kind = bytes([1 + width])
size = args.size.to_bytes(width, sys.byteorder)
body = os.urandom(args.size - args.short)

with socket.create_connection((args.host, args.port)) as connection:
    if args.joined:
        connection.sendall(kind + size + body)
    else:
        connection.send(kind)
        connection.send(size)
        connection.sendall(body)
print(f"sent {len(body)} bytes, sha256 {hashlib.sha256(body).hexdigest()}")
