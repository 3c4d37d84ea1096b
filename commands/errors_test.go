package commands

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"github.com/labnet/labnet/commands/client"
	"github.com/labnet/labnet/commands/hook"
	"github.com/labnet/labnet/commands/problem"
	"github.com/labnet/labnet/commands/sandbox"
	"github.com/labnet/labnet/commands/terminal/terminaltest"
	"github.com/labnet/labnet/commands/uploader"
	"github.com/labnet/labnet/storage/dir"
	"github.com/labnet/labnet/wire"
)

// A mistake is something that goes wrong for a user.
type mistake struct {
	args  []string
	stdin string
	env   string // a variable, and its value
	// server is what listens at LABNET_ADDR; nil is nobody.
	server func(*testing.T) net.Listener
	// prepare makes what args name, in an empty folder.
	prepare func(*testing.T)
	// asRoot is what comes of it where nothing is forbidden, because root runs
	// the tests.
	asRoot error
	// err is described in place of what args do, where no test could have it
	// happen.
	err error
}

// typed is a mistake of words without spaces.
func typed(line string) mistake { return mistake{args: strings.Fields(line)} }

// at is a mistake that shows at a server.
func at(server func(*testing.T) net.Listener, args ...string) mistake {
	return mistake{args: args, server: server}
}

// mistakes are all that a user can make, or meet, by where it shows. Whoever adds
// an error adds it here: go test ./commands -run TestErrors -update
var mistakes = []struct {
	about string
	all   []mistake
}{
	{"the command line", []mistake{
		typed(""),
		typed("frobnicate"),
		typed("-q"),
		typed("-a nas"),
		typed("--json"),
		typed("-jsno upload x"),
		typed("-a nas uplaod x"),
		typed("UPLOAD x"),
		typed("recieve"),
		typed("complete bash"),
		typed("uplaod report.pdf"),
		typed("send report.pdf"),
		typed("receive"),
		{args: []string{"my report.pdf"}, prepare: files("my report.pdf")},
		{args: []string{"report.pdf", "photos"}, prepare: files("report.pdf")},
		{args: []string{"report.pdf", "nas:9000"}, prepare: files("report.pdf")},
		typed("missing.pdf"),
		typed("nas upload report.pdf"),
		typed("nas -q upload report.pdf"),
		typed("nas:9000"),
		typed("nas.example.com:9000 say hi"),
		typed("--frobnicate"),
		typed("--frobnicate upload x"),
		typed("--store inbox"),
		typed("--store inbox upload x"),
		typed("help frobnicate"),
		typed("help uplaod"),
		typed("help upload ping"),
		typed("help --json"),
		typed("version extra"),
		typed("completion"),
		typed("completion tcsh"),
		typed("completion bsh"),
		typed("completion bash zsh"),
		typed("upload --frobnicate x"),
		typed("upload --nmae x y"),
		typed("upload -r photos"),
		typed("upload --store inbox x"),
		typed("upload -qx file"),
		typed("upload -nmae x y"),
		typed("upload -V"),
		typed("upload --no-json x"),
		{args: []string{"upload", "--\x1b[31m", "x"}},
		typed("ping --jsno"),
		typed("ping --host nas"),
		typed("serve --strore inbox"),
		typed("serve --addr 127.0.0.1:9001"),
		typed("serve --port 9001"),
		typed("serve --quiet"),
		typed("upload --name"),
		typed("upload --retries many x"),
		typed("upload --retries -1 x"),
		typed("upload --retry-for -1 x"),
		typed("upload --retry-for soon x"),
		typed("upload --limit-rate 0 x"),
		typed("upload --limit-rate fast x"),
		typed("blob --limit-rate 2M/s"),
		typed("upload --name x a b"),
		typed("upload -q -v x"),
		typed("upload --name / a"),
		typed("upload --name inbox/ -"),
		typed("upload --into inbox -"),
		typed("upload --into / a"),
		typed("upload --exclude [ a"),
		typed("upload --exclude a//b a"),
		typed("upload --exclude-from missing a"),
		typed("upload --digest md5 x"),
		typed("upload --digest sha257 x"),
		typed("upload --json=maybe x"),
		{args: []string{"upload", "x"}, env: "LABNET_TIMEOUT=soon"},
		{args: []string{"upload", "x"}, env: "LABNET_TIMEOUT=0"},
		{args: []string{"upload", "x"}, env: "LABNET_PIN=00:11"},
		{args: []string{"upload", "x"}, env: "LABNET_TLS=perhaps"},
		{args: []string{"serve"}, env: "LABNET_ON_CONFLICT=replcae"},
		{args: []string{"serve"}, env: "LABNET_LISTEN=::1:9000"},
		{args: []string{"serve"}, env: "LABNET_MAX_PARTIALS=many"},
		{args: []string{"serve"}, env: "LABNET_JSON=perhaps"},
		{args: []string{"serve"}, env: "LABNET_EXEC=echo 'x"},
		typed("upload --lab 3 x"),
		typed("upload --lab 9 x"),
		typed("upload"),
		{args: []string{"serve", "--reply", strings.Repeat("{}", 16)}},
		typed("upload report.pdf nas:9000"),
		typed("upload --name x.pdf report.pdf nas:9000"),
		typed("upload nas:9000"),
		typed("upload 192.0.2.7 report.pdf"),
		typed("upload report.pdf alice@nas:/srv/inbox"),
		typed("upload report.pdf tcp://nas"),
		typed("say -a http://nas:9000/ hi"),
		typed("say -a tls://nas hi"),
		typed("say -a alice@nas hi"),
		typed("say -a nas/inbox hi"),
		typed("say -a /srv/inbox hi"),
		{args: []string{"say", "-a", "n\x1b[31mas", "hi"}},
		typed("say -a [::1 hi"),
		typed("say -a 127.0.0.1:0 hi"),
		{args: []string{"say", "-a", "", "hi"}},
		{args: []string{"say", "-a", "nas 9000", "hi"}},
		typed("say -a 127.0.0.1:http99 hi"),
		typed("say -a 127.0.0.1:99999 hi"),
		typed("say -a ::1:9000 hi"),
		typed("say --timeout 0s hi"),
		typed("say --timeout never hi"),
		typed("say --timeout 30sec hi"),
		{args: []string{"say", "--timeout", "5 minutes", "hi"}},
		typed("blob -s much"),
		typed("blob -s 20EiB"),
		typed("blob -s 1,5GB"),
		typed("blob -n 0"),
		typed("blob -n x"),
		typed("blob -n 99999999999999999999"),
		typed("blob file"),
		typed("blob 10MB"),
		typed("blob 10 MB"),
		typed("blob -s 10 MB"),
		typed("blob nas:9000"),
		typed("ping nas nas2"),
		typed("ping nas 9000"),
		typed("ping -a nas nas2"),
		typed("ping nas:http99"),
		typed("ping -c 0"),
		typed("ping -i -1s"),
		typed("say --pin sha256:short hi"),
		typed("say --pin sha256:0123abcd hi"),
		typed("serve --cert missing.pem"),
		typed("serve --cert missing.pem --key missing.pem"),
		typed("serve /srv/inbox"),
		{args: []string{"serve", "my inbox"}},
		typed("serve 9001"),
		typed("serve 0.0.0.0:9001"),
		typed("serve help"),
		typed("serve -l 127.0.0.1:http99"),
		typed("serve --on-conflict maybe"),
		typed("serve --names any"),
		typed("serve --on-conflict overwrite"),
		typed("serve --max-size 0"),
		typed("serve --max-size much"),
		typed("serve --max-message 0"),
		typed("serve --max-message 4097"),
		typed("serve --min-rate 0"),
		typed("serve --max-conns 0"),
		typed("serve --max-conns-per-ip -1"),
		typed("serve --max-conns-per-user 0"),
		typed("serve --max-conns-per-user -1"),
		typed("serve --max-unauthenticated 0"),
		typed("serve --max-uploads 0"),
		typed("serve --auth-timeout 0s"),
		typed("serve --header-timeout 0s"),
		typed("serve --idle-timeout -1s"),
		typed("serve --progress-timeout 0s"),
		{args: []string{"serve"}, env: "LABNET_MAX_CONNS=0"},
		{args: []string{"serve"}, env: "LABNET_MAX_PARTIALS=0"},
		{args: []string{"serve"}, env: "LABNET_KEEP_FREE=0"},
		{args: []string{"serve", "--max-conns", "5000"}, err: shareFiles(&wire.Limits{MaxConns: 5000}, 1024, true)},
		{args: []string{"serve"}, err: shareFiles(&wire.Limits{}, 64, false)},
		typed("serve --partial-ttl 0s"),
		typed("serve --max-partials 0"),
		typed("serve --max-partial-size 0"),
		typed("serve --keep-free 0"),
		typed("serve --drain 0s"),
		typed("serve --no-sandbox=perhaps"),
		typed("serve --lab 9"),
		typed("serve --log-level loud"),
		typed("serve --exec-jobs 0 --exec true"),
		typed("serve --exec-timeout 0s --exec true"),
		typed("serve --exec-on upload,mail --exec true"),
		{args: []string{"serve", "--exec", " "}},
		{args: []string{"serve", "--exec", "echo 'x"}},
		{args: []string{"serve", "--exec", "cat > log"}},
		{args: []string{"serve", "--exec", "gzip $LABNET_PATH"}},
		typed("serve --exec ./nothing"),
		typed("serve --exec no-such-program"),
		{args: []string{"serve", "--exec", "./plain"}, prepare: files("plain")},
	}},
	{"the server's own machine", []mistake{
		{args: []string{"serve", "-l", "LABNET_ADDR"}, server: silent},
		typed("serve -l 192.0.2.1:9000 --insecure"),
		{args: []string{"serve", "-l", "no.such.host:9000"}, err: &listenError{"--listen", "no.such.host:9000", noHost}},
		{args: []string{"serve", "-l", "127.0.0.1:80"}, err: &listenError{"--listen", "127.0.0.1:80", &net.OpError{Op: "listen", Err: os.NewSyscallError("bind", syscall.EACCES)}}},
		{args: []string{"serve", "--store", "file"}, prepare: files("file")},
		{args: []string{"serve", "--store", "file/below"}, prepare: files("file")},
		{args: []string{"serve", "--store", "locked/store"}, prepare: locked, asRoot: &storeError{"locked/store", denied("mkdir")}},
		{args: []string{"serve", "--store", "used"}, prepare: used},
		typed("serve -l 127.0.0.1:0 --addr-file missing/addr"),
		{args: []string{"serve"}, err: &sandbox.Error{Err: errors.New("landlock_restrict_self: argument list too long")}},
		{args: []string{"serve", "--json"}, err: &hook.ReceiptError{Err: hook.ErrStalled}},
		{args: []string{"serve", "--json"}, err: &hook.ReceiptError{Err: syscall.ENOSPC}},
	}},
	{"files", []mistake{
		typed("upload missing.pdf"),
		typed("upload missing/"),
		{args: []string{"upload", ""}},
		{args: []string{"upload", "secret"}, prepare: locked, asRoot: problem.Item("secret", denied("open")), server: store(dir.Options{})},
		{args: []string{"upload", "locked"}, prepare: locked, asRoot: problem.Item("locked", denied("open"))},
		typed("upload /dev/null"),
		{args: []string{"upload", "file/below"}, prepare: files("file")},
		{args: []string{"upload", strings.Repeat("n", 256)}},
		{args: []string{"upload", "-L", "round"}, prepare: loop, server: store(dir.Options{})},
		{args: []string{"upload", "-L", "dangling"}, prepare: dangling, server: store(dir.Options{})},
		{args: []string{"upload", "log"}, err: problem.Item("log", uploader.ErrChanged)},
		{args: []string{"upload", "missing", "file", "gone"}, prepare: files("file"), server: store(dir.Options{})},
	}},
	{"names", []mistake{
		named("../escape"), named("/etc/passwd"), named("a//b"), named("a/./b"), named(".labnet/lock"), named(".LABNET"),
		named("bell\a"), named("turn\u202eabout"), named("two\u2028lines"), named(strings.Repeat("deep/", 100) + "file"),
		unportable(".hidden"), unportable("ends."), unportable("ends "), unportable("aux.txt"), unportable("e\u0301"), unportable("heart\ufe0f"),
		named(strings.Repeat("n", 256)), named(strings.Repeat("long/", 700) + "name"),
		named("latin\xe9"), named("nul\x00"),
		{args: []string{"upload", "\xff"}, prepare: files("\xff"), server: store(dir.Options{})},
		{args: []string{"upload", "two\nlines"}, prepare: files("two\nlines"), server: store(dir.Options{})},
		{args: []string{"upload", "--name", "file", "folder"}, prepare: files("folder/a"), server: stored("file")},
		{args: []string{"upload", "--name", "file/a", "new"}, prepare: files("new"), server: stored("file")},
		{args: []string{"upload", "--name", "folder", "new"}, prepare: files("new"), server: stored("folder/a")},
	}},
	{"messages", []mistake{
		{args: []string{"say"}, stdin: "latin\xe9", server: silent},
		{args: []string{"say"}, stdin: "a\x00b", server: silent},
		{args: []string{"say"}, stdin: strings.Repeat("x", 5000), server: silent},
		{args: []string{"say", ""}, server: silent},
		{args: []string{"say", "-"}, stdin: "\xff\nfine\n", server: answerAndStay("\x01\x02\x00ok")},
	}},
	{"a server that is not there", []mistake{
		typed("say hi"),
		typed("upload --json missing nothing"),
		{args: []string{"upload", "one", "two"}, prepare: files("one", "two")},
		typed("ping -c 2 -i 1ms"),
		typed("blob -n 2 -s 1"),
		{args: []string{"say", "-a", "no.such.host:9000", "hi"}, err: &client.UnreachableError{Addr: "no.such.host:9000", Err: noHost}},
		{args: []string{"say", "-a", "some.host:9000", "hi"}, err: &client.UnreachableError{Addr: "some.host:9000", Err: &net.DNSError{Err: "server misbehaving", IsTemporary: true}}},
		{args: []string{"say", "hi"}, err: &client.UnreachableError{Addr: "192.0.2.7:9000", Err: os.ErrDeadlineExceeded}},
		{args: []string{"say", "hi"}, err: &client.UnreachableError{Addr: "192.0.2.7:9000", Err: &net.OpError{Op: "dial", Err: os.NewSyscallError("connect", syscall.EHOSTUNREACH)}}},
		{args: []string{"say", "hi"}, err: &client.UnreachableError{Addr: "192.0.2.7:9000", Err: &net.OpError{Op: "dial", Err: os.NewSyscallError("connect", syscall.ENETUNREACH)}}},
	}},
	{"a server that goes away, or is none", []mistake{
		at(answer(""), "say", "hi"),
		at(answer("\x01"), "say", "hi"),
		at(answer(""), "blob", "-s", "1"),
		{args: []string{"upload", "--retries", "0", "file"}, prepare: files("file"), server: answer("")},
		{args: []string{"upload", "--retries", "0", "one", "two"}, prepare: files("one", "two"), server: answer("")},
		{args: []string{"upload", "--name", "stream", "-"}, stdin: "x", server: answer(reply("OK", "upload", "1", "offset", "0"))},
		at(silent, "say", "--timeout", "1s", "hi"),
		{args: []string{"ping", "-c", "1"}, err: &client.LostError{Addr: "192.0.2.7:9000", Err: os.ErrDeadlineExceeded}},
		at(answer("HTTP/1.1 400 Bad Request\r\n\r\n"), "say", "hi"),
		at(answer("SSH-2.0-OpenSSH_9.6\r\n"), "say", "hi"),
		at(answer("Message: hi"), "say", "hi"),
		at(answer("OK"), "blob", "-s", "1"),
		{args: []string{"upload", "file"}, prepare: files("file"), server: answer("OK")},
		at(answer("\x01\x02\x00\xff\xff"), "say", "hi"),
		at(answer("\x02\x01x"), "say", "hi"),
		at(answerAndStay(reply("SAVED", "upload", "1")), "say", "--retries", "0", "hi"),
		at(answerAndStay(reply("OK", "name", "x.bin", "size", "1", "crc64nvme", "0000000000000000")), "blob", "-s", "1"),
	}},
	{"encryption", []mistake{
		at(encrypting, "say", "hi"),
		at(encrypting, "ping", "-c", "1", "--tls"),
		at(encrypting, "say", "--tls", "hi"),
		at(encrypting, "say", "--pin", "sha256:"+strings.Repeat("0", 64), "hi"),
		{args: []string{"upload", "--pin", "sha256:" + strings.Repeat("0", 64), "file"}, prepare: files("file"), server: encrypting},
		at(store(dir.Options{}), "say", "--tls", "hi"),
		at(answer("HTTP/1.1 400 Bad Request\r\n\r\n"), "say", "--tls", "hi"),
		typed("say --tls hi"),
		typed("say --tls --lab 4 hi"),
		{args: []string{"say", "--lab", "4", "hi"}, env: "LABNET_PIN=short"},
		typed("serve --tls --lab 4"),
		typed("serve --identity one --cert two --key three"),
		{args: []string{"serve", "--identity", "file"}, prepare: key("no key", 0o600)},
		{args: []string{"serve", "--identity", "file"}, prepare: key("no key", 0o644)},
		{args: []string{"serve", "--identity", "missing/file"}},
		{args: []string{"serve", "--cert", "file", "--key", "file"}, prepare: key("no key", 0o600)},
	}},
	{"tokens", []mistake{
		typed("serve --tokens file"),
		{args: []string{"serve", "--tokens", "", "--tls"}},
		typed("serve -l 0.0.0.0:0"),
		typed("serve -l 192.0.2.1:9000"),
		typed("serve -l :0 --tls"),
		{args: []string{"serve", "-l", "[::]:0", "--tls", "--tokens", "file"}, prepare: key("", 0o600)},
		{args: []string{"serve", "--tls", "--tokens", "file"}, prepare: key("# nobody\n", 0o600)},
		{args: []string{"serve", "--tls", "--tokens", "file"}, prepare: key("alice 123\n", 0o600)},
		{args: []string{"serve", "--tls", "--tokens", "file"}, prepare: key("alice "+hashOf(aliceToken), 0o666)},
		{args: []string{"serve", "--tls", "--tokens", "."}},
		typed("serve --tls --tokens missing"),
		{args: []string{"serve", "--tls", "--tokens", "file"}, prepare: key("alice "+hashOf(aliceToken)+" dir=..", 0o600)},
		{args: []string{"say", "hi"}, env: "LABNET_TOKEN=" + aliceToken},
		{args: []string{"say", "--tls", "hi"}, env: "LABNET_TOKEN=short"},
		{args: []string{"say", "--tls", "hi"}, env: "LABNET_TOKEN_FILE=missing"},
		{args: []string{"say", "--lab", "3", "hi"}, env: "LABNET_TOKEN=" + aliceToken},
		{args: []string{"say", "--tls", "hi"}, env: "LABNET_TOKEN=two words, but long enough"},
		typed("say --lab 3 --token-file file hi"),
		typed("say --token-file file hi"),
		typed("say --tls --token-file missing hi"),
		{args: []string{"say", "--tls", "--token-file", "file", "hi"}, prepare: key(aliceToken, 0o644)},
		at(wantingTokens, "say", "hi"),
		{args: []string{"say", "hi"}, env: "LABNET_TOKEN=a-token-that-is-wrong", server: wantingTokens},
		{args: []string{"ping", "-c", "1"}, env: "LABNET_TOKEN=a-token-that-is-wrong", server: wantingTokens},
		{args: []string{"upload", "one", "two"}, prepare: files("one", "two"), env: "LABNET_TOKEN=a-token-that-is-wrong", server: wantingTokens},
		{args: []string{"blob", "-s", "1"}, env: "LABNET_TOKEN=" + aliceToken, server: wantingTokens},
		{args: []string{"upload", "file"}, prepare: files("file"), env: "LABNET_TOKEN=" + aliceToken, server: wantingTokens},
	}},
	{"object stores", []mistake{
		typed("serve --store s3://"),
		typed("serve --store s3://bucket?region="),
		typed("serve --store s3://bucket?zone=x"),
		typed("serve --store s3://bucket?path-style=perhaps"),
		typed("serve --store s3://bucket?endpoint=host:9000"),
		typed("serve --store s3://bucket --tls"),
		typed("serve --store s3://bucket --store-memory 0"),
		{args: []string{"serve", "--store", "s3://bucket"}, env: "AWS_ENDPOINT_URL=nowhere"},
		at(bucketless, "serve", "--store", "s3://other/x?endpoint=http://LABNET_ADDR"),
		at(careless, "serve", "--store", "s3://bucket?endpoint=http://LABNET_ADDR"),
		at(refusingStore(403, "AccessDenied"), "serve", "--store", "s3://bucket?endpoint=http://LABNET_ADDR"),
		at(refusingStore(403, "InvalidAccessKeyId"), "serve", "--store", "s3://bucket?endpoint=http://LABNET_ADDR"),
		at(refusingStore(403, "SignatureDoesNotMatch"), "serve", "--store", "s3://bucket?endpoint=http://LABNET_ADDR"),
		at(refusingStore(403, "RequestTimeTooSkewed"), "serve", "--store", "s3://bucket?endpoint=http://LABNET_ADDR"),
	}},
	{"refusals", refusals()},
	{"the course", []mistake{
		{args: []string{"upload", "--lab", "6", "file"}, prepare: files("file"), server: answer("ERROR: no")},
		{args: []string{"upload", "--lab", "6", "file"}, prepare: files("file"), server: answer("NO")},
		{args: []string{"upload", "--lab", "6", "-"}, stdin: "x", server: answer("OK")},
		{args: []string{"upload", "--lab", "6", "empty"}, prepare: folders("empty"), server: answer("OK")},
		typed("say --lab 3 hi"),
	}},
}

// TestErrors holds all that a user may read of what went wrong.
func TestErrors(t *testing.T) {
	needLinux(t)
	var got strings.Builder
	for _, group := range mistakes {
		fmt.Fprintf(&got, "# %s\n\n", group.about)
		for _, m := range group.all {
			got.WriteString(volatile.ReplaceAllString(m.make(t), "…") + "\n")
		}
	}
	terminaltest.Golden(t, filepath.Join("testdata", "errors.golden"), got.String())
}

func needLinux(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("systems have their own words for errors, and those of Linux are held")
	}
}
