#!/usr/bin/env bash
# objects.sh memory [UPLOADS SIZE] | throughput [SIZE ROUNDS]: labnet with an object store.
#
# memory: so many uploads of that size (50 1G) at once through one server, to an object store that verifies sums and
# keeps nothing. Prints the server's resident memory at every tenth of the way, and the most, which must stay
# below 512 MiB.
#
# throughput: one file (1G) to versitygw over TLS, by labnet (through its server), by rclone and by minio-go itself,
# in turn, so many rounds (3); prints the median of each. Needs rclone, openssl and python3, and room for six
# times the file. LABNET_VERSITYGW may name a versitygw that is built already.
set -euo pipefail
cd "$(dirname "$0")/.."

what=${1:-}
tmp=$(mktemp -d)
pids=()
cleanup() {
  for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null || true; done
  wait 2>/dev/null || true
  rm -rf "$tmp"
}
trap cleanup EXIT

CGO_ENABLED=0 go build -trimpath -tags urfave_cli_no_docs -o "$tmp/labnet" .
go build -C bench/objects -o "$tmp/objects" .
export AWS_ACCESS_KEY_ID=bench AWS_SECRET_ACCESS_KEY=benchsecret AWS_EC2_METADATA_DISABLED=true

# file NAME: waits for a file that a server writes, and prints it.
file() {
  until [ -s "$tmp/$1" ]; do sleep 0.05; done
  cat "$tmp/$1"
}

serve() {
  "$tmp/labnet" serve -l 127.0.0.1:0 --addr-file "$tmp/addr" --store "$1" --log-level warn &
  server=$!
  pids+=("$server")
  LABNET_ADDR=$(file addr)
  export LABNET_ADDR
}

memory_of() { awk -v key="$1:" '$1 == key { print int($2 / 1024) }' "/proc/$server/status"; }

memory() {
  local uploads=$1 size=$2 begun=$SECONDS senders=() done=0
  "$tmp/objects" null "$tmp/null" &
  pids+=($!)
  serve "s3://bucket/bench?endpoint=http://$(file null)"
  truncate -s "$size" "$tmp/file"
  echo "idle: $(memory_of VmRSS) MiB"
  for ((i = 0; i < uploads; i++)); do
    "$tmp/labnet" upload -q --timeout 10m --name "$i" "$tmp/file" &
    senders+=($!)
  done
  while [ "$(jobs -rp | grep -cxFf <(printf '%s\n' "${senders[@]}"))" -gt 0 ]; do
    sleep 5
    echo "after $((SECONDS - begun)) s: $(memory_of VmRSS) MiB"
  done
  for pid in "${senders[@]}"; do wait "$pid" && done=$((done + 1)); done
  echo "$done of $uploads uploads of $size saved in $((SECONDS - begun)) s; most memory $(memory_of VmHWM) MiB"
  [ "$done" = "$uploads" ] && [ "$(memory_of VmHWM)" -lt 512 ]
}

seconds() { python3 -c 'import subprocess, sys, time; t = time.monotonic(); subprocess.run(sys.argv[1:], check=True, stdout=subprocess.DEVNULL); print(f"{time.monotonic() - t:.2f}")' "$@"; }

throughput() {
  local size=$1 rounds=$2 versitygw port
  versitygw=${LABNET_VERSITYGW:-$tmp/versitygw}
  [ -x "$versitygw" ] || go build -modfile=tools/s3/go.mod -o "$versitygw" github.com/versity/versitygw/cmd/versitygw
  mkdir -p "$tmp/buckets/bucket"
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=localhost \
    -addext subjectAltName=IP:127.0.0.1 -keyout "$tmp/key.pem" -out "$tmp/cert.pem" 2>/dev/null
  port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
  "$versitygw" --port "127.0.0.1:$port" --cert "$tmp/cert.pem" --key "$tmp/key.pem" --access bench --secret benchsecret \
    --quiet --keep-alive posix "$tmp/buckets" >/dev/null &
  pids+=($!)
  export AWS_CA_BUNDLE=$tmp/cert.pem AWS_ENDPOINT_URL_S3=https://127.0.0.1:$port
  until (: <"/dev/tcp/127.0.0.1/$port") 2>/dev/null; do sleep 0.05; done
  serve s3://bucket/labnet
  head -c "$size" /dev/urandom >"$tmp/file"
  for ((r = 0; r < rounds; r++)); do
    seconds "$tmp/labnet" upload -q --name "$r" "$tmp/file" >>"$tmp/labnet.times"
    # versitygw answers no Expect: 100-continue, for which rclone would wait a second with each part.
    seconds env -u AWS_CA_BUNDLE rclone --config /dev/null --expect-continue-timeout 0 --ca-cert "$tmp/cert.pem" copyto "$tmp/file" \
      ":s3,provider=Other,env_auth=true,no_check_bucket=true,endpoint='$AWS_ENDPOINT_URL_S3':bucket/rclone/$r" >>"$tmp/rclone.times"
    seconds "$tmp/objects" put "$tmp/file" bucket "minio/$r" >>"$tmp/minio-go.times"
    for who in labnet rclone minio; do
      cmp "$tmp/file" "$tmp/buckets/bucket/$who/$r"
    done
    rm -r "$tmp"/buckets/bucket/{labnet,rclone,minio}
  done
  for who in labnet rclone minio-go; do
    echo "$who: $(sort -n "$tmp/$who.times" | sed -n "$(((rounds + 1) / 2))p") s ($(paste -sd' ' "$tmp/$who.times"))"
  done
}

case $what in
  memory) memory "${2:-50}" "${3:-1G}" ;;
  throughput) throughput "${2:-1G}" "${3:-3}" ;;
  *) sed -n 's/^# //p' "$0" | head -n 1 >&2; exit 2 ;;
esac
