"""Images in the lanes, layout chwn<L>: an element of memory is a vector with the same value of L images."""
