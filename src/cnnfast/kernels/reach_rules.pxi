# What the kernels of inference can touch: a rule for each geometry, see kernels/reach.pxi.

# ---- layout nchw

def _nchw_conv2d(r):
    g = r.g
    if g.groups < 1 or g.OC < g.groups:
        raise ValueError(f"{g.OC} channels in {g.groups} groups")
    each, inputs = g.OC // g.groups, g.C // g.groups
    last = (g.OC - 1) // each * inputs + inputs
    return {"x0": (0, last * g.H * g.W), "y": (0, _count(g.OC, g.OH, g.OW)),
            "p0": _count(g.OC, inputs, g.KH, g.KW), "p1?": g.OC}


def _nchw_linear(r):
    g = r.g
    return {"x0": (0, g.F), "y": (0, g.O), "p0": _count(g.O, g.F), "p1?": g.O}


def _nchw_pool(r):
    g = r.g
    if min(g.DH, g.DW) < 1:
        raise ValueError("a dilation below 1")
    return {"x0": (0, _count(g.C, g.H, g.W)), "y": (0, _count(g.C, g.OH, g.OW))}


def _nchw_avg_pool(r):
    g = r.g
    return {**_nchw_pool(r), "p0": _count(g.OH, g.OW)}


def _nchw_global_pool(r):
    g = r.g
    return {"x0": (0, _count(g.C, g.HW)), "y": (0, g.C)}


def _nchw_channels(r):
    g = r.g
    size = (0, _count(g.C, g.HW))
    return {"x0": size, "y": size, "p0": g.C}


def _nchw_affine(r):
    g = r.g
    return {**_nchw_channels(r), "p1": g.C}


def _nchw_lrn(r):
    g = r.g
    size = (0, _count(g.C, g.HW))
    return {"x0": size, "y": size}


def _nchw_each(r):
    g = r.g
    return {"x0": (0, g.count), "y": (0, g.count)}


def _nchw_fill(r):
    g = r.g
    return {"y": (0, g.count)}


def _nchw_softmax(r):
    g = r.g
    size = (0, _count(g.outer, g.K, g.inner))
    return {"x0": size, "y": size}


# ---- every layout

def _binary(r):
    g = r.g
    return {"x0": r.block("a", "ABC"), "x1": r.block("b", "ABC"),
            "y": r.span((g.A, g.y0), (g.B, g.y1), (g.C, 1))}


def _copy(r):
    g = r.g
    at = g.at
    return {"x0": r.block("a", "ABC"),
            "y": r.span((g.A, g.y0), (g.B, g.y1), (g.C, g.y2), at=(at, at))}


def _rows(r):
    return {"x0": r.image("x"), "y": r.image("y")}


def _reduce(r):
    g = r.g
    kept = ((g.K0, g.x0), (g.K1, g.x1), (g.K2, g.x2))
    reduced = ((g.R0, g.x0), (g.R1, g.x1), (g.R2, g.x2))
    return {"x0": r.span(*kept, *reduced), "y": r.span((g.K0, g.y0), (g.K1, g.y1), (g.K2, g.y2))}


def _normalize(r):
    g = r.g

    def of(s0, s1, s2, unit=None):
        kept = ((g.K0, g.step * s0), (g.K1, s1), (g.K2, s2))
        return r.span(*kept, (g.R0, s0), (g.R1, s1), (g.R2, s2), unit=unit)

    weights = of(g.w0, g.w1, g.w2, 1) or (0, 0)
    if weights[0] < 0:
        raise ValueError("weights before the first")
    return {"x0": of(g.x0, g.x1, g.x2), "y": of(g.y0, g.y1, g.y2), "work": (0, 3 * r.unit), "p0": weights[1],
            "p1": weights[1]}


def _gather(r):
    g = r.g
    low, high = (sum(bounds) for bounds in zip(*(r.table(i) for i in range(3))))
    return {"x0": r.span(at=(low, high)), "y": r.block("y", "ABC"), "t0": g.A, "t1": g.B, "t2": g.C}


def _resize(r):
    g = r.g
    low, high = (sum(bounds) for bounds in zip(r.table(0), r.table(1)))
    rows, cols = _count(g.OH, g.KH), _count(g.OW, g.KW)
    return {"x0": r.span((g.C, g.x_c), at=(low, high)), "y": r.image("y", g.C, g.OH, g.OW),
            "t0": rows, "t1": cols, "p0": rows, "p1": cols}


def _matmul(r):
    return {"x0": r.block("a", "BMK"), "x1": r.block("b", "BKO"), "y": r.block("y", "BMO")}


# ---- layout chwn<L>

def _tabled_result(r, channels, stride, y_offsets, r_offsets, residual):
    """Return the result, and the residual if there is a second operand, of a layer with offset tables."""
    low, high = r.table(y_offsets)
    touched = {"y": r.span((channels, stride), at=(low, high))}
    if r_offsets < len(r.tables) and r.tables[r_offsets] is not None:
        touched["x1"] = r.span((channels, residual), at=r.table(r_offsets))
    return touched


def _positions(r, unit, block):
    """Return the entries of the tables of a layer: whole tiles of ``unit`` positions, in blocks of that many."""
    g = r.g
    if g.positions % unit or block % unit or block < unit:
        raise ValueError(f"{g.positions} positions in blocks of {block} are not whole tiles")
    results = g.positions // 4 if g.pool else g.positions
    if g.pool and g.positions % 4:
        raise ValueError(f"{g.positions} positions are not whole windows")
    found = {"t1": g.positions, "t2": results}
    if len(r.tables) > 3 and r.tables[3] is not None:
        found["t3"] = g.positions
    return found


def _conv2d(r):
    g = r.g
    low, high = (sum(bounds) for bounds in zip(r.table(0), r.table(1)))
    channels = _count(g.groups, g.OC)
    sets = g.tap_sets
    if sets < 1 or sets > 1 and (g.OC != 1 or g.pool) or g.positions % (4 * sets):
        raise ValueError(f"{sets} sets of taps do not fit {g.positions} positions of {g.OC} channels")
    return {**_tabled_result(r, channels, g.y_c, 2, 3, g.r_c), **_positions(r, 4, g.block), "t0": _count(g.K, sets),
            "x0": r.span((g.groups, g.x_group), at=(low, high)), "p0": _count(channels, g.K), "p1": channels}


def _dense(r):
    g = r.g
    taps = r.tables[0] if r.tables else None
    inputs = r.span(at=taps[:2]) if taps is not None else r.span((g.K, 1))
    tile = _csrc.cnnfast_active().turned_oc
    if not 0 <= g.turned <= g.O or g.turned and (tile == 0 or g.turned % tile):
        raise ValueError(f"{g.turned} of {g.O} channels do not fill turned tiles of {tile}")
    return {"x0": inputs, "x1": r.span((g.O, g.r_c)), "y": r.span((g.O, g.y_c)),
            "t0": g.K if taps is not None else 0, "p0": _count(g.O, g.K), "p1": g.O}


def _tiles(r, channels):
    """Return the result and residual of a Winograd convolution: tables 1 to 4 are of tiles."""
    g = r.g
    for index in (2, 3):
        if r.table(index)[0] < 0 or r.table(index)[1] > 4:
            raise ValueError(f"tiles of {r.table(index)} rows or columns")

    def of(table, row, stride):
        # of a tile at the edge only the rows and columns that exist are touched: none, where a pool leaves out the last
        low = r.table(table)[0]
        last = furthest(r.tables[table][3], r.tables[2][3], r.tables[3][3], row)
        return r.span((channels, stride), at=(low, max(low, last)))

    touched = {"y": of(1, g.y_r, g.y_c), **{f"t{i}": g.tiles for i in range(4)}}
    if len(r.tables) > 4 and r.tables[4] is not None:
        touched.update({"x1": of(4, g.r_r, g.r_c), "t4": g.tiles})
    return touched


def _winograd(side):
    def rule(r):
        g = r.g
        together, square = 1 if g.tiles == 1 else 4, side * side
        if g.tiles % together:
            raise ValueError(f"{g.tiles} tiles are not whole runs")
        halfway = g.OC * together * 4 * side if g.by_columns else 0
        return {**_tiles(r, g.OC), "x0": r.span((g.C, g.x_c), (side, g.x_r), (side, 1), at=r.table(0)),
                "work": r.span((square * (g.C + 1) * together + halfway, 1)), "p0": _count(g.OC, g.C, square),
                "p1": g.OC}
    return rule


def _pool(r):
    g = r.g
    if min(g.DH, g.DW) < 1:
        raise ValueError("a dilation below 1")
    return {"x0": r.image("x"), "y": r.image("y", g.C, g.OH, g.OW)}


def _avg_pool(r):
    g = r.g
    return {**_pool(r), "p0": _count(g.OH, g.OW)}


def _global_pool(r):
    g = r.g
    return {"x0": r.image("x"), "y": r.span((g.C, g.y_c))}


def _affine(r):
    g = r.g
    return {**_rows(r), "p0": g.C, "p1": g.C}


def _prelu(r):
    g = r.g
    return {**_rows(r), "p0": g.C}


def _softmax(r):
    return {"x0": r.block("x", "ABK"), "y": r.block("y", "ABK")}


def _fill(r):
    return {"y": r.image("y")}


def _halo(r):
    g = r.g
    before, behind = g.top * g.y_r + g.left, g.right + g.bottom * g.y_r
    low, high = r.image("y") or (0, 0)
    return {"y": (low - before * r.unit, high + behind * r.unit)}


def _lrn(r):
    g = r.g
    return {**_rows(r), "work": r.span((g.W, 1))}


# ---- layout nchw<L>c

def _channels(r):
    g = r.g
    count = r.vectors(g.C)
    return {"x0": r.image("x", count), "y": r.image("y", count)}


def _nchwc_prelu(r):
    g = r.g
    return {**_channels(r), "p0": r.vectors(g.C) * r.L}


def _nchwc_affine(r):
    g = r.g
    return {**_nchwc_prelu(r), "p1": r.vectors(g.C) * r.L}


def _output_vectors(r, channels):
    """Return how many vectors of output channels there are; they are computed in blocks of as many as a tile has."""
    if not 1 <= r.g.vectors <= _csrc.DENSE_VECTORS:
        raise ValueError(f"blocks of {r.g.vectors} vectors")
    return r.vectors(channels)


def _nchwc_conv2d(r):
    g, count = r.g, _output_vectors(r, r.g.OC)
    low, high = (sum(bounds) for bounds in zip(r.table(0), r.table(1)))
    return {**_tabled_result(r, count, g.y_c, 2, 3, g.r_c), **_positions(r, 1, 1), "t0": g.K,
            "x0": r.span(at=(low, high), unit=1), "p0": _count(count, g.K) * r.L, "p1": count * r.L}


def _nchwc_dense(r):
    g, count = r.g, _output_vectors(r, r.g.O)
    taps = r.tables[0] if r.tables else None
    inputs = r.span(at=taps[:2], unit=1) if taps is not None else r.span((g.K, 1), unit=1)
    return {"x0": inputs, "x1": r.span((count, g.r_c)), "y": r.span((count, g.y_c)),
            "t0": g.K if taps is not None else 0, "p0": _count(count, g.K) * r.L, "p1": count * r.L}


def _grouped(by_lane):
    def rule(r):
        g, count = r.g, r.vectors(r.g.C)
        low, high = (sum(bounds) for bounds in zip(r.table(0), r.table(1)))
        if by_lane:
            inputs = r.span((count, g.x_c * r.L), at=(low, high), unit=1)
        else:
            inputs = r.span((count, g.x_c), at=(low, high))
        return {**_tabled_result(r, count, g.y_c, 2, 3, g.r_c), **_positions(r, 1, 1), "x0": inputs,
                "t0": _count(count, g.K) * r.L if by_lane else g.K,
                "p0": _count(count, g.K) * r.L, "p1": count * r.L}
    return rule


def _nchwc_winograd(side):
    def rule(r):
        g, count, square = r.g, _output_vectors(r, r.g.OC), side * side
        if g.at_once < 1:
            raise ValueError(f"{g.at_once} tiles at once")
        together = min(g.at_once, g.tiles)
        planes = square * (r.vectors(g.C) * together + 1 + count * together + 1)
        return {**_tiles(r, count), "x0": r.span((r.vectors(g.C), g.x_c), (side, g.x_r), (side, 1), at=r.table(0)),
                "work": r.span((planes, 1)), "p0": _count(square, g.C, count) * r.L, "p1": count * r.L}
    return rule


def _elements(r):
    g = r.g
    return {"x0": r.span(at=r.table(0), unit=1), "y": r.span(at=r.table(1), unit=1),
            "t0": g.count, "t1": g.count}
