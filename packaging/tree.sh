#!/bin/sh
# packaging/tree.sh FOLDER [WHEEL]: logtrigger and what it needs, as plain Python that any Python from 3.11 on can import from
# FOLDER. For the Debian package and logtrigger.pyz.
#
# Without a WHEEL one is made of this checkout. The requirements are the very files whose digests packaging/vendored.txt gives.
# PYTHON=python3 names another Python, which needs pip.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
folder=$1
wheel=${2:-}
python=${PYTHON:-python3}

pip() {
    "$python" -m pip --disable-pip-version-check --quiet "$@"
}

mkdir -p "$folder"
pip install --no-deps --no-compile --require-hashes --only-binary :all: --target "$folder" --requirement "$here/vendored.txt"
pip install --no-deps --no-compile --upgrade --target "$folder" "${wheel:-$here/..}"
# What pip made for this machine: a script with this Python's path, and notes of where things came from.
rm -rf "${folder:?}/bin"
find "$folder" \( -name direct_url.json -o -name REQUESTED -o -name INSTALLER -o -name RECORD \) -exec rm -f {} +
find "$folder" -name __pycache__ -prune -exec rm -rf {} +
find "$folder" -type d -exec chmod 755 {} +
find "$folder" -type f -exec chmod 644 {} +
chmod 755 "$folder"/logtrigger/share/scripts/*.sh "$folder/logtrigger/share/etc/init.d/logtrigger"
