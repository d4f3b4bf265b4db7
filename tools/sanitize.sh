#!/usr/bin/env bash
# Builds the kernels with AddressSanitizer and UndefinedBehaviorSanitizer, in a separate build, and runs their tests.
#
#   tools/sanitize.sh [ARGUMENT OF PYTEST]...        tests/kernels by default
#
# Needs gcc, and a Python with Cython, setuptools and pytest: $PYTHON, or python.
set -euo pipefail
cd "$(dirname "$0")/.."
readonly python=${PYTHON:-python} base=build/sanitize

# -O1 because the tests and not the kernels take the time, and its reports name the right line
export CNNFAST_CFLAGS="-fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer -O1 -g"
"$python" -W ignore setup.py --quiet build --build-base "$base"
PYTHONPATH=$(echo "$PWD/$base"/lib.*)
export PYTHONPATH

# Python itself is not instrumented: the sanitizer must be there before it, and all that Python keeps looks like a leak.
LD_PRELOAD=$(gcc -print-file-name=libasan.so)
export LD_PRELOAD
export ASAN_OPTIONS=detect_leaks=0:abort_on_error=0 UBSAN_OPTIONS=print_stacktrace=1

"$python" - <<'CHECK'
import ctypes
import cnnfast._kernels as kernels

ctypes.CDLL(kernels.__file__).__asan_init  # fails where the module was built without
print(f"{kernels.__file__}: instrumented, runs {', '.join(kernels.supported_isas())}")
CHECK
exec "$python" -m pytest -q -p no:cacheprovider "${@:-tests/kernels}"
