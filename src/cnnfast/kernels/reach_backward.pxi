# What the kernels of training can touch: a rule for each geometry, see kernels/reach.pxi.

def _conv2d_weight(r):
    g = r.g
    low, high = (sum(bounds) for bounds in zip(r.table(0), r.table(1)))
    channels = _count(g.groups, g.OC)
    if g.block < 1:
        raise ValueError(f"blocks of {g.block} positions")
    return {"x0": r.span((g.groups, g.x_group), at=(low, high)), "x1": r.span((channels, g.y_c), at=r.table(2)),
            "y": (0, _count(channels, g.K)), "t0": g.K, "t1": g.positions, "t2": g.positions}


def _dense_weight(r):
    g = r.g
    return {"x0": r.span((g.F, 1)), "x1": r.span((g.O, 1)), "y": (0, _count(g.O, g.F)),
            "work": (0, ((g.F // r.L + 1) * r.L + g.O) * r.L)}


def _winograd_weight(side, kernel):
    def rule(r):
        g, square, L = r.g, side * side, r.L
        if min(g.block_rows, g.block_columns) < 1:
            raise ValueError("blocks of nothing")
        together = 1 if g.tiles == 1 else 4
        rows, columns = (g.C, g.OC) if g.swap else (g.OC, g.C)
        panels = -(-columns // L)
        turned = panels * together * L
        vectors = square * (g.C + 1) * together
        if g.swap:
            vectors += square * (turned + 1)
        else:
            vectors += square * (g.OC + 1) * together + turned * (1 if g.block_rows == rows else square)
        vectors += square * (g.block_rows * g.block_columns + 1) + kernel * kernel
        return {"x0": r.span((g.C, g.x_c), (side, g.x_r), (side, 1), at=r.table(0)),
                "x1": r.span((g.OC, g.dy_c), (4, g.dy_r), (4, 1), at=r.table(1)),
                "y": (0, _count(g.OC, g.C, kernel * kernel)), "work": r.span((vectors, 1)),
                "p0": side * kernel, **{f"t{i}": g.tiles for i in range(3)}}
    return rule


def _affine_activate(r):
    g = r.g
    return {"x0": r.image("x"), "x1": r.image("r"), "y": r.image("y"), "p0": 4 * g.C}


def _channel_sums(r):
    g = r.g
    return {"x0": r.image("x"), "y": (0, g.C)}


def _moments(r):
    g = r.g
    return {"x0": r.image("x"), "y": (0, 2 * g.C * r.L)}


def _norm_sums(r):
    g = r.g
    return {**_moments(r), "x1": r.image("dy"), "p0": 4 * g.C}


def _norm_sums_activate(r):
    g = r.g
    return {"x0": r.image("x"), "x1": r.image("dy"), "y": r.image("y"), "p0": 4 * g.C, "work": (0, 2 * g.C * r.L)}


def _norm_back(r):
    g = r.g
    return {"x0": r.image("x"), "x1": r.image("dy"), "x2": (0, r.L), "y": r.image("y"), "p0": 4 * g.C}


def _activate_back(r):
    return {"x0": r.image("x"), "x1": r.image("dy"), "y": r.image("y")}


def _leaky_back(r):
    g = r.g
    return {**_activate_back(r), "p0": g.C, "work": r.span((g.C, g.slope_c), unit=1)}


def _accumulate(r):
    return {"x0": r.block("a", "ABC"), "y": r.block("y", "ABC")}


def _multiply_add(r):
    return {**_accumulate(r), "x1": r.block("b", "ABC")}


def _dropout(r):
    return {"x0": r.image("x"), "x1": (0, r.L), "y": r.image("y")}


def _loss(r):
    g = r.g
    return {"x0": r.span((g.K, 1)), "x1": r.span((g.K, 1)), "x2": (0, r.L), "work": (0, r.L), "y": r.span((g.K, 1))}


def _softmax_back(r):
    return {"x0": r.block("a", "ABK"), "x1": r.block("b", "ABK"), "y": r.block("y", "ABK")}


def _lrn_back(r):
    g = r.g
    return {**_activate_back(r), "work": r.span((_count(g.C, g.W), 1))}


def _pool_back(r):
    g = r.g
    return {"x0": r.image("dy", g.C, g.OH, g.OW), "x1": r.image("x"), "x2": r.image("y", g.C, g.OH, g.OW),
            "y": r.image("dx")}


def _avg_pool_back(r):
    g = r.g
    return {**_pool_back(r), "p0": _count(g.OH, g.OW)}


def _global_avg_pool_back(r):
    g = r.g
    return {"x0": r.span((g.C, g.dy_c)), "y": r.image("y"), "work": (0, r.L)}
