#!/bin/sh
# Uploads a sparse file, 4 GiB unless told otherwise, and fails if the server
# or the client ever needed more than 40 MiB of memory for it. Linux only.
#
# Usage: bench/memory.sh [SIZE]        SIZE as truncate(1) takes it: 4G, 512M
set -eu
cd "$(dirname "$0")/.."

size=${1:-4G}
limit=40960 # KiB
tmp=$(mktemp -d) # needs room for SIZE; TMPDIR chooses where
server=
client=
trap 'kill $server $client 2>/dev/null || true; rm -rf "$tmp"' EXIT
trap 'exit 1' INT TERM

# peak PID: the most memory a process ever had resident, in KiB; empty once it ended.
peak() { sed -n 's/^VmHWM:[^0-9]*\([0-9]*\) kB/\1/p' "/proc/$1/status" 2>/dev/null || true; }

# check WHO KIB
check() {
  echo "$1: peak $(($2 / 1024)) MiB ($2 KiB)"
  [ "$2" -gt 0 ] || { echo "$1: not measured" >&2; exit 1; }
  [ "$2" -le $limit ] || { echo "$1: over $((limit / 1024)) MiB" >&2; exit 1; }
}

CGO_ENABLED=0 go build -o "$tmp/labnet" .
truncate -s "$size" "$tmp/sparse.bin"

"$tmp/labnet" serve -l 127.0.0.1:0 --addr-file "$tmp/addr" --store "$tmp/store" 2>"$tmp/log" &
server=$!
until [ -s "$tmp/addr" ]; do
  kill -0 $server 2>/dev/null || { cat "$tmp/log" >&2; exit 1; }
  sleep 0.02
done

"$tmp/labnet" upload -a "$(cat "$tmp/addr")" "$tmp/sparse.bin" &
client=$!
most=0
while now=$(peak $client) && [ -n "$now" ]; do # it only grows: the last look counts
  most=$now
  sleep 0.01
done
wait $client
client=

check server "$(peak $server)"
check client "$most"
cmp "$tmp/sparse.bin" "$tmp/store/sparse.bin"
echo "$size: contents are equal"
