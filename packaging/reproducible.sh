#!/bin/sh
# Makes a release of the last commit twice, in two folders, with different
# settings and nothing in common that was built before, and compares them.
#
# usage: packaging/reproducible.sh [OS/ARCH...]
set -eu
cd "$(dirname "$0")/.."
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
git clone -q . "$tmp/one"
git clone -q . "$tmp/a/second folder"

"$tmp/one/packaging/release.sh" "$@"
echo "and again, elsewhere:"
(
	umask 077
	TZ=Asia/Tokyo LANG=tr_TR.UTF-8 GOCACHE=$tmp/cache \
		"$tmp/a/second folder/packaging/release.sh" "$@"
)
diff -r "$tmp/one/dist" "$tmp/a/second folder/dist"
echo "the same"
