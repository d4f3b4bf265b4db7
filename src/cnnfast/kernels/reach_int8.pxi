# What steps of integers can touch: the rules of kernels/int8.pxi.


def _int8_result(r):
    # the counts of the parameters, and over which channels results are stored
    g = r.g
    if not 4 * (g.blocks - 1) < g.channels <= 4 * g.blocks:
        raise ValueError(f"{g.channels} channels in {g.blocks} blocks")
    each = 4 * g.blocks
    return {"p0": each, "p2": each, "p3": each}, g.channels if g.to_float else g.blocks


def _int8_conv2d(r):
    g = r.g
    low, high = (sum(bounds) for bounds in zip(r.table(0), r.table(1)))
    counts, stored = _int8_result(r)
    result = _tabled_result(r, stored, g.y_c, 2, 3, 0)
    touched = {**counts, **result, **_positions(r, 4, getattr(g, "block", 4)), "t0": g.K}
    if "x1" in touched:
        touched["x1"] = r.span((g.blocks, g.r_c), at=r.table(3))
    if hasattr(g, "x_block"):
        if g.K % 4:
            raise ValueError(f"{g.K} products are not a multiple of four")
        if g.rows * g.columns > g.positions:
            raise ValueError(f"{g.rows} rows of {g.columns} positions, of {g.positions}")
        for row in range(g.rows if g.columns > 1 else 0):
            offsets = r.tables[1][3][row * g.columns:(row + 1) * g.columns]
            if any(offsets[j + 1] != offsets[j] + 1 for j in range(len(offsets) - 1)):
                raise ValueError(f"positions of row {row} that are not neighbors")
        return {**touched, "x0": r.span((g.blocks, g.x_block), at=(low, high)), "p1": _count(g.blocks, g.K)}
    if len(r.tables) > 4 and r.tables[4] is not None:
        low, high = low + r.table(4)[0], high + r.table(4)[1]
        touched["t4"] = g.blocks
    return {**touched, "x0": r.span(at=(low, high)), "p1": _count(4, g.blocks, g.K)}


def _int8_dense(r):
    g = r.g
    counts, stored = _int8_result(r)
    taps = r.tables[0] if r.tables else None
    inputs = r.span(at=taps[:2]) if taps is not None else r.span((g.K, 1))
    return {**counts, "x0": inputs, "x1": r.span((g.blocks, g.r_c)), "y": r.span((stored, g.y_c)),
            "t0": g.K if taps is not None else 0, "p1": _count(4, g.blocks, g.K)}


def _matrix_layer(r):
    """Return the counts of a layer by matrix tiles, over which channels it stores, and the words of a position."""
    g = r.g
    counts, stored = _int8_result(r)
    if not (4 <= g.rows <= _csrc.MATRIX_ROWS and g.rows % 4 == 0 and 1 <= g.depth <= _csrc.MATRIX_ROWS):
        raise ValueError(f"matrix tiles of {g.rows} rows and {g.depth} words")
    if not g.depth <= g.K <= g.chunks * g.depth:
        raise ValueError(f"{g.K} words in {g.chunks} chunks of {g.depth}")
    first, last = r.span((g.depth, g.x_step), at=r.table(4), unit=1)
    weights = _count(-(-4 * g.blocks // g.rows), g.chunks, g.rows, _csrc.MATRIX_ROWS)
    return {**counts, "p1": weights, "t4": g.chunks}, stored, (first, last - 1)


def _within(words, positions, size):
    low, high = words[0] + positions[0], words[1] + positions[1]
    if low < 0 or high >= size:
        raise ValueError(f"words {low} to {high} of {size} that are brought together")


def _int8_matrix(r):
    g = r.g
    counts, stored, words = _matrix_layer(r)
    touched = {**counts, **_tabled_result(r, stored, g.y_c, 2, 3, 0), **_positions(r, 4, g.block)}
    if "x1" in touched:
        touched["x1"] = r.span((g.blocks, g.r_c), at=r.table(3))
    if not g.planes:
        low, high = (sum(bounds) for bounds in zip(words, r.table(1)))
        return {**touched, "x0": r.span(at=(low, high))}
    offsets, row = list(r.tables[1][3]), g.width * g.planes
    for block, start in enumerate(range(0, min(g.positions, len(offsets)), g.block)):
        top, part = block * g.block_step, offsets[start:start + g.block]
        _within(words, (min(part) - top * row, max(part) - top * row), min(g.block_height, g.height - top) * row)
    return {**touched, "x0": r.span((g.planes, g.x_c), (g.height, g.x_r), (g.width, 1), at=(g.x_from, g.x_from)),
            "work": r.span((g.block_height * row, 1))}


def _int8_dense_matrix(r):
    g = r.g
    counts, stored, words = _matrix_layer(r)
    touched = {**counts, "x1": r.span((g.blocks, g.r_c)), "y": r.span((stored, g.y_c))}
    if r.tables[0] is None:
        return {**touched, "x0": r.span(at=words)}
    _within(words, (0, 0), g.K)
    return {**touched, "t0": g.K, "x0": r.span(at=r.table(0)), "work": r.span((g.K, 1))}


def _int8_lookup(r):
    return {**_rows(r), "p0": 64 * (4 * r.g.C if r.g.by_channel else 1)}


def _int8_quantize(r):
    return {"x0": r.image("x"), "y": r.image("y", -(-r.g.C // 4))}


def _int8_dequantize(r):
    return {"x0": r.image("x", -(-r.g.C // 4)), "y": r.image("y")}


def _int8_move(r):
    least, largest = r.table(0)
    if least < -257:
        raise ValueError(f"a byte at {least}")
    return {"x0": r.span(at=(0, max(largest, 0) // 4)), "y": r.span(at=r.table(1)), "t0": 4 * r.g.count,
            "t1": r.g.count}
