#!/bin/sh
# packaging/deb/build.sh FOLDER [WHEEL]: make logtrigger_VERSION-REVISION_all.deb in FOLDER. REVISION=1 unless the environment says else.
#
# A tree as it is to be on the machine, and what dpkg is to know of it; dpkg-deb does the rest. No debhelper is needed.
# Why the requirements are in the package and not among its dependencies: docs/installing.md.
set -eu
umask 022
here=$(cd "$(dirname "$0")" && pwd)
top=$(cd "$here/../.." && pwd)
out=$1
wheel=${2:-}

tree=$(mktemp -d)
trap 'rm -rf "$tree"' EXIT
chmod 755 "$tree"

version=$(sed -n 's/^__version__ = "\(.*\)"$/\1/p' "$top/logtrigger/__init__.py")-${REVISION:-1}

# put MODE PLACE FILE...: copy files into a folder
put() {
    mode=$1
    place=$tree/$2
    shift 2
    mkdir -p "$place"
    install -m "$mode" -t "$place" "$@"
}

"$here/../tree.sh" "$tree/usr/lib/logtrigger" "$wheel"
echo "the Debian package" >"$tree/usr/lib/logtrigger/logtrigger/share/packaged" # see cli/setup.py
put 755 usr/bin "$here/logtrigger"
put 644 usr/lib/systemd/system "$top/etc/systemd/logtrigger.service"
put 755 usr/share/python3/runtime.d "$here/logtrigger.rtupdate"

put 644 etc/config "$top/etc/config/logtrigger"
put 755 etc/logtrigger "$top"/scripts/*.sh
put 644 etc/logtrigger/rules.d "$top/etc/logtrigger/rules.d/README"
put 644 etc/logrotate.d "$top/etc/logrotate.d/logtrigger"

for page in "$top"/man/*.[58]; do
    section=${page##*.}
    mkdir -p "$tree/usr/share/man/man$section"
    gzip -9n <"$page" >"$tree/usr/share/man/man$section/${page##*/}.gz"
done
put 644 usr/share/doc/logtrigger "$here/copyright" "$top/README.md"
put 644 usr/share/doc/logtrigger/docs "$top"/docs/*.*
# completion SHELL PLACE: what completes commands there
completion() {
    mkdir -p "$tree/usr/share/${2%/*}"
    PYTHONPATH=$tree/usr/lib/logtrigger PYTHONDONTWRITEBYTECODE=1 "${PYTHON:-python3}" -m logtrigger completion "$1" >"$tree/usr/share/$2"
}
completion bash bash-completion/completions/logtrigger
completion zsh zsh/vendor-completions/_logtrigger
completion fish fish/vendor_completions.d/logtrigger.fish
gzip -9n <"$top/CHANGELOG.md" >"$tree/usr/share/doc/logtrigger/changelog.gz"

# What dpkg is to know: all that lies in /etc is the administrator's.
put 755 DEBIAN "$here/preinst" "$here/postinst" "$here/prerm" "$here/postrm"
(cd "$tree" && find etc -type f | sort | sed 's,^,/,') >"$tree/DEBIAN/conffiles"
(cd "$tree" && find usr -type f | sort | xargs md5sum) >"$tree/DEBIAN/md5sums"
size=$(du -sk --exclude=DEBIAN "$tree" | cut -f1)
sed -e "s/@VERSION@/$version/" -e "s/@SIZE@/$size/" "$here/control" >"$tree/DEBIAN/control"

# The same checkout makes the same package, bit by bit, wherever and whenever it is built.
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git -C "$top" log -1 --format=%ct 2>/dev/null || echo 0)}
export SOURCE_DATE_EPOCH
find "$tree" -exec touch -h -d "@$SOURCE_DATE_EPOCH" {} +
mkdir -p "$out"
dpkg-deb --root-owner-group -Zxz --build "$tree" "$out/logtrigger_${version}_all.deb"
