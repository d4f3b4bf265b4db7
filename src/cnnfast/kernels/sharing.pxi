# How many threads share the work for one image. Between cores that are far apart, what they tell each other may take
# longer than what they compute, so a thread alone and several are both timed: the faster way stays.
#
# Times are the least of many calls, since any of them may have been disturbed: of at least a few, and of recent ones,
# because another process may have come or gone. `Least` serves the choice in partition.pxi, too.

cdef enum:
    SHARED_WORK = 400_000                  # about a tenth of a millisecond for each thread
    MAX_SHARES = 8
    NUMBERS = 9                            # from none to MAX_SHARES
    SHARED_LOOKS = 8                       # calls of each way that are timed, in a row: threads at rest wake slowly
    LOOK_AGAIN = 500                       # calls until times begin to be forgotten …
    SOME = 3                               # … and this many go the other way

cdef double WORTH_SHARING = 0.95           # several threads must take at most this part of the time of one


cdef struct Least:
    double lately                          # of the calls since times began to be forgotten; 0 if there were none
    double before                          # of those until then
    int looks                              # calls that were timed, as far as they are counted


cdef void note_least(Least* s, double seconds) noexcept nogil:
    if s.lately == 0 or seconds < s.lately:
        s.lately = seconds
    s.looks = min(s.looks + 1, <int>SHARED_LOOKS)


cdef double least_of(const Least* s) noexcept nogil:
    if s.lately == 0 or s.before == 0:
        return max(s.lately, s.before)
    return min(s.lately, s.before)


cdef void begin_to_forget(Least* s) noexcept nogil:
    if s.lately > 0:
        s.before, s.lately = s.lately, 0


cdef struct Ways:
    Least[2] times                         # of an image, with one thread and with several
    unsigned int calls                     # since both have been timed


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
    return w.times[0].looks == SHARED_LOOKS and w.times[1].looks == SHARED_LOOKS


cdef bint _pays(const Ways* w) noexcept nogil:
    return least_of(&w.times[1]) < WORTH_SHARING * least_of(&w.times[0])


cdef int threads_to_time(Sharing* s, int most) noexcept nogil:
    # how many share an image in this call, whose time will be noted
    cdef Ways* w = &s.ways[most]
    if not _knows(w):
        return 1 if w.times[1].looks == SHARED_LOOKS else most
    w.calls += 1
    if w.calls % LOOK_AGAIN == 0:
        begin_to_forget(&w.times[0])
        begin_to_forget(&w.times[1])
    return most if _pays(w) != (w.calls >= LOOK_AGAIN and w.calls % LOOK_AGAIN < SOME) else 1


cdef void note_sharing(Sharing* s, int most, int shares, double seconds) noexcept nogil:
    note_least(&s.ways[most].times[1 if shares > 1 else 0], seconds)


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
