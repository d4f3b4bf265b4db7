# What a step can touch, from its geometry alone: the net below the planner. Kernels check nothing, so a program asks
# here, once, when it is made. Each rule names the first element and the one behind the last that a kernel reads or
# writes of its operands (x0, x1, x2), result (y) and workspace (work), in floats from their places, and how many floats
# it reads of its parameters (p0, p1) and entries of its tables (t0 ... t4). There is a rule for every kernel; a test
# asks for it.


class Reach:
    """The geometry of a step, as its rule reads it.

    Attributes
    ----------
    g : dict of str to int
    tables : list of (least, largest, length, places) or None
    L, unit : int
        Lanes, and floats in an element of the layout.
    """

    def __init__(self, g, tables, lanes, unit):
        self.g, self.tables, self.L, self.unit = g, tables, lanes, unit

    def vectors(self, name):
        """Return how many vectors hold so many channels."""
        return -(-self.g[name] // self.L)

    def table(self, index):
        """Return the least and the largest place in a table."""
        if index >= len(self.tables) or self.tables[index] is None:
            raise ValueError(f"table {index} is missing")
        return self.tables[index][:2]

    def span(self, *axes, at=(0, 0), unit=None):
        """Return what a loop over (count, distance) touches, from a place that lies within ``at``."""
        low, high = at
        for count, step in axes:
            if isinstance(count, str):
                count = self.g[count]
            if isinstance(step, str):
                step = self.g[step]
            if count <= 0:
                return None
            low, high = low + min((count - 1) * step, 0), high + max((count - 1) * step, 0)
        unit = unit or self.unit
        return low * unit, (high + 1) * unit

    def image(self, name, channels="C", height="H", width="W"):
        """Return what a loop over the channels, rows and columns of a value touches."""
        return self.span((channels, name + "_c"), (height, name + "_r"), (width, 1))

    def block(self, name, *counts):
        """Return what a loop over three axes with numbered distances touches."""
        return self.span(*((count, f"{name}{i}") for i, count in enumerate(counts)))


def _count(*numbers):
    total = 1
    for number in numbers:
        total *= max(number, 0)
    return total


# ---- layout nchw

def _nchw_conv2d(r):
    g = r.g
    if g["groups"] < 1 or g["OC"] < g["groups"]:
        raise ValueError(f"{g['OC']} channels in {g['groups']} groups")
    each, inputs = g["OC"] // g["groups"], g["C"] // g["groups"]
    last = (g["OC"] - 1) // each * inputs + inputs
    return {"x0": (0, last * g["H"] * g["W"]), "y": (0, _count(g["OC"], g["OH"], g["OW"])),
            "p0": _count(g["OC"], inputs, g["KH"], g["KW"]), "p1?": g["OC"]}


def _nchw_linear(r):
    return {"x0": (0, r.g["F"]), "y": (0, r.g["O"]), "p0": _count(r.g["O"], r.g["F"]), "p1?": r.g["O"]}


def _nchw_pool(r):
    g = r.g
    if min(g["DH"], g["DW"]) < 1:
        raise ValueError("a dilation below 1")
    return {"x0": (0, _count(g["C"], g["H"], g["W"])), "y": (0, _count(g["C"], g["OH"], g["OW"]))}


def _nchw_avg_pool(r):
    return {**_nchw_pool(r), "p0": _count(r.g["OH"], r.g["OW"])}


def _nchw_global_pool(r):
    return {"x0": (0, _count(r.g["C"], r.g["HW"])), "y": (0, r.g["C"])}


def _nchw_channels(r):
    size = (0, _count(r.g["C"], r.g["HW"]))
    return {"x0": size, "y": size, "p0": r.g["C"]}


def _nchw_affine(r):
    return {**_nchw_channels(r), "p1": r.g["C"]}


def _nchw_lrn(r):
    size = (0, _count(r.g["C"], r.g["HW"]))
    return {"x0": size, "y": size}


def _nchw_each(r):
    return {"x0": (0, r.g["count"]), "y": (0, r.g["count"])}


def _nchw_fill(r):
    return {"y": (0, r.g["count"])}


def _nchw_softmax(r):
    size = (0, _count(r.g["outer"], r.g["K"], r.g["inner"]))
    return {"x0": size, "y": size}


def _nchw_binary(r):
    return {"x0": r.block("a", "A", "B", "C"), "x1": r.block("b", "A", "B", "C"),
            "y": (0, _count(r.g["A"], r.g["B"], r.g["C"]))}


# ---- every layout

def _binary(r):
    return {"x0": r.block("a", "A", "B", "C"), "x1": r.block("b", "A", "B", "C"),
            "y": r.span(("A", "y0"), ("B", "y1"), ("C", 1))}


def _copy(r):
    at = r.g["at"]
    return {"x0": r.block("a", "A", "B", "C"),
            "y": r.span(("A", "y0"), ("B", "y1"), ("C", "y2"), at=(at, at))}


def _rows(r):
    return {"x0": r.image("x"), "y": r.image("y")}


def _reduce(r):
    kept, gone = ("K0", "K1", "K2"), ("R0", "R1", "R2")
    return {"x0": r.span(*((n, f"x{i % 3}") for i, n in enumerate((*kept, *gone)))), "y": r.block("y", *kept)}


def _normalize(r):
    g = r.g

    def of(name, unit=None):
        kept = ((g["K0"], g["step"] * g[f"{name}0"]), (g["K1"], g[f"{name}1"]), (g["K2"], g[f"{name}2"]))
        return r.span(*kept, *((g[f"R{i}"], g[f"{name}{i}"]) for i in range(3)), unit=unit)

    weights = of("w", 1) or (0, 0)
    if weights[0] < 0:
        raise ValueError("weights before the first")
    return {"x0": of("x"), "y": of("y"), "work": (0, 3 * r.unit), "p0": weights[1], "p1": weights[1]}


def _gather(r):
    g = r.g
    low, high = (sum(bounds) for bounds in zip(*(r.table(i) for i in range(3))))
    return {"x0": r.span(at=(low, high)), "y": r.block("y", "A", "B", "C"), "t0": g["A"], "t1": g["B"], "t2": g["C"]}


def _resize(r):
    g = r.g
    low, high = (sum(bounds) for bounds in zip(r.table(0), r.table(1)))
    rows, cols = _count(g["OH"], g["KH"]), _count(g["OW"], g["KW"])
    return {"x0": r.span(("C", "x_c"), at=(low, high)), "y": r.image("y", "C", "OH", "OW"),
            "t0": rows, "t1": cols, "p0": rows, "p1": cols}


def _matmul(r):
    return {"x0": r.block("a", "B", "M", "K"), "x1": r.block("b", "B", "K", "O"), "y": r.block("y", "B", "M", "O")}


# ---- layout chwn<L>

def _tabled_result(r, channels, stride, y_offsets, r_offsets, residual):
    """Return the result, and the residual if there is a second operand, of a layer with tables of positions."""
    low, high = r.table(y_offsets)
    touched = {"y": r.span((channels, stride), at=(low, high))}
    if r_offsets < len(r.tables) and r.tables[r_offsets] is not None:
        touched["x1"] = r.span((channels, residual), at=r.table(r_offsets))
    return touched


def _positions(r, unit):
    g = r.g
    if g["positions"] % unit or g.get("block", unit) % unit or g.get("block", unit) < unit:
        raise ValueError(f"{g['positions']} positions in blocks of {g.get('block')} are no whole tiles")
    results = g["positions"] // 4 if g.get("pool") else g["positions"]
    if g.get("pool") and g["positions"] % 4:
        raise ValueError(f"{g['positions']} positions are no whole windows")
    found = {"t1": g["positions"], "t2": results}
    if len(r.tables) > 3 and r.tables[3] is not None:
        found["t3"] = g["positions"]
    return found


def _conv2d(r):
    g = r.g
    low, high = (sum(bounds) for bounds in zip(r.table(0), r.table(1)))
    channels = _count(g["groups"], g["OC"])
    return {**_tabled_result(r, channels, "y_c", 2, 3, "r_c"), **_positions(r, 4), "t0": g["K"],
            "x0": r.span(("groups", "x_group"), at=(low, high)), "p0": _count(channels, g["K"]), "p1": channels}


def _dense(r):
    g = r.g
    taps = r.tables[0] if r.tables else None
    inputs = r.span(at=taps[:2]) if taps is not None else r.span(("K", 1))
    return {"x0": inputs, "x1": r.span(("O", "r_c")), "y": r.span(("O", "y_c")),
            "t0": g["K"] if taps is not None else 0, "p0": _count(g["O"], g["K"]), "p1": g["O"]}


def _tiles(r, channels):
    """Return the result and residual of a Winograd convolution: tables 1 to 4 are of tiles."""
    g = r.g
    for index in (2, 3):
        if r.table(index)[0] < 0 or r.table(index)[1] > 4:
            raise ValueError(f"tiles of {r.table(index)} rows or columns")

    def of(table, row, stride):
        # of a tile at the edge only the rows and columns that exist are touched: none, where a pool leaves out the last
        low = r.table(table)[0]
        last = furthest(r.tables[table][3], r.tables[2][3], r.tables[3][3], g[row])
        return r.span((channels, stride), at=(low, max(low, last)))

    touched = {"y": of(1, "y_r", "y_c"), **{f"t{i}": g["tiles"] for i in range(4)}}
    if len(r.tables) > 4 and r.tables[4] is not None:
        touched.update({"x1": of(4, "r_r", "r_c"), "t4": g["tiles"]})
    return touched


def _winograd(side):
    def rule(r):
        g = r.g
        together, square = 1 if g["tiles"] == 1 else 4, side * side
        if g["tiles"] % together:
            raise ValueError(f"{g['tiles']} tiles are no whole runs")
        return {**_tiles(r, "OC"), "x0": r.span(("C", "x_c"), (side, "x_r"), (side, 1), at=r.table(0)),
                "work": r.span((square * (g["C"] + 1) * together, 1)), "p0": _count(g["OC"], g["C"], square),
                "p1": g["OC"]}
    return rule


def _pool(r):
    if min(r.g["DH"], r.g["DW"]) < 1:
        raise ValueError("a dilation below 1")
    return {"x0": r.image("x"), "y": r.image("y", "C", "OH", "OW")}


def _avg_pool(r):
    return {**_pool(r), "p0": _count(r.g["OH"], r.g["OW"])}


def _global_pool(r):
    return {"x0": r.image("x"), "y": r.span(("C", "y_c"))}


def _affine(r):
    return {**_rows(r), "p0": r.g["C"], "p1": r.g["C"]}


def _prelu(r):
    return {**_rows(r), "p0": r.g["C"]}


def _softmax(r):
    return {"x0": r.block("x", "A", "B", "K"), "y": r.block("y", "A", "B", "K")}


def _fill(r):
    return {"y": r.image("y")}


def _halo(r):
    g = r.g
    before, behind = g["top"] * g["y_r"] + g["left"], g["right"] + g["bottom"] * g["y_r"]
    low, high = r.image("y") or (0, 0)
    return {"y": (low - before * r.unit, high + behind * r.unit)}


def _lrn(r):
    return {**_rows(r), "work": r.span(("W", 1))}


# ---- layout nchw<L>c

def _channels(r):
    count = r.vectors("C")
    return {"x0": r.image("x", count), "y": r.image("y", count)}


def _nchwc_prelu(r):
    return {**_channels(r), "p0": r.vectors("C") * r.L}


def _nchwc_affine(r):
    return {**_nchwc_prelu(r), "p1": r.vectors("C") * r.L}


def _most(r):
    if not 1 <= r.g["vectors"] <= 8:
        raise ValueError(f"blocks of {r.g['vectors']} vectors")
    return r.vectors("O" if "O" in r.g else "OC")


def _nchwc_conv2d(r):
    g, count = r.g, _most(r)
    low, high = (sum(bounds) for bounds in zip(r.table(0), r.table(1)))
    return {**_tabled_result(r, count, "y_c", 2, 3, "r_c"), **_positions(r, 1), "t0": g["K"],
            "x0": r.span(at=(low, high), unit=1), "p0": _count(count, g["K"]) * r.L, "p1": count * r.L}


def _nchwc_dense(r):
    g, count = r.g, _most(r)
    taps = r.tables[0] if r.tables else None
    inputs = r.span(at=taps[:2], unit=1) if taps is not None else r.span(("K", 1), unit=1)
    return {"x0": inputs, "x1": r.span((count, "r_c")), "y": r.span((count, "y_c")),
            "t0": g["K"] if taps is not None else 0, "p0": _count(count, g["K"]) * r.L, "p1": count * r.L}


def _grouped(lane_taps):
    def rule(r):
        g, count = r.g, r.vectors("C")
        low, high = (sum(bounds) for bounds in zip(r.table(0), r.table(1)))
        if lane_taps:
            inputs = r.span((count, g["x_c"] * r.L), at=(low, high), unit=1)
        else:
            inputs = r.span((count, "x_c"), at=(low, high))
        return {**_tabled_result(r, count, "y_c", 2, 3, "r_c"), **_positions(r, 1), "x0": inputs,
                "t0": _count(count, g["K"]) * r.L if lane_taps else g["K"],
                "p0": _count(count, g["K"]) * r.L, "p1": count * r.L}
    return rule


def _nchwc_winograd(side):
    def rule(r):
        g, count, square = r.g, _most(r), side * side
        if g["at_once"] < 1:
            raise ValueError(f"{g['at_once']} tiles at once")
        together = min(g["at_once"], g["tiles"])
        planes = square * (r.vectors("C") * together + 1 + count * together + 1)
        return {**_tiles(r, count), "x0": r.span((r.vectors("C"), "x_c"), (side, "x_r"), (side, 1), at=r.table(0)),
                "work": r.span((planes, 1)), "p0": _count(square, g["C"], count) * r.L, "p1": count * r.L}
    return rule


def _elements(r):
    return {"x0": r.span(at=r.table(0), unit=1), "y": r.span(at=r.table(1), unit=1),
            "t0": r.g["count"], "t1": r.g["count"]}


# ---- training

def _conv2d_weight(r):
    g = r.g
    low, high = (sum(bounds) for bounds in zip(r.table(0), r.table(1)))
    channels = _count(g["groups"], g["OC"])
    if g["block"] < 1:
        raise ValueError(f"blocks of {g['block']} positions")
    return {"x0": r.span(("groups", "x_group"), at=(low, high)), "x1": r.span((channels, "y_c"), at=r.table(2)),
            "y": (0, _count(channels, g["K"])), "t0": g["K"], "t1": g["positions"], "t2": g["positions"]}


def _dense_weight(r):
    g = r.g
    return {"x0": r.span(("F", 1)), "x1": r.span(("O", 1)), "y": (0, _count(g["O"], g["F"])),
            "work": (0, ((g["F"] // r.L + 1) * r.L + g["O"]) * r.L)}


def _winograd_weight(side, kernel):
    def rule(r):
        g, square, L = r.g, side * side, r.L
        if min(g["block_rows"], g["block_columns"]) < 1:
            raise ValueError("blocks of nothing")
        together = 1 if g["tiles"] == 1 else 4
        rows, columns = (g["C"], g["OC"]) if g["swap"] else (g["OC"], g["C"])
        panels = -(-columns // L)
        turned = 0 if g["block_rows"] == rows else panels * together * L
        vectors = square * (g["C"] + 1 + g["OC"] + 1) * together + (square - 1) * turned + panels * together * L
        vectors += square * (g["block_rows"] * g["block_columns"] + 1) + kernel * kernel
        return {"x0": r.span(("C", "x_c"), (side, "x_r"), (side, 1), at=r.table(0)),
                "x1": r.span(("OC", "dy_c"), (4, "dy_r"), (4, 1), at=r.table(1)),
                "y": (0, _count(g["OC"], g["C"], kernel * kernel)), "work": r.span((vectors, 1)),
                "p0": side * kernel, **{f"t{i}": g["tiles"] for i in range(3)}}
    return rule


def _affine_activate(r):
    return {"x0": r.image("x"), "x1": r.image("dy"), "y": r.image("y"), "p0": 4 * r.g["C"]}


def _channel_sums(r):
    return {"x0": r.image("x"), "y": (0, r.g["C"])}


def _moments(r):
    return {"x0": r.image("x"), "y": (0, 2 * r.g["C"] * r.L)}


def _norm_sums(r):
    return {**_moments(r), "x1": r.image("dy"), "p0": 4 * r.g["C"]}


def _norm_back(r):
    return {"x0": r.image("x"), "x1": r.image("dy"), "x2": (0, r.L), "y": r.image("y"), "p0": 4 * r.g["C"]}


def _activate_back(r):
    return {"x0": r.image("x"), "x1": r.image("dy"), "y": r.image("y")}


def _leaky_back(r):
    return {**_activate_back(r), "p0": r.g["C"], "work": r.span(("C", "slope_c"), unit=1)}


def _accumulate(r):
    return {"x0": r.block("a", "A", "B", "C"), "y": r.block("y", "A", "B", "C")}


def _multiply_add(r):
    return {**_accumulate(r), "x1": r.block("b", "A", "B", "C")}


def _dropout(r):
    return {"x0": r.image("x"), "x1": (0, r.L), "y": r.image("y")}


def _loss(r):
    return {"x0": r.span(("K", 1)), "x1": r.span(("K", 1)), "x2": (0, r.L), "work": (0, r.L), "y": r.span(("K", 1))}


def _softmax_back(r):
    return {"x0": r.block("a", "A", "B", "K"), "x1": r.block("b", "A", "B", "K"), "y": r.block("y", "A", "B", "K")}


def _lrn_back(r):
    return {**_activate_back(r), "work": r.span((_count(r.g["C"], r.g["W"]), 1))}


def _pool_back(r):
    return {"x0": r.image("dy", "C", "OH", "OW"), "x1": r.image("x"), "x2": r.image("y", "C", "OH", "OW"),
            "y": r.image("dx")}


def _avg_pool_back(r):
    return {**_pool_back(r), "p0": _count(r.g["OH"], r.g["OW"])}


def _global_avg_pool_back(r):
    return {"x0": r.span(("C", "dy_c")), "y": r.image("y"), "work": (0, r.L)}


cdef tuple extremes(const int[::1] table):
    # the least and the largest place, how many there are, and the places
    cdef int least = table[0], largest = table[0]
    cdef Py_ssize_t i
    for i in range(1, table.shape[0]):
        least, largest = min(least, table[i]), max(largest, table[i])
    return least, largest, table.shape[0], table


cdef Py_ssize_t furthest(const int[::1] places, const int[::1] rows, const int[::1] cols, Py_ssize_t row):
    # the last element of tiles that have so many rows and columns
    cdef Py_ssize_t i, last = -1
    for i in range(min(places.shape[0], min(rows.shape[0], cols.shape[0]))):
        if rows[i] > 0 and cols[i] > 0:
            last = max(last, places[i] + max((rows[i] - 1) * row, <Py_ssize_t>0) + cols[i] - 1)
    return last


# By op, layout and algorithm; by op and layout; or by op: the first that stands here.
cdef dict _REACH = {
    "conv2d_f32_nchw": _nchw_conv2d, "linear_f32_nchw": _nchw_linear, "max_pool_f32_nchw": _nchw_pool,
    "avg_pool_f32_nchw": _nchw_avg_pool, "global_avg_pool_f32_nchw": _nchw_global_pool,
    "global_max_pool_f32_nchw": _nchw_global_pool, "affine_f32_nchw": _nchw_affine, "prelu_f32_nchw": _nchw_channels,
    **{f"{op}_f32_nchw": _nchw_each for op in (
        "relu clip leaky_relu elu sigmoid tanh hard_sigmoid hard_swish silu gelu gelu_tanh").split()},
    "softmax_f32_nchw": _nchw_softmax, "log_softmax_f32_nchw": _nchw_softmax, "fill_f32_nchw": _nchw_fill,
    "lrn_f32_nchw": _nchw_lrn,
    **{f"{op}_f32_nchw": _nchw_binary for op in "add sub mul div maximum minimum".split()},
    **{op: _binary for op in "add sub mul div maximum minimum".split()},
    "copy_f32_nchwc_elements": _elements, "copy": _copy, "function": _rows, "activate": _rows, "reduce": _reduce,
    "normalize": _normalize, "normalize": _normalize, "gather": _gather, "resize": _resize, "matmul": _matmul,
    "conv2d_f32_chwn_direct": _conv2d, "conv2d_f32_chwn_winograd4x3": _winograd(6),
    "conv2d_f32_chwn_winograd4x5": _winograd(8), "dense_f32_chwn": _dense, "max_pool_f32_chwn": _pool,
    "avg_pool_f32_chwn": _avg_pool, "global_avg_pool_f32_chwn": _global_pool, "global_max_pool_f32_chwn": _global_pool,
    "affine_f32_chwn": _affine, "prelu_f32_chwn": _prelu, "softmax_f32_chwn": _softmax,
    "log_softmax_f32_chwn": _softmax,
    "fill_f32_chwn": _fill, "halo": _halo, "lrn_f32_chwn": _lrn,
    "conv2d_f32_nchwc_direct": _nchwc_conv2d, "conv2d_f32_nchwc_depthwise": _grouped(False),
    "conv2d_f32_nchwc_grouped": _grouped(True), "conv2d_f32_nchwc_winograd4x3": _nchwc_winograd(6),
    "conv2d_f32_nchwc_winograd4x5": _nchwc_winograd(8), "dense_f32_nchwc": _nchwc_dense,
    "affine_f32_nchwc": _nchwc_affine, "prelu_f32_nchwc": _nchwc_prelu, "softmax_f32_nchwc": _channels,
    "log_softmax_f32_nchwc": _channels, "lrn_f32_nchwc": _channels,
    "conv2d_weight_f32_chwn_direct": _conv2d_weight, "conv2d_weight_f32_chwn_winograd4x3": _winograd_weight(6, 3),
    "conv2d_weight_f32_chwn_winograd4x5": _winograd_weight(8, 5), "dense_weight": _dense_weight,
    "affine_activate": _affine_activate, "channel_sums": _channel_sums, "moments": _moments, "norm_sums": _norm_sums,
    "norm_back": _norm_back, "activate_back": _activate_back, "leaky_back": _leaky_back, "accumulate": _accumulate,
    "multiply_add": _multiply_add, "dropout": _dropout, "softmax_cross_entropy": _loss,
    "sigmoid_binary_cross_entropy": _loss, "mean_squared_error": _loss, "softmax_back": _softmax_back,
    "lrn_back": _lrn_back, "max_pool_back": _pool_back, "avg_pool_back": _avg_pool_back,
    "global_avg_pool_back": _global_avg_pool_back,
}


def reach_of(str kernel):
    """Return the rule that says what a kernel can touch."""
    op, _, rest = kernel.partition("_f32_")
    for name in (kernel, f"{op}_f32_{rest.partition('_')[0]}", op):
        if name in _REACH:
            return _REACH[name]
    raise ValueError(f"nothing says what {kernel} can touch")


cdef check_reach(str kernel, ints, operands, parameters, tables, dst, workspace, Py_ssize_t lanes, Py_ssize_t arena):
    # raise unless all that a step touches lies within the arena, its constants, weights and tables
    unit = 1 if "_f32_nchw_" in kernel else lanes
    reach = Reach(ints, [None if t is None else extremes(t) for t in tables], lanes, unit)
    try:
        touched = reach_of(kernel)(reach)
        places = {"y": dst, "work": workspace}
        for i, operand in enumerate(operands):
            if isinstance(operand, int):
                places[f"x{i}"] = operand
            else:
                _check_span(f"operand {i}", touched.get(f"x{i}"), 0, operand.size)
        for name, place in places.items():
            _check_span(_TOUCHED.get(name, f"operand {name[1:]}"), touched.get(name), place * lanes, arena)
        for name, count in touched.items():
            if name[0] in "pt":
                given = parameters if name[0] == "p" else tables
                index = int(name[1])
                array = given[index] if index < len(given) else None
                if array is None and not name.endswith("?") and count > 0:
                    raise ValueError(f"{name} is missing")
                if array is not None and array.size < count:
                    raise ValueError(f"{name} has {array.size} elements, and {count} are read")
            elif name[0] == "x" and int(name[1]) >= len(operands) and name == "x0":
                raise ValueError("its operand is missing")
    except ValueError as error:
        raise ValueError(f"a step of kernel {kernel} does not fit: {error}. The plan is wrong, which is a fault of "
                         "cnnfast: please report it, with the network") from None


cdef dict _TOUCHED = {"y": "its result", "work": "its workspace"}


cdef _check_span(str what, span, Py_ssize_t place, Py_ssize_t size):
    if span is not None and not 0 <= place + span[0] <= place + span[1] <= size:
        raise ValueError(f"{what} reaches from {place + span[0]} to {place + span[1]} of {size} elements")
