#!/usr/bin/env bash
# Cross-compiles the NEON kernels and runs them under qemu: every case must give the bits of this CPU, and the tests
# of the kernels must pass.
#
#   tools/aarch64.sh [--wheel] [ARGUMENT OF PYTEST]...     tests/kernels/test_{kernels,math,integers}.py by default
#
# With --wheel all of it is done with the content of a wheel, which stays in build/aarch64/dist. Not repaired: this machine's arm64
# libgomp is not one for old systems.
#
# CPU=neoverse-n1 runs them on a CPU with dot products of bytes; by default the tests of integers run on both kinds.
#
# Needs Debian 12 or later on x86-64 with
#   apt-get install qemu-user gcc-aarch64-linux-gnu libc6-dev-arm64-cross
# a Python with Cython, setuptools, pip and NumPy ($PYTHON, or python), and cnnfast built in place for the comparison.
# An arm64 Python and its packages are fetched into build/aarch64 once; the system is not changed.
set -euo pipefail
cd "$(dirname "$0")/.."
source tools/same_bits.sh
readonly python=${PYTHON:-python} base=$PWD/build/aarch64
readonly root=$base/root site=$base/site
content='lib.*' made=()
if [[ ${1:-} == --wheel ]]; then
    shift
    content=wheel made=(bdist_wheel --plat-name linux_aarch64 --dist-dir "$base/dist")
fi

fetch_python() {
    local state=$base/apt options
    mkdir -p "$state/lists/partial" "$state/archives/partial" "$root"
    options=(-qq -o APT::Architecture=arm64 -o APT::Architectures=arm64 -o APT::Install-Recommends=0
        -o Debug::NoLocking=1 -o APT::Sandbox::User=root
        -o Dir::State="$state" -o Dir::State::status=/dev/null -o Dir::Cache="$state")
    apt-get "${options[@]}" update
    apt-get "${options[@]}" -y --download-only install python3-minimal python3-dev libgomp1 libstdc++6
    for package in "$state"/archives/*.deb; do dpkg-deb -x "$package" "$root"; done
}

arm_python() {
    # by default a CPU without SVE, dot products and the like: the baseline that cnnfast is built for
    PYTHONDONTWRITEBYTECODE=1 PYTHONPATH=$(echo "$base"/$content):$site:$PWD/tests \
        qemu-aarch64 -cpu "${CPU:-cortex-a72}" -L "$root" "$root/usr/bin/python3" "$@"
}

fetch_packages() {
    local version platforms=()
    version=$(qemu-aarch64 -L "$root" "$root/usr/bin/python3" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
    for glibc in 2_17 2_27 2_28; do platforms+=(--platform "manylinux_${glibc}_aarch64"); done
    "$python" -m pip install -qq --no-warn-conflicts --target "$site" \
        --python-version "$version" --only-binary=:all: "${platforms[@]}" \
        "$("$python" -c 'import numpy; print(f"numpy=={numpy.__version__}")')" pytest hypothesis
}

build() {
    local headers tag
    headers=$(echo "$root"/usr/include/python3.*)
    tag=cpython-$(basename "$headers" | tr -dc 0-9)-aarch64-linux-gnu
    CNNFAST_BUILD_MACHINE=aarch64 SETUPTOOLS_EXT_SUFFIX=.$tag.so \
        CC="aarch64-linux-gnu-gcc -I$root/usr/include -I$headers" LDSHARED="aarch64-linux-gnu-gcc -shared" \
        "$python" -W ignore setup.py --quiet build --build-base "$base" ${made[@]+"${made[@]}"}
    if [[ $content == wheel ]]; then
        rm -rf "$base/wheel"
        "$python" -m zipfile -e "$base"/dist/*-linux_aarch64.whl "$base/wheel"
    fi
}

[[ -x $root/usr/bin/python3 ]] || fetch_python
[[ -d $site ]] || fetch_packages
build
arm_python -c 'from cnnfast.runtime.dispatch import kernels; print("runs:", kernels.active_isa())'

same_bits "$base" arm_python

if (($#)); then arm_python -m pytest -q -p no:cacheprovider "$@"
else
    arm_python -m pytest -q -p no:cacheprovider tests/kernels/test_{kernels,math,integers}.py
    # sdot, which the baseline lacks
    CPU=neoverse-n1 arm_python -m pytest -q -p no:cacheprovider tests/kernels/test_integers.py
fi
