#!/usr/bin/env python3
"""Takes docs/status.png, a picture of the status page of a real server.

    just build && docs/status.py ./labnet docs/status.png [--dark] [--narrow]

Needs chromium, and nothing but Python's own library.
"""

import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack

TOKENS = {name: name + "-" + hashlib.sha256(name.encode()).hexdigest() for name in ("alice", "bob", "nas", "monitor")}
GRANTS = {"alice": "dir=alice max-bytes=200MB", "bob": "dir=bob max-bytes=6MB", "nas": "", "monitor": "status"}


def wait_for(what, seconds=30):
    end = time.monotonic() + seconds
    while not (got := what()):
        if time.monotonic() > end:
            sys.exit("this did not happen: " + what.__name__)
        time.sleep(0.05)
    return got


def main():
    labnet, picture, options = os.path.abspath(sys.argv[1]), sys.argv[2], sys.argv[3:]
    with ExitStack() as end:
        folder = tempfile.mkdtemp()
        end.callback(shutil.rmtree, folder)

        def path(name):
            return os.path.join(folder, name)

        with open(path("tokens"), "w") as f:
            for name, token in TOKENS.items():
                print(name, hashlib.sha256(token.encode()).hexdigest(), GRANTS[name], file=f)
        os.chmod(path("tokens"), 0o600)
        with open(path("log"), "w") as log:
            server = subprocess.Popen(
                [labnet, "serve", "-l", "127.0.0.1:0", "--addr-file", path("addr"), "--store", path("store"), "--tls", "--tokens", path("tokens")], stderr=log)
        end.callback(server.wait)
        end.callback(server.terminate)

        def listening():
            return os.path.exists(path("addr")) and open(path("addr")).read().strip()

        address = wait_for(listening)
        pin = re.search(r"fingerprint=(sha256:[0-9a-f]+)|(sha256:[0-9a-f]{64})", open(path("log")).read())[0].removeprefix("fingerprint=")

        def send(user, *args, wait=True):
            env = {**os.environ, "LABNET_ADDR": address, "LABNET_PIN": pin, "LABNET_TOKEN": TOKENS[user], "HOME": folder}
            client = subprocess.Popen([labnet, *args], env=env, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            if wait:
                client.wait()
            else:
                end.callback(client.wait)
                end.callback(client.terminate)

        for name, size in ("report.pdf", 4_400_000), ("shop.sql", 5_300_000), ("cat.jpg", 2_700_000), ("disk.img", 60 << 20):
            with open(path(name), "wb") as f:
                f.write(os.urandom(size))
        send("bob", "upload", "--name", "backup/shop.sql", "shop.sql")
        send("alice", "upload", "report.pdf", "cat.jpg")
        send("alice", "upload", "report.pdf")
        send("bob", "upload", "--retries", "0", "report.pdf")  # over his quota
        send("nas", "say", "the backup begins")
        send("nas", "upload", "--limit-rate", "8M", "disk.img", wait=False)
        send("alice", "upload", "--limit-rate", "3M", "--name", "photos/2026.tar", "disk.img", wait=False)
        time.sleep(4)

        size = "390,1500" if "--narrow" in options else "1000,1300"
        browser = ["chromium", "--headless", "--no-sandbox", "--hide-scrollbars", "--ignore-certificate-errors",
                   "--user-data-dir=" + path("profile"), "--window-size=" + size, "--timeout=3000", "--screenshot=" + path("picture.png")]
        if "--dark" in options:
            browser.append("--blink-settings=preferredColorScheme=0")
        url = "https://:%s@%s/status" % (TOKENS["monitor"], address)
        subprocess.run([*browser, url], check=True, timeout=60, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        shutil.copyfile(path("picture.png"), picture)


if __name__ == "__main__":
    main()
