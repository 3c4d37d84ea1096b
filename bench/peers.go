package main

// peers returns everybody else that keeps files, or answers messages.
func peers() []contestant {
	list := []contestant{
		{
			name: "cp", note: "`cp`, `cp -r`: the same disk, no network", plain: true, local: true,
			does: map[kind]task{
				file:   {client: `exec cp "$SRC" "$DEST/"`},
				folder: {client: `exec cp -r "$SRC" "$DEST/"`},
				each:   {client: forEach(`cp "$f" "$DEST/"`)},
			},
		},
		{
			name: "tar | nc", note: "netcat-openbsd; one file goes without tar. Done when both sides have ended",
			needs: []string{"nc", "tar"}, plain: true, linked: true,
			does: map[kind]task{
				file: {
					server: `exec nc -l 127.0.0.1 "$PORT" >"$DEST/$NAME"`,
					client: `exec nc -N 127.0.0.1 "$PORT" <"$SRC"`,
					ends:   true,
				},
				folder: {
					server: `nc -l "$HOST" "$PORT" | tar xf - -C "$DEST"`,
					client: `tar cf - -C "${SRC%/*}" "$NAME" | nc -N "$HOST" "$PORT"`,
					ends:   true,
				},
			},
		},
		{
			name: "socat", note: "one file goes as it is, more through tar; buffers of 256 KiB. It echoes messages",
			needs: []string{"socat", "tar"}, plain: true,
			server: `exec socat -b 262144 -t 60 TCP-LISTEN:"$PORT",bind=127.0.0.1,reuseaddr,fork EXEC:"tar xf - -C $DEST"`,
			does: map[kind]task{
				file: {
					server: `exec socat -u -b 262144 TCP-LISTEN:"$PORT",bind=127.0.0.1,reuseaddr CREATE:"$DEST/$NAME"`,
					client: `exec socat -u -b 262144 FILE:"$SRC" TCP:127.0.0.1:"$PORT"`,
					ends:   true,
				},
				folder: {client: `tar cf - -C "${SRC%/*}" "$NAME" | socat -b 262144 -t 60 - TCP:127.0.0.1:"$PORT"`},
				each:   {client: forEach(`tar cf - -C "$SRC" "${f##*/}" | socat -b 262144 -t 60 - TCP:127.0.0.1:"$PORT"`)},
				hello:  {server: echoes, client: times(`echo hello | socat -t 60 - TCP:127.0.0.1:"$PORT"`)},
				lines:  {server: echoes, client: `exec socat -t 60 - TCP:127.0.0.1:"$PORT" <"$SRC"`},
			},
		},
		{
			name: "nc", note: "messages, echoed by socat",
			needs: []string{"nc", "socat"}, plain: true, server: echoes,
			does: map[kind]task{
				hello: {client: times(`echo hello | nc -N 127.0.0.1 "$PORT"`)},
				lines: {client: `exec nc -N 127.0.0.1 "$PORT" <"$SRC"`},
			},
		},
		{
			name: "rsync daemon", note: "`rsync -aW` to a module; second runs: `rsync -ac`, by times `rsync -a`, and `--append-verify` of what has grown",
			needs: []string{"rsync"}, plain: true, linked: true,
			config: map[string]string{"rsyncd.conf": rsyncConfig},
			server: `exec rsync --daemon --no-detach --config="$CONF/rsyncd.conf" --address="$HOST" --port="$PORT"`,
			does: map[kind]task{
				file:   {client: `exec rsync -aW "$SRC" "rsync://$HOST:$PORT/dest/"`},
				folder: {client: `exec rsync -aW "$SRC" "rsync://$HOST:$PORT/dest/"`},

				fileAgain:   {client: `exec rsync -ac "$SRC" "rsync://$HOST:$PORT/dest/"`},
				folderAgain: {client: `exec rsync -ac "$SRC" "rsync://$HOST:$PORT/dest/"`},
				folderQuick: {client: `exec rsync -a "$SRC" "rsync://$HOST:$PORT/dest/"`},
				fileGrown:   {client: `exec rsync -a --append-verify "$SRC" "rsync://$HOST:$PORT/dest/"`},

				each: {client: forEach(`rsync -aW "$f" "rsync://127.0.0.1:$PORT/dest/"`)},
			},
		},
		{
			name: "lab in Python", note: "4096 bytes at a time, a thread per connection. It says done before its server has everything",
			needs: []string{"python3"}, plain: true, unconfirmed: true,
			server: `exec "$PYTHON" "$LAB/extra_server.py" "$PORT" "$DEST"`,
			does: map[kind]task{
				file:   {client: `exec "$PYTHON" "$LAB/extra_client.py" 127.0.0.1 "$PORT" "$SRC"`},
				folder: {client: `exec "$PYTHON" "$LAB/extra_client.py" 127.0.0.1 "$PORT" "$SRC"/*`},
				each:   {client: forEach(`"$PYTHON" "$LAB/extra_client.py" 127.0.0.1 "$PORT" "$f"`)},
			},
		},
	}
	return append(append(list, ssh()...), http()...)
}

// echoes sends everything back.
const echoes = `exec socat -t 60 TCP-LISTEN:"$PORT",bind=127.0.0.1,reuseaddr,fork PIPE`

const rsyncConfig = `
use chroot = no
reverse lookup = no
log file = ${LOG}
pid file = ${CONF}/pid
[dest]
path = ${DEST}
read only = no
${RSYNC_IDS}
`
