"""Work in the background, at the end of a process."""

import subprocess
import sys

AT_THE_END = """
import atexit
import threading
import time
from prefect_ledger.tracking.errands import Errand

def work():
    while not threading._SHUTTING_DOWN:
        time.sleep(0.01)
    from concurrent.futures import ThreadPoolExecutor
    with ThreadPoolExecutor() as pool:
        print(pool.submit(len, "abc").result(), flush=True)
    atexit.register(print, "ended", flush=True)

Errand("example", work).soon()
"""


def test_work_at_the_end_of_a_process_may_use_pools_and_end_what_it_began() -> None:
    """What is done while the process waits at its end can have pools of threads and exit handlers of its own, as Prefect's client has."""
    done = subprocess.run([sys.executable, "-c", AT_THE_END], check=False, capture_output=True, text=True, timeout=60)
    assert (done.stdout, done.stderr, done.returncode) == ("3\nended\n", "", 0)
