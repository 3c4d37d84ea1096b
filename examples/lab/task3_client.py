"""Task 3, client: send a text (at most 4096 bytes) and print the answer.

Usage: task3_client.py [--no-reply] HOST PORT TEXT
"""
import argparse
import socket

parser = argparse.ArgumentParser()
parser.add_argument("host")
parser.add_argument("port", type=int)
parser.add_argument("text")
parser.add_argument("--no-reply", action="store_true", help="close without reading the answer")
args = parser.parse_args()

with socket.create_connection((args.host, args.port)) as connection:
    connection.sendall(args.text.encode())
    if not args.no_reply:
        while answer := connection.recv(4096):
            print(answer.decode(), end="")
        print()
