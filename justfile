# labnet's chores. Every line of a recipe also works by itself in a shell.

# list the recipes
_default:
    @just --list

# build ./labnet
build:
    CGO_ENABLED=0 go build -trimpath -tags urfave_cli_no_docs -o labnet .

# run the tests; flags go to go test: just test -race
test *flags:
    go test {{flags}} ./...

# look for what the compiler lets pass: format, vet, staticcheck, dead code, go.mod
lint:
    ! { gofmt -l . || echo failed; } | grep .
    go vet ./... && GOOS=windows go vet ./...
    go tool -modfile=tools/go.mod staticcheck ./...
    ! { go tool -modfile=tools/go.mod deadcode -test ./... || echo failed; } | grep .
    go mod tidy -diff

# fuzz every target, each for a time (10s) or a number of inputs (1000x)
fuzz time='10s':
    .ci/fuzz {{time}}

# hold the verdicts of check: sound programs beside busy ones, and every mistake, for an hour
verdicts runs='50':
    go test ./commands -timeout 2h -run 'TestCheckSound|TestCheckClients' -busy -count {{runs}}
    go test ./commands -timeout 1h -run 'TestCheckMutants|TestCheckBrokenClients' -mutants

# compare with other tools, in small and in under two minutes; bench/README.md has more
bench *flags:
    bench/run.sh -quick {{flags}}

# measure the parts by themselves, each for a time (1s) or a number of times (100x)
parts time='1s':
    go test -run '^$' -bench . -benchmem -benchtime {{time}} ./...

# see that memory does not grow with the file
memory size='4G':
    bench/memory.sh {{size}}

# draw docs/session.svg anew from a real run
picture: build
    docs/session.py ./labnet docs/session.svg

# take docs/page.png anew from a real run, with chromium
page-picture:
    go -C commands/web/browsertest test -count 1 -run TestPicture -picture ../../../docs/page.png

# take docs/status.png anew from a real run, with chromium
status-picture: build
    docs/status.py ./labnet docs/status.png

# make archives and Debian packages for all platforms, with checksums, in dist/
release:
    packaging/release.sh
