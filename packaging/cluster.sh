#!/usr/bin/env bash
# cluster.sh [KILLS]: several servers on one object store, on one machine, without containers.
#
# Starts versitygw, two labnet servers and HAProxy on the loopback address, sends files through the balancer while
# it kills (-9) one server after the other and starts it again, and compares what has arrived. Needs Go, haproxy,
# openssl, python3 and, in a temporary folder, 1 GiB and extended attributes.
set -euo pipefail
cd "$(dirname "$0")/.."

kills=${1:-6}
senders=4
tmp=$(mktemp -d)
declare -A pids=()

cleanup() {
  local status=$?
  for pid in "${pids[@]}"; do kill -9 "$pid" 2>/dev/null || true; done
  wait 2>/dev/null || true
  [ $status = 0 ] || tail -n 5 "$tmp"/*.log >&2
  rm -rf "$tmp"
}
trap cleanup EXIT

free_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }

# start NAME COMMAND...: runs a command in the background.
start() {
  local name=$1
  shift
  "$@" >>"$tmp/$name.log" 2>&1 &
  pids[$name]=$!
}

# answers PORT: waits until something listens there.
answers() {
  for _ in {1..200}; do
    (: <"/dev/tcp/127.0.0.1/$1") 2>/dev/null && return
    sleep 0.05
  done
  echo "nothing listens on port $1" >&2
  return 1
}

go build -o "$tmp/labnet" .
versitygw=${LABNET_VERSITYGW:-$tmp/versitygw}
[ -x "$versitygw" ] || go build -modfile=tools/s3/go.mod -o "$versitygw" github.com/versity/versitygw/cmd/versitygw

# The object store: each folder is a bucket.
mkdir -p "$tmp/buckets/bucket"
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=localhost \
  -addext subjectAltName=IP:127.0.0.1 -keyout "$tmp/key.pem" -out "$tmp/cert.pem" 2>/dev/null
s3=$(free_port)
start versitygw "$versitygw" --port "127.0.0.1:$s3" --cert "$tmp/cert.pem" --key "$tmp/key.pem" \
  --access cluster --secret clustersecret --quiet --keep-alive posix "$tmp/buckets"
answers "$s3"

# The servers. All that they need is in their environment.
export AWS_ACCESS_KEY_ID=cluster AWS_SECRET_ACCESS_KEY=clustersecret AWS_CA_BUNDLE=$tmp/cert.pem
one=$(free_port) two=$(free_port)
serve() { start "$1" "$tmp/labnet" serve -l "127.0.0.1:$2" --proxy-from 127.0.0.2 --store "s3://bucket/received?endpoint=https://127.0.0.1:$s3"; }
serve one "$one"
serve two "$two"
answers "$one"
answers "$two"

# The balancer.
port=$(free_port)
cat >"$tmp/haproxy.cfg" <<EOF
defaults
    mode tcp
    timeout connect 2s
    timeout client 10m
    timeout server 10m
    option redispatch
    retries 3
frontend labnet
    bind 127.0.0.1:$port
    default_backend servers
backend servers
    balance leastconn
    server one 127.0.0.1:$one source 127.0.0.2 send-proxy-v2 check inter 200ms
    server two 127.0.0.1:$two source 127.0.0.2 send-proxy-v2 check inter 200ms
EOF
start haproxy "$(PATH=$PATH:/usr/sbin command -v haproxy)" -db -f "$tmp/haproxy.cfg"
answers "$port"

# What is sent: large files and small ones.
for ((s = 0; s < senders; s++)); do
  mkdir -p "$tmp/sent/$s"
  for i in {1..4}; do head -c $((i * 9000000 + s)) /dev/urandom >"$tmp/sent/$s/large-$i"; done
  for i in {1..100}; do head -c $((i * 97 + s)) /dev/urandom >"$tmp/sent/$s/small-$i"; done
done

# send N: sends a folder until all of it has arrived; each line of its results is a file that was SAVED.
send() {
  "$tmp/labnet" upload -a "127.0.0.1:$port" --retry-for 2m "$tmp/sent/$1" >"$tmp/saved.$1" 2>>"$tmp/send.$1.log"
}
begun=$SECONDS
for ((s = 0; s < senders; s++)); do
  send "$s" &
  pids[send$s]=$!
done

# Kill one server, then the other, and so on, also when all was sent: by then it is not under way any more.
victims=(one two) ports=("$one" "$two")
for ((k = 0; k < kills; k++)); do
  sleep "0.$((RANDOM % 5 + 3))"
  victim=${victims[k % 2]}
  kill -9 "${pids[$victim]}"
  wait "${pids[$victim]}" 2>/dev/null || true
  sleep 0.3
  serve "$victim" "${ports[k % 2]}"
  answers "${ports[k % 2]}"
done
for ((s = 0; s < senders; s++)); do
  wait "${pids[send$s]}" || { echo "sender $s did not finish" >&2; cat "$tmp/send.$s.log" >&2; exit 1; }
done

saved=$(cat "$tmp"/saved.* | wc -l)
retries=$(cat "$tmp"/send.*.log | grep -c 'trying again' || true)
resumed=$(cat "$tmp"/saved.* | grep -c 'resumed at' || true)
# What was sent again, because the server that had published it could not say so any more, is there once.
copies=$(find "$tmp/buckets/bucket/received" -name '* ([0-9]*)' -not -path '*/.labnet/*')
[ -z "$copies" ] || { printf 'stored twice:\n%s\n' "$copies" >&2; exit 1; }
diff -r --exclude .labnet "$tmp/sent" "$tmp/buckets/bucket/received"
grep -q '"remote":"127.0.0.1:' "$tmp/one.log" || { echo "the servers were not told the clients' addresses" >&2; exit 1; }
# Whoever served last still works, and nothing of an upload is left.
"$tmp/labnet" ping -a "127.0.0.1:$port" -c 1 >/dev/null
echo "$saved files saved in $((SECONDS - begun)) s while servers were killed $kills times: $retries interruptions told of, $resumed resumed, 0 stored twice, 0 lost"
