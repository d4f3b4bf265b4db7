# What steps of integers with channels in the lanes can touch: the rules of kernels/int8_nchwc.pxi. A pixel of L bytes
# is L / 4 words, a vector of floats L.

def _pixels(rule):
    """Return a rule for loops over pixels: that of floats, of which each has a byte in their place."""
    def of_pixels(r):
        r.unit = r.L // 4
        return rule(r)
    return of_pixels


def _nchwc_int8_layer(r):
    # the parameters, tables and results of a layer
    g, count = r.g, r.vectors(r.g.OC)
    stored = r.L if g.to_float else r.L // 4
    touched = {"y": r.span((count, g.y_c), at=r.table(2), unit=stored), **_positions(r, 1, 1),
               **dict.fromkeys(("p0", "p2", "p3"), count * r.L), "t0": g.K}
    if len(r.tables) > 3 and r.tables[3] is not None:
        touched["x1"] = r.span((count, g.r_c), at=r.table(3), unit=r.L // 4)
    return touched


def _nchwc_int8_conv2d(r):
    g, count = r.g, _output_vectors(r, r.g.OC)
    low, high = r.table(1)
    touched = _nchwc_int8_layer(r)
    if r.tables[0] is None:
        high += g.K - 1
        touched["t0"] = 0
    else:
        low, high = low + r.table(0)[0], high + r.table(0)[1]
        touched["t0"] = (count - 1) * g.taps_c + g.K
    if g.taps_c not in (0, g.K) or (g.taps_c and g.vectors > 1):
        raise ValueError(f"taps of vectors {g.taps_c} apart, in blocks of {g.vectors}")
    if g.positions > 1 and g.vectors > _csrc.cnnfast_active().tile_vectors:
        raise ValueError(f"blocks of {g.vectors} vectors for {g.positions} positions")
    return {**touched, "x0": r.span(at=(low, high), unit=1), "p1": _count(count, g.K) * r.L}


def _nchwc_int8_depthwise(r):
    g, count = r.g, r.vectors(r.g.OC)
    if g.K % 4:
        raise ValueError(f"{g.K} products are not a multiple of four")
    low, high = (sum(bounds) for bounds in zip(r.table(0), r.table(1)))
    return {**_nchwc_int8_layer(r), "x0": r.span((count, g.x_c), at=(low, high), unit=r.L // 4),
            "p1": _count(count, g.K // 4) * r.L}


def _nchwc_int8_lookup(r):
    return {**_rows(r), "p0": 64 * (r.L * r.g.C if r.g.by_channel else 1)}


def _nchwc_int8_quantize(r):
    count = r.vectors(r.g.C)
    floats = r.image("x", count)
    r.unit = r.L // 4
    return {"x0": floats, "y": r.image("y", count)}


def _nchwc_int8_dequantize(r):
    count = r.vectors(r.g.C)
    floats = r.image("y", count)
    r.unit = r.L // 4
    return {"x0": r.image("x", count), "y": floats}


def _nchwc_int8_move(r):
    def words(table):
        least, largest = r.table(table)
        # below zero are bytes themselves, which come from nowhere
        if least < (0 if table else -257):
            raise ValueError(f"a byte at {least}")
        return max(least, 0) // 4, max(largest, 0) // 4 + 1
    return {"x0": words(0), "y": words(1), "t0": r.g.count, "t1": r.g.count}
