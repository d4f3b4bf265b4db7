# How a batch is divided: whole groups, and images that run alone through the small-batch program. The results are
# bit-identical, so the way that ends first on all threads is taken. What an image alone costs is estimated when its
# program is planned, and measured while calls run; weights are packed a second time only once that would have paid.

from libc.math cimport floor

cdef enum:
    GROUPS = 1
    ALONE = 2
    LOOKS = 4                              # calls of each kind that are timed at least; the fastest counts

cdef double BEST_CASE = 0.6                # an image alone may cost this part of the estimate …
cdef double WORST_CASE = 2.0               # … or this many times as much
cdef double UNKNOWN = 1.2                  # of an equal part of a group: before that program is planned
cdef double SHARED = 1.25                  # threads that share an image take this many times their equal parts


cdef struct Partition:
    Py_ssize_t head                        # the images that this is about; those behind them come after it
    Py_ssize_t groups
    Py_ssize_t alone
    bint timed                             # only groups, or only images alone, whose time is to be noted


cdef struct Partitioner:
    Py_ssize_t group                       # images in a group
    const Sharing* sharing                 # of images alone, once their program is there
    double estimate                        # what an image alone costs, in groups
    double[2] seconds                      # the least that a group, and an image alone, has taken on a thread
    int[2] looks
    double lost                            # seconds that the other program might have saved until now
    double packing                         # seconds that packing the weights of one program has taken
    unsigned int calls                     # since both times are known


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


cdef Partition choose_partition(Partitioner* s, Py_ssize_t N, int threads, int ready, bint alike) noexcept nogil:
    # ``ready`` says which programs have packed their weights; if all calls will be ``alike``, packing pays at once
    cdef Partition chosen = _choose(s, N, threads, ready, alike)
    if not ready & (GROUPS if chosen.groups else ALONE):
        chosen.timed = False               # it packs weights first
    return chosen


cdef Partition _choose(Partitioner* s, Py_ssize_t N, int threads, int ready, bint alike) noexcept nogil:
    cdef bint measured = s.looks[0] >= LOOKS and s.looks[1] >= LOOKS
    cdef double cost = s.seconds[1] / s.seconds[0] if measured else s.estimate
    cdef Partition best = best_partition(s, N, threads, cost)
    if ready == GROUPS | ALONE:
        return _look(s, best, threads)
    if alike:
        return best
    if ready == 0:
        return partition_of(s, N, 0 if best.groups == 0 else blocks_of(N, s.group))
    return _with_one_program(s, N, threads, ready)


cdef Partition _with_one_program(Partitioner* s, Py_ssize_t N, int threads, int ready) noexcept nogil:
    # The partition for the program whose weights are packed, until calls have lost as much time without the other, if
    # the estimate is that wrong, as packing would take: then the one that needs it.
    cdef double cost = s.estimate * (BEST_CASE if ready == GROUPS else WORST_CASE), lost
    cdef Partition only = partition_of(s, N, blocks_of(N, s.group) if ready == GROUPS else 0)
    cdef Partition other = best_partition(s, N, threads, cost)
    if s.looks[0 if ready == GROUPS else 1] == 0:
        return only
    lost = time_of(s, only.groups, only.alone, threads, cost) - time_of(s, other.groups, other.alone, threads, cost)
    s.lost += lost * (s.seconds[0] if ready == GROUPS else s.seconds[1] / cost)
    return other if s.lost > s.packing else only


cdef Py_ssize_t _groups_at(const Partitioner* s, Py_ssize_t N, int threads, double factor) noexcept nogil:
    return best_partition(s, N, threads, s.estimate * factor).groups


cdef Partition _look(Partitioner* s, Partition best, int threads) noexcept nogil:
    # Where a time is still unknown and would matter, the first images run that way: not where threads would share one.
    # What is known is looked at again now and then: all calls before may have been disturbed.
    cdef int kind = 0 if s.looks[0] < s.looks[1] else 1
    cdef bint known = s.looks[kind] >= LOOKS
    cdef Py_ssize_t N = best.head, head = min(N, s.group * threads), least, most
    if head > threads:
        head -= head % threads
    s.calls += known
    if known and s.calls % LOOK_AGAIN or _shared_last(s, head, threads):
        return best
    least, most = _groups_at(s, N, threads, BEST_CASE), _groups_at(s, N, threads, WORST_CASE)
    if least == most and not (known and best.groups != least):
        return best
    if known:
        kind = 1 if best.groups else 0
    return partition_of(s, head, blocks_of(head, s.group) if kind == 0 else 0)


cdef bint _shared_last(const Partitioner* s, Py_ssize_t alone, int threads) noexcept nogil:
    # whether several threads share each of the last images: they take less time than those before
    return threads_of_an_image(s.sharing, alone % threads, threads) > 1


cdef void note_time(Partitioner* s, Partition partition, int threads, double seconds) noexcept nogil:
    # The least of all calls: any of them may have been disturbed, and where threads had to be woken, a few were.
    cdef int kind = 0 if partition.groups else 1
    cdef double each = seconds / blocks_of(partition.groups if partition.groups else partition.alone, threads)
    if _shared_last(s, partition.alone, threads):
        return
    if s.looks[kind] == 0 or each < s.seconds[kind]:
        s.seconds[kind] = each
    s.looks[kind] = min(s.looks[kind] + 1, <int>LOOKS)


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
