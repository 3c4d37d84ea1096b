#!/bin/sh
# Copies the documents, with all that they link to, into a folder.
#
# usage: packaging/docs.sh FOLDER
set -eu
[ $# = 1 ] || { sed -n 's/^# usage: /usage: /p' "$0" >&2; exit 2; }
mkdir -p "$1"
to=$(cd "$1" && pwd)
cd "$(dirname "$0")/.."
for file in README.md CHANGELOG.md LICENSE SECURITY.md docs/*.md docs/*.svg docs/*.png bench/README.md bench/results.md bench/*.svg \
	wire/doc.go examples/client.py examples/parser.py examples/lab/README.md examples/lab/*.py packaging/README.md \
	bench/peers.go bench/peers_ssh.go bench/peers_http.go bench/delay/delay.go bench/wan/wan.go \
	packaging/compose.yaml packaging/haproxy.cfg packaging/cluster.sh packaging/alerts.yaml; do
	mkdir -p "$to/$(dirname "$file")"
	cp "$file" "$to/$file"
done
