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


def _int8_lookup(r):
    return {**_rows(r), "p0": 64 * (4 * r.g.C if r.g.by_channel else 1)}


def _int8_quantize(r):
    return {"x0": r.image("x"), "y": r.image("y", -(-r.g.C // 4))}


def _int8_dequantize(r):
    return {"x0": r.image("x", -(-r.g.C // 4)), "y": r.image("y")}


def _int8_move(r):
    least, largest = r.table(0)
    if least < -1:
        raise ValueError(f"a byte at {least}")
    return {"x0": r.span(at=(0, max(largest, 0) // 4)), "y": r.span(at=r.table(1)), "t0": 4 * r.g.count,
            "t1": r.g.count}
