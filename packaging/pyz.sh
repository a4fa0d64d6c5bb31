#!/bin/sh
# packaging/pyz.sh FOLDER [WHEEL]: make FOLDER/logtrigger.pyz, the program and all it needs in one file, for any Python from 3.11 on.
set -eu
umask 022
here=$(cd "$(dirname "$0")" && pwd)
out=$1
wheel=${2:-}
python=${PYTHON:-python3}

tree=$(mktemp -d)
trap 'rm -rf "$tree"' EXIT

"$here/tree.sh" "$tree" "$wheel"
# The same checkout makes the same file.
epoch=${SOURCE_DATE_EPOCH:-$(git -C "$here" log -1 --format=%ct 2>/dev/null || echo 315532800)}
find "$tree" -exec touch -d "@$epoch" {} +
mkdir -p "$out"
# -I: nothing of what the environment or the folder we are in could smuggle in.
TZ=UTC "$python" - "$tree" "$out/logtrigger.pyz" "$epoch" <<'END'
import os, pathlib, sys, zipapp

tree, out, epoch = sys.argv[1:]
main = pathlib.Path(tree, "__main__.py")
main.write_text("from logtrigger.cli import main\n\nmain()\n")
os.utime(main, (int(epoch), int(epoch)))
zipapp.create_archive(tree, out, interpreter="/usr/bin/python3 -I", compressed=True)
END
chmod 755 "$out/logtrigger.pyz"
