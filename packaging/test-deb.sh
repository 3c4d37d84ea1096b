#!/bin/sh
# Installs a Debian package, uses what it has, and removes it again. As root, on
# a machine or in a container where labnet is not installed.
#
# usage: packaging/test-deb.sh FILE.deb
set -eu
[ $# = 1 ] || { sed -n 's/^# usage: /usage: /p' "$0" >&2; exit 2; }
deb=$1
fail() { echo "test-deb: $*" >&2; exit 1; }
if dpkg-query -W -f '${db:Status-Status}' labnet 2>/dev/null | grep -qx installed; then
	fail "labnet is installed already"
fi

tmp=$(mktemp -d)
server=
cleanup() {
	[ -z "$server" ] || kill "$server" || true
	dpkg --purge labnet >/dev/null 2>&1 || true
	rm -rf "$tmp"
}
trap cleanup EXIT
unit=/usr/lib/systemd/system/labnet
share=/usr/share

dpkg --install "$deb"
dpkg --verify labnet
[ "$(labnet version | tr - '~')" = "labnet $(dpkg-query -W -f '${Version}' labnet)" ] ||
	fail "the package and the program differ in version"
if command -v systemd-analyze >/dev/null; then
	systemd-analyze verify --man=no $unit.service $unit.socket $unit-status.socket
	systemd-analyze security --offline=true --threshold=20 --no-pager $unit.service >"$tmp/security" ||
		{ cat "$tmp/security"; fail "the service may do more than it should"; }
	tail -n 1 "$tmp/security"
fi

# What the documents link to is there. From the package: see below.
dpkg-deb --extract "$deb" "$tmp/package"
(
	cd "$tmp/package$share/doc/labnet"
	find . -name '*.md' | while read -r document; do
		grep -o ']([^)# ]*' "$document" | cut -c3- | grep -v -e :// -e '^$' | while read -r to; do
			[ -e "$(dirname "$document")/$to" ] || echo "$document links to $to"
		done
	done
) >"$tmp/dead"
[ ! -s "$tmp/dead" ] || { cat "$tmp/dead"; fail "links lead nowhere"; }

labnet completion bash | cmp - $share/bash-completion/completions/labnet
labnet completion zsh | cmp - $share/zsh/vendor-completions/_labnet
labnet completion fish | cmp - $share/fish/vendor_completions.d/labnet.fish
# From the package itself: a small system may be set to install no manuals.
dpkg-deb --fsys-tarfile "$deb" | tar -xOf - ./usr/share/man/man1/labnet.1.gz | gzip -d | cmp - "$(dirname "$0")/labnet.1"

labnet serve -l 127.0.0.1:0 --addr-file "$tmp/addr" --store "$tmp/store" 2>"$tmp/log" &
server=$!
tries=0
until [ -s "$tmp/addr" ]; do
	tries=$((tries + 1))
	if [ $tries = 300 ] || ! kill -0 "$server"; then
		cat "$tmp/log"
		fail "the server does not run"
	fi
	sleep 0.1
done
LABNET_ADDR=$(cat "$tmp/addr")
export LABNET_ADDR
labnet say hello | grep -x 'Message: hello'
labnet upload --name program /usr/bin/labnet
cmp /usr/bin/labnet "$tmp/store/program"
kill "$server"
wait "$server" || [ $? = 143 ] || fail "the server did not end by SIGTERM"
server=

dpkg --install "$deb" # as an upgrade does
labnet version
dpkg --remove labnet
for file in /usr/bin/labnet $unit.service $unit.socket $unit-status.socket $share/doc/labnet $share/man/man1/labnet.1.gz \
	$share/bash-completion/completions/labnet $share/zsh/vendor-completions/_labnet \
	$share/fish/vendor_completions.d/labnet.fish; do
	[ ! -e "$file" ] || fail "left behind: $file"
done
dpkg --purge labnet
echo "installed, used and removed"
