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

# fuzz every target in turn, each for a time (10s) or a number of inputs (1000x)
fuzz time='10s':
    for package in $(go list ./...); do \
        for target in $(go test -list '^Fuzz' "$package" | grep '^Fuzz'); do \
            go test -run '^$' -fuzz "^$target\$" -fuzztime {{time}} "$package" || exit; done; done

# run the benchmarks, and see that memory does not grow with the file
bench time='1s' size='4G':
    go test -run '^$' -bench . -benchmem -benchtime {{time}} ./...
    bench/memory.sh {{size}}
