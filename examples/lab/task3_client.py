"""Task 3, client: send a text (at most 4096 bytes) and print the answer.

Usage: task3_client.py [--no-reply] HOST PORT TEXT
"""
import argparse
import socket
import sys

parser = argparse.ArgumentParser()
parser.add_argument("host")
parser.add_argument("port", type=int)
parser.add_argument("text")
parser.add_argument("--no-reply", action="store_true", help="close without reading the answer")
args = parser.parse_args()

text = args.text.encode()
if len(text) > 4096:  # not letters: some take several bytes
    sys.exit("the text is longer than 4096 bytes")

with socket.create_connection((args.host, args.port)) as connection:
    connection.sendall(text)
    if not args.no_reply:
        answer = b""
        while part := connection.recv(4096):  # which may end within a letter
            answer += part
        print(answer.decode())
