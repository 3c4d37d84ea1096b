#!/bin/sh
# Makes what a release consists of: for each platform an archive with a static
# binary, for Linux also a Debian package, and SHA256SUMS of all. The same commit
# gives the same bytes with the same version of Go (see reproducible.sh).
#
# usage: packaging/release.sh [-o FOLDER] [OS/ARCH...]
#
# The folder is dist unless told otherwise, the platforms are all that labnet
# is made for. It needs git, GNU tar, zip and dpkg-deb.
set -eu
usage() { sed -n 's/^# usage: /usage: /p' "$0" >&2; exit 2; }
cd "$(dirname "$0")/.."
umask 022
export LC_ALL=C TZ=UTC

out=dist
while getopts o: flag; do
	case $flag in
	o) out=$OPTARG ;;
	*) usage ;;
	esac
done
shift $((OPTIND - 1))
[ $# -gt 0 ] || set -- linux/amd64 linux/arm64 linux/arm linux/riscv64 \
	darwin/amd64 darwin/arm64 windows/amd64 freebsd/amd64

SOURCE_DATE_EPOCH=$(git log -1 --format=%ct)
export SOURCE_DATE_EPOCH
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
mkdir -p "$out"
out=$(cd "$out" && pwd)
rm -f "$out"/labnet_* "$out/SHA256SUMS"

# build OS ARCH FILE: what this machine's environment asks for must not matter.
build() {
	env -u GOFLAGS -u GOEXPERIMENT CGO_ENABLED=0 GOOS="$1" GOARCH="$2" \
		GOAMD64=v1 GOARM=6 GOARM64=v8.0 GORISCV64=rva20u64 \
		go build -trimpath -buildvcs=true -tags urfave_cli_no_docs \
		-ldflags '-s -w -buildid=' -o "$3" .
}

# version FILE: what the go command recorded in a binary.
version() { go version -m "$1" | awk '$1 == "mod" { sub(/^v/, "", $3); print $3 }'; }

for platform; do
	os=${platform%/*} arch=${platform#*/} exe=
	[ "$os" != windows ] || exe=.exe
	build "$os" "$arch" "$tmp/labnet$exe"
	version=$(version "$tmp/labnet$exe")
	name=labnet_${version}_${os}_$arch

	mkdir "$tmp/$name"
	mv "$tmp/labnet$exe" "$tmp/$name"
	packaging/docs.sh "$tmp/$name"
	[ "$os" = windows ] || cp -r packaging/labnet.1 packaging/completions "$tmp/$name"
	chmod -R u=rwX,go=rX "$tmp/$name"
	find "$tmp/$name" -exec touch -d "@$SOURCE_DATE_EPOCH" {} +
	if [ "$os" = windows ]; then
		(cd "$tmp" && find "$name" -type f | sort | zip -9 -X -q -@ "$out/$name.zip")
	else
		tar -C "$tmp" --format=ustar --sort=name --owner=0 --group=0 --numeric-owner \
			-cf - "$name" | gzip -9n >"$out/$name.tar.gz"
	fi
	if [ "$os" = linux ]; then
		case $arch in
		arm) deb=armhf ;;
		*) deb=$arch ;;
		esac
		packaging/deb.sh "$tmp/$name/labnet" "$deb" "$version" "$out"
	fi
	rm -r "${tmp:?}/$name"
done
cd "$out"
sha256sum labnet_* | tee SHA256SUMS
