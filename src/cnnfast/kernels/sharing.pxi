# How many threads share the work for one image. Between cores that are far apart, what they tell each other may take
# longer than what they compute, so a thread alone and several are both timed: the faster way stays.

cdef enum:
    SHARED_WORK = 400_000                  # about a tenth of a millisecond for each thread
    MAX_SHARES = 8
    NUMBERS = 9                            # from none to MAX_SHARES
    SHARED_LOOKS = 8                       # calls of each way that are timed, in turn, before one is chosen
    LOOK_AGAIN = 500                       # calls until one goes the other way: all before may have been disturbed

cdef double WORTH_SHARING = 0.95           # several threads must take at most this part of the time of one


cdef struct Ways:
    double[2] seconds                      # the least that an image has taken, with one thread and with several
    int[2] looks
    unsigned int calls


cdef struct Sharing:
    double work                            # of an image alone, in multiply-adds of vectors
    Ways[NUMBERS] ways                     # by the number of threads that may share it


cdef int most_threads_of_an_image(double work, Py_ssize_t images, int threads) noexcept nogil:
    # how many threads may share the work for one image: several if it is large, and if most would else be idle
    if images == 0 or 2 * images > threads:
        return 1
    return max(1, min(<int>(threads // images), <int>min(work / SHARED_WORK + 1, <double>MAX_SHARES)))


cdef int threads_of_an_image(const Sharing* s, Py_ssize_t images, int threads) noexcept nogil:
    # how many share it, by what is known
    cdef int most
    if s == NULL:
        return 1
    most = most_threads_of_an_image(s.work, images, threads)
    return 1 if _knows(&s.ways[most]) and not _pays(&s.ways[most]) else most


cdef bint _knows(const Ways* w) noexcept nogil:
    return w.looks[0] >= SHARED_LOOKS and w.looks[1] >= SHARED_LOOKS


cdef bint _pays(const Ways* w) noexcept nogil:
    return w.seconds[1] < WORTH_SHARING * w.seconds[0]


cdef int threads_to_time(Sharing* s, int most) noexcept nogil:
    # how many share an image in this call, whose time will be noted
    cdef Ways* w = &s.ways[most]
    cdef bint together
    w.calls += 1
    if _knows(w):
        together = _pays(w) != (w.calls % LOOK_AGAIN == 0)
    else:
        together = w.looks[1] <= w.looks[0]
    return most if together else 1


cdef void note_sharing(Sharing* s, int most, int shares, double seconds) noexcept nogil:
    # the least of all calls: any of them may have been disturbed
    cdef Ways* w = &s.ways[most]
    cdef int way = 1 if shares > 1 else 0
    if w.looks[way] == 0 or seconds < w.seconds[way]:
        w.seconds[way] = seconds
    w.looks[way] = min(w.looks[way] + 1, <int>SHARED_LOOKS)


def share_images(Py_ssize_t calls, int threads, double work, duration):
    """Return how many threads share the image of each call, which takes ``duration(call, threads)`` seconds."""
    cdef Sharing sharing
    cdef int most = most_threads_of_an_image(work, 1, threads), shares
    memset(&sharing, 0, sizeof(sharing))
    sharing.work = work
    found = []
    for call in range(calls):
        shares = threads_to_time(&sharing, most)
        note_sharing(&sharing, most, shares, duration(call, shares))
        found.append(shares)
    return found
