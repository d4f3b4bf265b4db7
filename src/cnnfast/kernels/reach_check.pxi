# Whether a step stays within the memory that it is given, checked by the rules of kernels/reach.pxi.


cdef check_reach(Kernel kernel, ints, operands, parameters, tables, dst, workspace, Py_ssize_t lanes, Py_ssize_t arena):
    # raise unless all that a step touches is within the arena, its constants, weights and tables
    unit = 1 if kernel.layout == "nchw" else lanes
    reach = Reach(ints, [None if t is None else extremes(t) for t in tables], lanes, unit)
    try:
        touched = kernel.reach(reach)
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
        raise ValueError(f"a step of kernel {kernel.name} does not fit: {error}. The plan is wrong, which is a fault "
                         "of cnnfast: please report it, with the network") from None


cdef dict _TOUCHED = {"y": "its result", "work": "its workspace"}


cdef _check_span(str what, span, Py_ssize_t place, Py_ssize_t size):
    if span is not None and not 0 <= place + span[0] <= place + span[1] <= size:
        raise ValueError(f"{what} reaches from {place + span[0]} to {place + span[1]} of {size} elements")
