"""Training by map and reduce: the chunks of each step are computed by workers, and their sums added here.

    job ──once──► every worker
    task, weights ──each step──► workers: partials of their chunks ──► combine, update

Weights are bit-identical to those of `cnnfast.train.fit` without workers, however many there are.

============  ======================================================================================
`job`         what a worker needs for a whole run, as one file that is mapped
`worker`      computes the chunks of a task
`executors`   where workers run: here, in processes, or in any pool of ``concurrent.futures``
============  ======================================================================================
"""

from cnnfast.train.parallel.executors import Executor, Futures, InProcess, Processes

__all__ = ["Executor", "Futures", "InProcess", "Processes"]
