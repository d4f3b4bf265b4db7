# How a batch is divided: whole groups, and images that run alone through the small-batch program. The results are
# bit-identical, so the way that ends first on all threads is taken. What an image alone costs is estimated when its
# program is planned, and measured while calls run; weights are packed a second time only once that would have paid.

from libc.math cimport floor

cdef enum:
    GROUPS = 1
    ALONE = 2
    LOOKS = 4                              # calls of each kind that are timed at least; the fastest counts
    COUNTS = 17                            # numbers of threads whose times are kept; that of the last may change

cdef double BEST_CASE = 0.6                # an image alone may cost this part of the estimate …
cdef double WORST_CASE = 2.0               # … or this many times as much
cdef double UNKNOWN = 1.2                  # of an equal part of a group: before that program is planned
cdef double SHARED = 1.25                  # threads that share an image take this many times their equal parts


cdef struct Partition:
    Py_ssize_t head                        # the images that this is about; those behind them come after it
    Py_ssize_t groups
    Py_ssize_t alone
    bint timed                             # only groups, or only images alone, whose time is to be noted


cdef struct Measured:
    int threads                            # that times are of
    Least[2] kinds                         # of a group, and of an image alone, on a thread
    unsigned int calls                     # since the other kind was looked at


cdef struct Partitioner:
    Py_ssize_t group                       # images in a group
    const Sharing* sharing                 # of images alone, once their program is there
    double estimate                        # what an image alone costs, in groups
    Measured[COUNTS] measured              # by the number of threads
    double lost                            # seconds that the other program might have saved until now
    double packing                         # seconds that packing the weights of one program has taken


cdef double time_of(const Partitioner* s, Py_ssize_t groups, Py_ssize_t alone, int threads, double cost) noexcept nogil:
    # of the thread that ends last, in groups: they come first, and who has none begins with images
    cdef Py_ssize_t full = groups // threads, busy = groups % threads, last
    cdef double time = full
    cdef int shares
    if busy:
        alone = max(0, alone - (threads - busy) * <Py_ssize_t>floor(1 / cost))
        time += 1
    last = 0 if groups else alone % threads
    time += blocks_of(alone - last, threads) * cost
    if last:
        shares = threads_of_an_image(s.sharing, last, threads)
        time += cost if shares == 1 else cost * SHARED / shares
    return time


cdef Partition partition_of(const Partitioner* s, Py_ssize_t N, Py_ssize_t groups) noexcept nogil:
    cdef Partition partition
    partition.head, partition.groups, partition.alone = N, groups, max(0, N - groups * s.group)
    partition.timed = partition.groups == 0 or partition.alone == 0
    return partition


cdef Partition best_partition(const Partitioner* s, Py_ssize_t N, int threads, double cost) noexcept nogil:
    # among all images in groups, all alone, and as many of the last groups taken apart as can matter
    cdef Py_ssize_t groups, best = blocks_of(N, s.group), least = max(0, N // s.group - 2 * threads)
    cdef double time, best_time = time_of(s, best, 0, threads, cost)
    for groups in range(N // s.group, least - 1, -1):
        time = time_of(s, groups, N - groups * s.group, threads, cost)
        if time < best_time:
            best, best_time = groups, time
    if time_of(s, 0, N, threads, cost) < best_time:
        best = 0
    return partition_of(s, N, best)


cdef Measured* measured_with(Partitioner* s, int threads) noexcept nogil:
    # cores share memory, so that times of one number of threads say little of another
    cdef Measured* m = &s.measured[min(threads, <int>COUNTS) - 1]
    if m.threads != threads:
        memset(m, 0, sizeof(m[0]))
        m.threads = threads
    return m


cdef Partition choose_partition(Partitioner* s, Py_ssize_t N, int threads, int ready, bint alike) noexcept nogil:
    # ``ready`` says which programs have packed their weights; if all calls will be ``alike``, packing pays at once
    cdef Partition chosen = _choose(s, N, threads, ready, alike)
    if not ready & (GROUPS if chosen.groups else ALONE):
        chosen.timed = False               # it packs weights first
    return chosen


cdef Partition _choose(Partitioner* s, Py_ssize_t N, int threads, int ready, bint alike) noexcept nogil:
    cdef const Measured* m = measured_with(s, threads)
    cdef bint known = m.kinds[0].looks >= LOOKS and m.kinds[1].looks >= LOOKS
    cdef double cost = least_of(&m.kinds[1]) / least_of(&m.kinds[0]) if known else s.estimate
    cdef Partition best = best_partition(s, N, threads, cost)
    if ready == GROUPS | ALONE:
        return _look(s, best, threads, known)
    if alike and ready | _needed(best) != ready:
        return best
    if ready == 0:
        return partition_of(s, N, 0 if best.groups == 0 else blocks_of(N, s.group))
    return _with_one_program(s, N, threads, ready)


cdef int _needed(Partition partition) noexcept nogil:
    return (GROUPS if partition.groups else 0) | (ALONE if partition.alone else 0)


cdef Partition _with_one_program(Partitioner* s, Py_ssize_t N, int threads, int ready) noexcept nogil:
    # The partition for the program whose weights are packed, until calls have lost as much time without the other, if
    # the estimate is that wrong, as packing would take: then the one that needs it.
    cdef int kind = 0 if ready == GROUPS else 1
    cdef double cost = s.estimate * (BEST_CASE if ready == GROUPS else WORST_CASE), lost
    cdef double seconds = least_of(&measured_with(s, threads).kinds[kind])
    cdef Partition only = partition_of(s, N, blocks_of(N, s.group) if ready == GROUPS else 0)
    cdef Partition other = best_partition(s, N, threads, cost)
    if seconds == 0:
        return _timed_part(s, only, threads)
    lost = time_of(s, only.groups, only.alone, threads, cost) - time_of(s, other.groups, other.alone, threads, cost)
    s.lost += lost * (seconds if ready == GROUPS else seconds / cost)
    return other if s.lost > s.packing else only


cdef Partition _timed_part(const Partitioner* s, Partition only, int threads) noexcept nogil:
    # without the last images, if threads would share them
    if only.groups == 0 and only.head > threads and _shared_last(s, only.head, threads):
        return partition_of(s, only.head - only.head % threads, 0)
    return only


cdef Py_ssize_t _groups_at(const Partitioner* s, Py_ssize_t N, int threads, double factor) noexcept nogil:
    return best_partition(s, N, threads, s.estimate * factor).groups


cdef Partition _look(Partitioner* s, Partition best, int threads, bint known) noexcept nogil:
    # Where a time is still unknown and would matter, the first images run that way: not where threads would share one.
    # What is known is looked at again now and then, as it may have changed.
    cdef Measured* m = measured_with(s, threads)
    cdef int kind = 1 if m.kinds[0].looks >= LOOKS else 0
    cdef Py_ssize_t N = best.head, head = min(N, s.group * threads), least, most
    m.calls += known
    if known and m.calls < LOOK_AGAIN:
        return best
    if head > threads:
        head -= head % threads
    if _shared_last(s, head, threads):
        return best
    least, most = _groups_at(s, N, threads, BEST_CASE), _groups_at(s, N, threads, WORST_CASE)
    if least == most and not (known and best.groups != least):
        return best
    if known:
        kind = 1 if best.groups else 0
        begin_to_forget(&m.kinds[0])
        begin_to_forget(&m.kinds[1])
        m.calls = 0
    return partition_of(s, head, blocks_of(head, s.group) if kind == 0 else 0)


cdef bint _shared_last(const Partitioner* s, Py_ssize_t alone, int threads) noexcept nogil:
    # whether several threads share each of the last images: they take less time than those before
    return threads_of_an_image(s.sharing, alone % threads, threads) > 1


cdef void note_time(Partitioner* s, Partition partition, int threads, double seconds) noexcept nogil:
    # where threads had to be woken, some calls took longer
    cdef double each = seconds / blocks_of(partition.groups if partition.groups else partition.alone, threads)
    if not _shared_last(s, partition.alone, threads):
        note_least(&measured_with(s, threads).kinds[0 if partition.groups else 1], each)


def partition_batch(Py_ssize_t images, Py_ssize_t group, int threads, double cost, double work=0):
    """Return how many groups and how many images alone make up a batch, where an image alone costs ``cost`` groups."""
    cdef Partitioner partitioner
    cdef Partition partition
    cdef Sharing sharing
    memset(&sharing, 0, sizeof(sharing))
    sharing.work = work
    partitioner.group, partitioner.sharing = group, &sharing
    partition = best_partition(&partitioner, images, threads, cost)
    return partition.groups, partition.alone


def partition_batches(batches, Py_ssize_t group, int threads, double cost, double work, duration):
    """Return how the last of some batches is divided, where groups and images alone take ``duration(…)`` seconds.

    ``cost`` is the estimate. Both programs have packed their weights.
    """
    cdef Partitioner partitioner
    cdef Partition partition
    cdef Sharing sharing
    cdef Py_ssize_t images
    memset(&partitioner, 0, sizeof(partitioner))
    memset(&sharing, 0, sizeof(sharing))
    sharing.work = work
    partitioner.group, partitioner.sharing, partitioner.estimate = group, &sharing, cost
    for images in batches:
        parts = []
        while images > 0:
            partition = choose_partition(&partitioner, images, threads, GROUPS | ALONE, False)
            parts.append((partition.groups, partition.alone))
            if partition.timed:
                note_time(&partitioner, partition, threads, duration(partition.groups, partition.alone))
            images -= partition.head
    return parts
