#!/usr/bin/env bash
# Cross-compiles the kernels for another CPU and runs them under qemu: every case must give the bits of this CPU, and the
# tests of the kernels must pass.
#
#   tools/emulated.sh aarch64|riscv64 [--wheel] [ARGUMENT OF PYTEST]...     tests/kernels/test_{kernels,math,integers}.py by default
#
# With --wheel all of it is done with the content of a wheel, which stays in build/<machine>/dist. Not repaired: this
# machine's libgomp of another CPU is not one for old systems.
#
# CPU=neoverse-n1 runs them on an aarch64 with dot products of bytes; by default the tests of integers run on both kinds.
#
# Needs Debian 12 or later on x86-64 with
#   apt-get install qemu-user gcc-aarch64-linux-gnu libc6-dev-arm64-cross (or gcc-riscv64-linux-gnu libc6-dev-riscv64-cross)
# a Python with Cython, setuptools and NumPy ($PYTHON, or python), and cnnfast built in place for the comparison.
# Debian 13's Python for that CPU and its packages are fetched into build/<machine> once; the system is not changed.
set -euo pipefail
cd "$(dirname "$0")/.."
source tools/same_bits.sh
readonly python=${PYTHON:-python} machine=${1:-}
shift || true
case $machine in
# a CPU without SVE, dot products and the like: the baseline that cnnfast is built for
aarch64) readonly debian=arm64 cpu=${CPU:-cortex-a72} ;;
riscv64) readonly debian=riscv64 cpu=${CPU:-rv64} ;;
*) sed -n '2,/^set /{/^#/p}' "$0" >&2 && exit 2 ;;
esac
readonly base=$PWD/build/$machine triple=$machine-linux-gnu
readonly root=$base/root
content='lib.*' made=()
if [[ ${1:-} == --wheel ]]; then
    shift
    content=wheel made=(bdist_wheel --plat-name "linux_$machine" --dist-dir "$base/dist")
fi

fetch_python() {
    local state=$base/apt options made=$base/unpacked
    rm -rf "$made" "$root"
    mkdir -p "$state/lists/partial" "$state/archives/partial" "$made"
    echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] http://deb.debian.org/debian trixie main" >"$state/sources.list"
    options=(-qq -o APT::Architecture="$debian" -o APT::Architectures="$debian" -o APT::Install-Recommends=0
        -o Debug::NoLocking=1 -o APT::Sandbox::User=root -o Dir::Etc::sourcelist="$state/sources.list" -o Dir::Etc::sourceparts=/dev/null
        -o Dir::State="$state" -o Dir::State::status=/dev/null -o Dir::Cache="$state")
    apt-get "${options[@]}" update
    apt-get "${options[@]}" -y --download-only install \
        python3-minimal python3-dev python3-numpy python3-pil python3-tqdm python3-pytest python3-hypothesis libgomp1
    for package in "$state"/archives/*.deb; do dpkg-deb -x "$package" "$made"; done
    # what their scripts would have done
    ln -sfn usr/lib "$made/lib"
    ln -sf blas/libblas.so.3 lapack/liblapack.so.3 "$made/usr/lib/$triple/"
    # the compiler has its own libc, whose headers must not be mixed with these
    mkdir -p "$made/python/$triple"
    ln -sr "$made"/usr/include/"$triple"/python3.* "$made/python/$triple/"
    mv "$made" "$root"
}

emulated_python() {
    PYTHONDONTWRITEBYTECODE=1 PYTHONPATH=$(echo "$base"/$content):$PWD/tests \
        "qemu-$machine" -cpu "$cpu" -L "$root" "$root/usr/bin/python3" "$@"
}

build() {
    local headers tag
    headers=$(echo "$root"/usr/include/python3.*)
    tag=cpython-$(basename "$headers" | tr -dc 0-9)-$triple
    CNNFAST_BUILD_MACHINE=$machine SETUPTOOLS_EXT_SUFFIX=.$tag.so \
        CC="$triple-gcc -I$root/python -I$headers" LDSHARED="$triple-gcc -shared" \
        "$python" -W ignore setup.py --quiet build --build-base "$base" ${made[@]+"${made[@]}"}
    if [[ $content == wheel ]]; then
        rm -rf "$base/wheel"
        "$python" -m zipfile -e "$base/dist/"*"-linux_$machine.whl" "$base/wheel"
    fi
}

# a folder without headers is of an earlier version of this script
[[ -d $root/python ]] || fetch_python
build
emulated_python -c 'from cnnfast.runtime.dispatch import kernels; print("runs:", kernels.active_isa())'

same_bits "$base" emulated_python

if (($#)); then emulated_python -m pytest -q -p no:cacheprovider "$@"
else
    emulated_python -m pytest -q -p no:cacheprovider tests/kernels/test_{kernels,math,integers}.py
    # sdot, which the baseline lacks
    if [[ $machine == aarch64 ]]; then
        CPU=neoverse-n1 emulated_python -m pytest -q -p no:cacheprovider tests/kernels/test_integers.py
    fi
fi
