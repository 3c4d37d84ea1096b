"""A complete client of labnet's protocol, version 1, for anybody writing their own.

Usage: client.py HOST PORT say TEXT
       client.py HOST PORT blob SIZE
       client.py HOST PORT upload FILE...
"""
import hashlib
import os
import socket
import sys
import unicodedata

RESERVED = {"END", "CANCEL", "RESTART", "AUTH", "HELLO"}  # words of clients, not file names
CRC_TABLE = []
for crc in range(256):
    for _ in range(8):
        crc = crc >> 1 ^ (0x9A6C9329AC4BC9B5 if crc & 1 else 0)
    CRC_TABLE.append(crc)


def crc64nvme(data, crc=0):
    """Return the CRC-64/NVME of data, or of what had the given one and then data."""
    crc ^= 0xFFFFFFFFFFFFFFFF
    for byte in data:
        crc = CRC_TABLE[(crc ^ byte) & 0xFF] ^ crc >> 8
    return crc ^ 0xFFFFFFFFFFFFFFFF


def string(text):
    """A String: 1, the length in two bytes, the text."""
    body = text.encode()
    if len(body) > 4096:
        sys.exit("error: a text of more than 4096 bytes")
    return b"\x01" + len(body).to_bytes(2, "little") + body


def request(word, **fields):
    """A String that asks: a word, then its fields, each ended by a NUL."""
    return string(word + "\0" + "".join(f"{key}={value}\0" for key, value in fields.items()))


def data(body):
    """A Data: 2…9 for a size in 1…8 bytes, the smallest that will do; the bytes."""
    width = max(1, (len(body).bit_length() + 7) // 8)
    return bytes([1 + width]) + len(body).to_bytes(width, "little") + body


def read(stream, size):
    if len(body := stream.read(size)) < size:
        sys.exit("error: the server closed the connection")
    return body


def reply(stream):
    """Read a String: return its first word (or the text) and its fields."""
    while True:
        if read(stream, 1) != b"\x01":
            sys.exit("error: not a String")
        text = read(stream, int.from_bytes(read(stream, 2), "little")).decode()
        word, *rest = text.split("\0")
        fields = dict(field.partition("=")[::2] for field in rest if field)
        if rest and word == "ERROR":
            sys.exit(f"error: {fields['text']} ({fields['code']})")
        if not rest or word != "WAIT":  # WAIT: the server is still at work
            return word, fields


def kept(stream, word, crc):
    """Read the reply to contents with that digest: return what to print of it."""
    answer, fields = reply(stream)
    if answer != word or int(fields["crc64nvme"], 16) != crc:
        sys.exit(f"error: answered {answer} {fields}")
    return "{name} {size} {crc64nvme}".format(**fields)


def sha256(path):
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while body := file.read(64 * 1024):
            digest.update(body)
    return digest.hexdigest()


def upload(connection, stream, path, sent):
    name = os.path.basename(path)
    alike = sent.setdefault(unicodedata.normalize("NFC", name).casefold(), set())
    fields = {"size": os.path.getsize(path), "sha256": sha256(path)}
    if alike:  # a name that is the same to the server, or may be: do not replace that file
        fields["replace"] = "0" if name in alike else "other"
    alike.add(name)
    if name in RESERVED:
        name = "./" + name  # which is not part of the name
    crc = 0
    connection.sendall(request(name, **fields))
    answer, told = reply(stream)  # OK or SAVED, or it does not return
    if answer == "SAVED":  # the server has a file of that name and digest
        return f"{told.get('name', os.path.basename(path))} {fields['size']} unchanged"
    with open(path, "rb") as file:
        while body := file.read(64 * 1024):
            connection.sendall(data(body))
            crc = crc64nvme(body, crc)
    connection.sendall(request("END", size=fields["size"], crc64nvme=f"{crc:016x}"))
    return kept(stream, "SAVED", crc)


host, port, command, *args = sys.argv[1:]
with socket.create_connection((host, int(port))) as connection, connection.makefile("rb") as stream:
    if command == "say":
        connection.sendall(string(" ".join(args)))
        print(reply(stream)[0])
    elif command == "blob":
        body = os.urandom(int(args[0]))
        connection.sendall(data(body))
        print(kept(stream, "OK", crc64nvme(body)))
    elif command == "upload":
        sent = {}  # names of this run, by what is alike
        for path in args:
            print(upload(connection, stream, path, sent), flush=True)
