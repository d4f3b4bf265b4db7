# Sourced by the scripts that build for another Python, system or CPU: were all of its results those of the usual build?

same_bits() { # FOLDER PYTHON...: where both lists go, and the command, or function, that runs the Python of the other build
    local folder=$1
    shift
    PYTHONPATH=src:tests "${PYTHON:-python}" tools/case_bits.py >"$folder/bits-here"
    "$@" tools/case_bits.py >"$folder/bits-there"
    diff "$folder/bits-here" "$folder/bits-there"
    echo "bit-identical in all $(wc -l <"$folder/bits-there") cases"
}
