#!/usr/bin/env bash
# Builds the module for a Python without a GIL, next to the usual build, compares the bits of every case with those of the usual
# build, and runs the tests of what users call: once, and once more each of them in four threads at the same time.
#
#   tools/free_threaded.sh [ARGUMENT OF PYTEST]...   those of networks and what they rest on, kernels and runtime by default
#   tools/free_threaded.sh --find                    print the Python that would be taken; fail if there is none
#
# Needs gcc, such a Python ($FREE_THREADED_PYTHON, or one of the PATH, pyenv or uv), whose packages are installed into
# build/free-threaded, and cnnfast built in place for the comparison ($PYTHON, or python).
set -euo pipefail
cd "$(dirname "$0")/.."
source tools/same_bits.sh
readonly base=build/free-threaded

find_python() {
    local found
    for found in "${FREE_THREADED_PYTHON:-}" "$(command -v python3.14t || command -v python3.13t || true)" \
        "${HOME:-/}"/.pyenv/versions/3.*t/bin/python "${HOME:-/}"/.local/share/uv/python/*+freethreaded*/bin/python; do
        [[ -n $found && -x $found ]] && "$found" -c 'import sysconfig, sys, ensurepip
sys.exit(not sysconfig.get_config_var("Py_GIL_DISABLED"))' 2>/dev/null && echo "$found" && return
    done
    echo "there is no Python without a GIL here; name one in FREE_THREADED_PYTHON" >&2
    return 1
}

found=$(find_python)
[[ ${1:-} == --find ]] && echo "$found" && exit
"$found" -m venv "$base/env"
readonly python=$PWD/$base/env/bin/python
"$python" -m pip install -q --only-binary :all: numpy pillow tqdm cython setuptools pytest pytest-run-parallel hypothesis onnx \
    threadpoolctl joblib

rm -rf "$base"/lib.*
"$python" -W ignore setup.py --quiet build --build-base "$base"
threads_python() { PYTHONPATH=$(echo "$PWD/$base"/lib.*):$PWD/tests "$python" "$@"; }
# a module that is not ready for such a Python turns its GIL on, with a warning
threads_python -W error -c 'import sys, cnnfast
cnnfast.show_config()
assert not sys._is_gil_enabled()'

same_bits "$base" threads_python

if (($#)); then
    threads_python -m pytest -q -p no:cacheprovider "$@"
    exit
fi
readonly shared=(tests/network tests/graph tests/ops tests/layers tests/quantization tests/calibration)
# those of kernels select an instruction set for the process, and those of the runtime are about the process
threads_python -m pytest -q -p no:cacheprovider tests/kernels tests/runtime "${shared[@]}"
threads_python -m pytest -q -p no:cacheprovider --parallel-threads 4 "${shared[@]}"
