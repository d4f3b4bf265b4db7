"""The bar of a training run, on a terminal and in notebooks."""

from __future__ import annotations

from contextlib import AbstractContextManager

from cnnfast._bar import above, open_bar


class Bar:
    """A bar over all epochs with loss, accuracy, images/s and the time left.

    Parameters
    ----------
    images : int
        Of an epoch.
    epochs, done : int
        All of them, and those that an earlier run has finished.
    shown : bool, optional
        By default whether stderr is a terminal, or this is a notebook.

    Examples
    --------
    >>> bar = Bar(100, epochs=2, done=0, shown=False)
    >>> bar.step(50, loss=1.0, accuracy=0.5)
    >>> bar.close()
    """

    def __init__(self, images: int, epochs: int, done: int, shown: bool | None = None) -> None:
        self._bar = open_bar(images * epochs, images * done, " images", shown)
        self._epoch, self._epochs = done, epochs

    def step(self, images: int, loss: float, accuracy: float) -> None:
        """Count some images as done; loss and accuracy are those of the epoch so far."""
        if self._bar is not None:
            self._bar.set_description(f"epoch {self._epoch + 1}/{self._epochs}", refresh=False)
            self._bar.set_postfix_str(f"loss {loss:.4f}, accuracy {accuracy:.2%}", refresh=False)
            self._bar.update(images)

    def finish_epoch(self) -> None:
        """Count an epoch as done."""
        self._epoch += 1

    def aside(self) -> AbstractContextManager[None]:
        """Return a context in which lines may be printed above the bar."""
        return above(self._bar)

    def close(self) -> None:
        """End the bar."""
        if self._bar is not None:
            self._bar.close()
