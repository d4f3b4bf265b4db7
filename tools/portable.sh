#!/usr/bin/env bash
# Builds what a CPU without kernels of its own and a compiler without OpenMP give, next to the usual build, and runs the tests of
# the kernels: floats within their bounds, integers equal to the reference and bit-identical to those of this CPU.
#
#   tools/portable.sh [ARGUMENT OF PYTEST]...        tests/kernels/test_{kernels,integers}.py and tests/runtime/test_serial.py by default
#
# Needs gcc, a Python with Cython, setuptools and pytest ($PYTHON, or python), and cnnfast built in place for the comparison.
set -euo pipefail
cd "$(dirname "$0")/.."
readonly python=${PYTHON:-python} base=build/portable

CNNFAST_BUILD_MACHINE=portable CNNFAST_OPENMP=0 "$python" -W ignore setup.py --quiet build --build-base "$base"
portable_python() { PYTHONPATH=$(echo "$PWD/$base"/lib.*):$PWD/tests "$python" "$@"; }
portable_python -c 'from cnnfast.runtime.dispatch import kernels
assert kernels.supported_isas() == ["portable"] and not kernels.has_openmp()'

# a softmax behind integers is of floats, which have no fused multiply-add here
integers() { grep '^int8-' "$1" | grep -v '^int8-flattened'; }
PYTHONPATH=src:tests "$python" tools/case_bits.py >"$base/bits-here"
portable_python tools/case_bits.py >"$base/bits-portable"
diff <(integers "$base/bits-here") <(integers "$base/bits-portable")
echo "integers are bit-identical in all $(integers "$base/bits-portable" | wc -l) cases"

if (($#)); then portable_python -m pytest -q -p no:cacheprovider "$@"
else portable_python -m pytest -q -p no:cacheprovider tests/kernels/test_kernels.py tests/kernels/test_integers.py \
    tests/runtime/test_serial.py; fi
