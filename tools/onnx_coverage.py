"""The tables of docs/onnx-coverage.md, from a run of ONNX's own conformance suite.

python tools/onnx_coverage.py          print them
python tools/onnx_coverage.py --write  put them into the page, between its markers
python tools/onnx_coverage.py --check  fail if the page holds others
"""

from __future__ import annotations

import sys

import marked

sys.path.insert(0, str(marked.ROOT / "tests"))

from formats.onnx_suite import light_outcomes, light_table, node_outcomes, page, stored_outcomes

PAGE = marked.ROOT / "docs" / "onnx-coverage.md"

if __name__ == "__main__":
    marked.run(PAGE, "suite", page(node_outcomes(), stored_outcomes()))
    marked.run(PAGE, "light", light_table(light_outcomes()))
