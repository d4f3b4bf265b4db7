#!/usr/bin/env bash
# Installs a wheel in a fresh environment of every Python here from 3.11 on, and runs README's main job and a part of the tests from
# it, without a compiler on the PATH.
#
#   tools/try_wheel.sh WHEEL [PYTHON]...             by default those of uv, pyenv and the system
set -euo pipefail
readonly wheel=$(realpath "$1") root=$(cd "$(dirname "$0")/.." && pwd) work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
shift

pythons() { # one of each version
    local found
    for found in "${HOME:-/}"/.pyenv/versions/3.*/bin/python \
        "${HOME:-/}"/.local/share/uv/python/*/bin/python3.?? /usr/bin/python3.?? /usr/local/bin/python3.??; do
        [[ -x $found ]] && "$found" -c 'import sys, venv, ensurepip; print("%d.%d" % sys.version_info[:2], sys.executable)' 2>/dev/null
    done | sort -V | awk '{split($1, v, "."); if (v[2] >= 11 && !seen[$1]++) print $2}'
}

(($#)) || mapfile -t found < <(pythons)
for python in "${@:-${found[@]}}"; do
    env=$work/$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
    "$python" -m venv "$env"
    "$env/bin/pip" install -q "$wheel" pytest hypothesis
    mkdir -p "$env/empty"
    (
        cd "$env/empty"
        # nothing but the environment: no compiler, no source
        export PATH=$env/bin:$env/empty
        "$env/bin/cnnfast" info | /usr/bin/grep -E '^(cnnfast|versions|build|instruction set|threads) '
        "$env/bin/cnnfast" classify "$root/docs/img/cats-dogs-confusion.png" --out rows.csv >/dev/null
        "$env/bin/python" "$root/tools/smoke.py"
        "$env/bin/python" -I -m pytest -q -p no:cacheprovider --rootdir "$root" -c "$root/pyproject.toml" \
            "$root/tests/runtime/test_isa.py" "$root/tests/kernels/test_networks.py" "$root/tests/network/test_calls.py" >log ||
            { /usr/bin/tail -40 log && exit 1; }
        /usr/bin/tail -1 log
    )
done
