#!/bin/sh
# Makes a Debian package of a binary, the same one from the same files.
#
# usage: packaging/deb.sh BINARY ARCHITECTURE VERSION FOLDER
#
# The architecture is named as Debian does. SOURCE_DATE_EPOCH must be set.
set -eu
[ $# = 4 ] || { sed -n 's/^# usage: /usage: /p' "$0" >&2; exit 2; }
binary=$1 arch=$2 folder=$4
: "${SOURCE_DATE_EPOCH:?}"
# A version before the first or a release has hyphens, and comes before it.
version=$(printf %s "$3" | tr - '~')
here=$(dirname "$0")
umask 022

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
root=$tmp/root
doc=$root/usr/share/doc/labnet
units=$root/usr/lib/systemd/system
man=$root/usr/share/man/man1
bash=$root/usr/share/bash-completion/completions
zsh=$root/usr/share/zsh/vendor-completions
fish=$root/usr/share/fish/vendor_completions.d
mkdir -p "$root/DEBIAN" "$root/usr/bin" "$doc" "$units" "$man" "$bash" "$zsh" "$fish"
chmod 755 "$root"
install -m 755 "$binary" "$root/usr/bin/labnet"
install -m 644 "$here/systemd/labnet.service" "$here/systemd/labnet.socket" "$here/systemd/labnet-status.socket" "$units"
"$here/docs.sh" "$doc"
chmod -R u=rwX,go=rX "$doc"
install -m 644 "$here/../LICENSE" "$doc/copyright"
gzip -9n <"$here/../CHANGELOG.md" >"$doc/changelog.gz"
gzip -9n <"$here/labnet.1" >"$man/labnet.1.gz"
install -m 644 "$here/completions/labnet.bash" "$bash/labnet"
install -m 644 "$here/completions/_labnet" "$zsh"
install -m 644 "$here/completions/labnet.fish" "$fish"

size=$(find "$root/usr" -type f -exec cat {} + | wc -c)
sed -e "s/@VERSION@/$version/" -e "s/@ARCHITECTURE@/$arch/" \
	-e "s/@SIZE@/$(((size + 1023) / 1024))/" "$here/debian/control.in" >"$root/DEBIAN/control"
install -m 755 "$here/debian/postinst" "$here/debian/prerm" "$here/debian/postrm" "$root/DEBIAN"
(cd "$root" && find usr -type f | LC_ALL=C sort | xargs md5sum) >"$root/DEBIAN/md5sums"

find "$root" -exec touch -h -d "@$SOURCE_DATE_EPOCH" {} +
dpkg-deb --root-owner-group -Zxz --build "$root" "$folder/labnet_${version}_$arch.deb" >/dev/null
