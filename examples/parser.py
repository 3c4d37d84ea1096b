"""Says what a client sends by labnet's protocol, version 1: written from the specification alone.

Usage: parser.py FILE         what FILE has of a client, after its first text; "-" is standard input
       parser.py --streams    of each line, a stream in hexadecimal digits, one line of JSON

Prints a line of JSON for each message, and how the stream ends:
  {"end": "clean"}      between two messages
  {"end": "cut"}        inside a message
  {"end": "protocol"}   by a protocol error
  {"end": "denied"}     by a token in the clear
  {"end": "large"}      by so large a body of a refused file that a server may close the connection
"""
import json
import re
import sys

RESERVED = {"END", "CANCEL", "RESTART", "AUTH", "HELLO"}
DIGESTS = {"crc64nvme": 16, "sha256": 64, "blake3": 64}  # digits
MAX_STRING, MAX_NAME, MAX_ID, MAX_AHEAD, MAX_DISCARD = 4096, 3072, 128, 128, 64 << 20


class Protocol(Exception):
    """A protocol error."""


def size(text):
    if not re.fullmatch("[0-9]+", text) or int(text) > 2**63 - 1:
        raise Protocol
    return int(text)


def mtime(text):
    if not re.fullmatch(r"-?[0-9]+(\.[0-9]{0,9})?", text):
        raise Protocol
    seconds, _, decimals = text.partition(".")
    if not -62135596800 <= int(seconds) <= 253402300799:
        return None  # the years 1 to 9999
    return f"{int(seconds)}.{decimals:0<9}"


def mode(text):
    if not re.fullmatch("[0-7]+", text):
        raise Protocol
    return int(text, 8) & 0o777


def digest(name, text):
    if not re.fullmatch("[0-9a-fA-F]{%d}" % DIGESTS[name], text):
        raise Protocol
    return text.lower()


def fields(rest):
    """The fields behind a word; of two with one key the first counts."""
    found = {}
    while rest:
        field, nul, rest = rest.partition("\0")
        key, equals, value = field.partition("=")
        if not nul or not equals or not key:
            raise Protocol
        found.setdefault(key, value)
    return {key: value for key, value in found.items() if value}  # an empty value counts as absent


class Stream:
    """What a server that accepts every name would make of what a client sends."""

    def __init__(self, data):
        self.data, self.at, self.number = data, 0, 0
        self.files = []  # announced, accepted and not ended: oldest first

    def take(self, n):
        if len(self.data) - self.at < n:
            raise EOFError
        self.at += n
        return self.data[self.at - n : self.at]

    def messages(self):
        try:
            while self.at < len(self.data):
                yield self.message()
            yield {"end": "clean"}
        except EOFError:
            yield {"end": "cut"}
        except Protocol:
            yield {"end": "protocol"}
        except PermissionError:
            yield {"end": "denied"}
        except OverflowError:
            yield {"end": "large"}

    def message(self):
        kind = self.take(1)[0]
        if not 1 <= kind <= 9:
            raise Protocol
        n = int.from_bytes(self.take(2 if kind == 1 else kind - 1), "little")
        if kind > 1:
            return self.body(n)
        if n > MAX_STRING:
            raise Protocol
        try:
            text = self.take(n).decode()
        except UnicodeDecodeError:
            raise Protocol from None
        word, nul, rest = text.partition("\0")
        if not nul:
            return {"text": text}
        request = fields(rest)
        if word == "AUTH":
            raise PermissionError  # in the clear, and not the first message
        if word in ("END", "CANCEL", "RESTART"):
            return self.about_file(word, request)
        if word in RESERVED:
            return {"unsupported": word}
        return self.announcement(word[2:] if word.startswith("./") else word, request)

    def body(self, n):
        file = self.files[0] if self.files else None
        if file and not file["refused"] and file["size"] is not None and file["got"] + n > file["size"]:
            file["refused"] = True
        if file and file["refused"] and n > MAX_DISCARD:
            raise OverflowError
        self.take(n)
        if not file:
            return {"blob": n}
        file["got"] += n
        return {"contents": n}

    def about_file(self, word, request):
        if not self.files:
            raise Protocol
        file = self.files[0]
        if word == "RESTART":
            if file["got"] and not file["refused"]:
                raise Protocol
            return {"restart": file["number"]}
        if word == "END":
            if "size" not in request or file["digest"] not in request:
                raise Protocol
            size(request["size"]), digest(file["digest"], request[file["digest"]])
        self.files.pop(0)
        return {word.lower(): file["number"]}

    def announcement(self, name, request):
        self.number += 1
        said = {"announcement": self.number, "name": name}
        if request.get("digest", "crc64nvme") not in DIGESTS:
            return said | {"refused": "unsupported"}
        folder = name.endswith("/") or name.endswith("/.") and "check" in request
        if len(request.get("id", "").encode()) > MAX_ID:
            raise Protocol
        for key, form in {"size": size, "allocated": size, "mtime": mtime, "mode": mode}.items():
            if key in request:
                said[key] = form(request[key])
        for key in "sha256", "blake3":
            if key in request:
                said[key] = digest(key, request[key])
        if "folders" in request:
            modes = request["folders"].split(",")
            if len(modes) > name.removesuffix("/").count("/"):
                raise Protocol
            said["folders"] = [mode(m) if m else None for m in modes]
        if folder:
            return said | {"folder": True}
        if len(self.files) >= MAX_AHEAD:
            return said | {"refused": "too-many"}
        if len(name.encode()) > MAX_NAME:
            return said | {"refused": "bad-name"}
        if "id" in request and request["id"] in [file["id"] for file in self.files if not file["refused"]]:
            return said | {"refused": "in-use"}
        self.files.append({
            "number": self.number, "size": said.get("size"), "digest": request.get("digest", "crc64nvme"),
            "id": request.get("id"), "got": 0, "refused": False,
        })
        return said


def main():
    if sys.argv[1:] == ["--streams"]:
        for line in sys.stdin:
            print(json.dumps(list(Stream(bytes.fromhex(line)).messages())), flush=True)
    elif len(sys.argv) == 2:
        with open(0 if sys.argv[1] == "-" else sys.argv[1], "rb") as stream:
            for message in Stream(stream.read()).messages():
                print(json.dumps(message))
    else:
        sys.exit(__doc__)


if __name__ == "__main__":
    main()
