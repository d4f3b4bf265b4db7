# How many threads share the work for one image. Between cores that are far apart, what they tell each other may take
# longer than what they compute, so a thread alone and several are both timed: the faster way stays.

cdef enum:
    SHARED_WORK = 400_000                  # about a tenth of a millisecond for each thread
    MAX_SHARES = 8
    SHARED_LOOKS = 8                       # calls of each way that are timed, in turn, before one is chosen
    LOOK_AGAIN = 500                       # calls until one goes the other way: all before may have been disturbed

cdef double WORTH_SHARING = 0.95           # several threads must take at most this part of the time of one


cdef struct Sharing:
    double work                            # of an image alone, in multiply-adds of vectors
    int shares                             # the number of threads that has been timed
    double[2] seconds                      # the least that an image has taken, with one thread and with shares
    int[2] looks
    unsigned int calls


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
    return 1 if most == s.shares and _knows(s) and not _pays(s) else most


cdef bint _knows(const Sharing* s) noexcept nogil:
    return s.looks[0] >= SHARED_LOOKS and s.looks[1] >= SHARED_LOOKS


cdef bint _pays(const Sharing* s) noexcept nogil:
    return s.seconds[1] < WORTH_SHARING * s.seconds[0]


cdef int threads_to_time(Sharing* s, int most) noexcept nogil:
    # how many share an image in this call, whose time will be noted
    cdef bint together
    if most != s.shares:
        s.shares, s.looks[0], s.looks[1] = most, 0, 0
    s.calls += 1
    if _knows(s):
        together = _pays(s) != (s.calls % LOOK_AGAIN == 0)
    else:
        together = s.looks[1] <= s.looks[0]
    return most if together else 1


cdef void note_sharing(Sharing* s, int shares, double seconds) noexcept nogil:
    # the least of all calls: any of them may have been disturbed
    cdef int way = 1 if shares > 1 else 0
    if s.looks[way] == 0 or seconds < s.seconds[way]:
        s.seconds[way] = seconds
    s.looks[way] = min(s.looks[way] + 1, <int>SHARED_LOOKS)


def share_images(Py_ssize_t calls, int threads, double work, duration):
    """Return how many threads share the image of each call, which takes ``duration(call, threads)`` seconds."""
    cdef Sharing sharing
    cdef int shares
    memset(&sharing, 0, sizeof(sharing))
    sharing.work = work
    found = []
    for call in range(calls):
        shares = threads_to_time(&sharing, most_threads_of_an_image(work, 1, threads))
        note_sharing(&sharing, shares, duration(call, shares))
        found.append(shares)
    return found
