package main

import (
	"os/exec"
	"strings"

	"github.com/labnet/labnet/bench/report"
)

const (
	serve  = `exec "$LABNET" serve -l "$HOST:$PORT" --store "$DEST"`
	upload = `exec "$LABNET" upload -a "$HOST:$PORT" "$SRC"`
)

// labnet returns this project's own contestants: labnet, an earlier one if it is there, and
// labnet with TLS if the program knows it.
func labnet(program, before string) []contestant {
	list := []contestant{{
		name:     "labnet",
		note:     "everything verified, and durable when it says done; built as for shell loops",
		server:   serve,
		toLabnet: true,
		plain:    true,
		linked:   true,
		does: map[kind]task{
			file:   {client: upload},
			folder: {client: upload},

			fileAgain:   {client: upload},
			folderAgain: {client: upload},
			folderQuick: {client: upload + ` --quick`},
			fileGrown:   {server: serve + ` --on-conflict replace`, client: upload},

			each:  {client: forEach(`"$LABNET" upload -a "127.0.0.1:$PORT" "$f"`)},
			hello: {client: times(`"$LABNET" say -a "127.0.0.1:$PORT" hello`)},
			lines: {client: `exec "$LABNET" say -a "127.0.0.1:$PORT" - <"$SRC"`},
		},
	}}
	if before != "" {
		list = append(list, beforeOf(list[0], before))
	}
	help, _ := exec.Command(program, "serve", "--help").CombinedOutput()
	if strings.Contains(string(help), "--tls") {
		pin := `until grep -o 'sha256:[^" ]*' "$LOG" | head -n 1 >"$CONF/pin" && [ -s "$CONF/pin" ]; do sleep 0.02; done`
		list = append(list, contestant{
			name:      "labnet",
			note:      "for encrypted work, with TLS 1.3",
			server:    `exec "$LABNET" serve --tls -l "127.0.0.1:$PORT" --store "$DEST"`,
			toLabnet:  true,
			encrypted: true,
			does: map[kind]task{
				file: {before: pin, client: `exec "$LABNET" upload --pin "$(cat "$CONF/pin")" -a "127.0.0.1:$PORT" "$SRC"`},
			},
		})
	}
	return list
}

// beforeOf returns the contestant that an earlier version is.
func beforeOf(c contestant, program string) contestant {
	c.name, c.note, c.program = report.Before, "an earlier version", program
	return c
}
