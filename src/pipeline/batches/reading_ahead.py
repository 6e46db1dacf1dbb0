"""Batches read by threads before they are needed."""

from collections import deque
from collections.abc import Generator, Iterable
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait

from pipeline.batches.assembly import Assembly
from pipeline.batches.batch import ImageBatch

_BATCHES_AHEAD = 2  # hides the reading behind the step that is being computed
_IMAGES_AT_ONCE = 16  # handing a task to a thread costs up to 20 us, a tenth of decoding one small image


def read_ahead(assemblies: Iterable[Assembly], threads: int) -> Generator[ImageBatch, None, None]:
    """Yield finished batches in order, each finished when it is asked for, while `threads` threads read on.

    At most four batches are held at a time, that of the caller among them. When the caller stops, or a
    sample raises, what waits is cancelled, and no thread is left. Without threads each batch is read by the
    caller's own when it is asked for.
    """
    if threads:
        yield from _read_by_threads(assemblies, threads)
    else:
        yield from map(_read_whole, assemblies)


def _read_whole(assembly: Assembly) -> ImageBatch:
    assembly.fill(range(len(assembly)))
    return assembly.finish()


def _read_by_threads(assemblies: Iterable[Assembly], threads: int) -> Generator[ImageBatch, None, None]:
    pool = ThreadPoolExecutor(threads, thread_name_prefix="reader")
    waiting: deque[tuple[Assembly, list[Future[None]]]] = deque()
    try:
        for assembly in assemblies:
            waiting.append((assembly, _submit(pool, assembly, threads)))
            if len(waiting) > _BATCHES_AHEAD:
                yield _collect(*waiting.popleft())
        while waiting:
            yield _collect(*waiting.popleft())
    finally:
        pool.shutdown(cancel_futures=True)


def _submit(pool: ThreadPoolExecutor, assembly: Assembly, threads: int) -> list[Future[None]]:
    count = len(assembly)
    length = min(_IMAGES_AT_ONCE, -(-count // threads))
    return [pool.submit(assembly.fill, range(start, min(start + length, count))) for start in range(0, count, length)]


def _collect(assembly: Assembly, parts: list[Future[None]]) -> ImageBatch:
    # Waiting for one part after the other would wake this thread for each, and take the interpreter from the readers.
    wait(parts, return_when=FIRST_EXCEPTION)
    for part in parts:
        part.result()
    return assembly.finish()
