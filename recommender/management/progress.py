"""Progress bars for commands whose stories say how far they are."""

from types import TracebackType

from tqdm import tqdm


class Bars:
    """Called with a step, how much is done and of how much; shows a bar for each step."""

    def __init__(self) -> None:
        self._bar: tqdm | None = None

    def __enter__(self) -> "Bars":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._bar is not None:
            self._bar.close()

    def __call__(self, step: str, done: int, of: int) -> None:
        if self._bar is None or self._bar.desc != f"{step}: ":
            if self._bar is not None:
                self._bar.close()
            self._bar = tqdm(total=of, desc=step, mininterval=1)
        self._bar.update(done - self._bar.n)
