"""Let threads work through a list together, and stop together."""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from queue import Empty, SimpleQueue
from threading import Event
from typing import TypeVar

Item = TypeVar("Item")


def work_through(
    items: Iterable[Item],
    work: Callable[[Iterator[Item]], None],
    threads: int,
    stop: Event,
    interrupt: Callable[[], None],
) -> None:
    """Call `work` in each thread with an iterator that takes the next item nobody else has taken.

    The first failure, or an interruption by the user, sets `stop`, calls `interrupt` to end what threads
    wait for, and is raised once all threads have ended.
    """
    queue: SimpleQueue[Item] = SimpleQueue()
    for item in items:
        queue.put(item)
    with ThreadPoolExecutor(threads) as pool:
        try:
            futures = [pool.submit(work, _taken(queue, stop)) for _ in range(threads)]
            finished = wait(futures, return_when=FIRST_EXCEPTION).done
            for future in finished:
                future.result()
        except BaseException:
            stop.set()
            interrupt()
            raise


def _taken(queue: SimpleQueue[Item], stop: Event) -> Iterator[Item]:
    while not stop.is_set():
        try:
            yield queue.get_nowait()
        except Empty:
            return
