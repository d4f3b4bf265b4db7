"""One network, many callers.

`Batcher` computes in batches what many tasks of asyncio ask for; it needs no other package.

=============  =====================================================================
`work`         what a caller waits for, and how a batch of it is computed
`batcher`      the queue between callers and the thread that computes
=============  =====================================================================
"""

from __future__ import annotations

from cnnfast.serve.batcher import Batcher
from cnnfast.serve.work import BatchReport

__all__ = ["BatchReport", "Batcher"]
