#!/bin/sh
# Make .venv with the pinned requirements. Called by the Makefile; does nothing when all is there.
set -eu
cd "$(dirname "$0")/../.."
mkdir -p "$HOME"
stamp=.venv/.made-from

made_from() { # folder, Python and requirements: another of any of them means work
    echo "$PWD $("$1" -c 'import platform; print(platform.python_version())')" \
        "$(cat requirements.txt requirements-dev.txt | cksum)"
}

is_made() {
    [ -f "$stamp" ] && [ -x .venv/bin/python ] &&
        [ "$(cat "$stamp")" = "$(made_from .venv/bin/python 2>/dev/null)" ]
}

is_made && exit 0

found= without_venv=
for python in ${PYTHON:-python3.13 python3.12 python3.11 python3}; do
    "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || continue
    if "$python" -c 'import ensurepip, venv' 2>/dev/null; then
        found=$python
        break
    fi
    without_venv=${without_venv:-$python}
done
if [ -z "$found" ] && [ -n "$without_venv" ]; then
    version=$("$without_venv" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
    echo "make: Python $version is here, but its venv module is not. On Debian or Ubuntu:" >&2
    echo "    sudo apt-get install -y python$version-venv" >&2
    exit 1
elif [ -z "$found" ]; then
    echo "make: Python 3.11 or newer is missing (tried: ${PYTHON:-python3.13, 3.12, 3.11, python3})." >&2
    echo "    sudo apt-get install -y python3 python3-venv" >&2
    exit 1
fi

# Of two makes in this folder one works and the other waits; a killed one lets go.
exec 9<requirements.txt
"$found" -c 'import fcntl; fcntl.flock(9, fcntl.LOCK_EX)'
is_made && exit 0

# New requirements are installed over the old ones. An interrupted install, another Python or a moved
# folder begins anew: a stamp is there only when everything before it went well.
was_made_from=$(cat "$stamp" 2>/dev/null || true)
rm -f "$stamp"
now=$([ -x .venv/bin/python ] && made_from .venv/bin/python 2>/dev/null || true)
if [ -z "$was_made_from" ] || [ "${was_made_from% * *}" != "${now% * *}" ]; then
    "$found" -m venv --clear .venv
fi
echo "Installing the pinned requirements into .venv: 1 to 3 minutes, 1.7 GB" >&2
if ! .venv/bin/python -m pip install --quiet --no-input -r requirements-dev.txt; then
    echo "make: pip could not install requirements-dev.txt, for the reason above; then run make again" >&2
    exit 1
fi
made_from .venv/bin/python >"$stamp"
