"""client_python in its multiprocess mode: python3 multiprocess.py SERIES WORKERS FOLDER FRACTION

Every worker writes its files and ends; then each line from standard input is a scrape, answered
by its milliseconds.
"""
import os
import sys
import time

series, workers, folder, fraction = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3], sys.argv[4]
os.environ["PROMETHEUS_MULTIPROC_DIR"] = folder

from prometheus_client import CollectorRegistry, Counter, generate_latest, multiprocess  # noqa: E402


def fill():
    counter = Counter("http_requests", "Requests.", ["method", "path", "status"])
    for i in range(series):
        child = counter.labels("GET" if i % 2 else "POST", f"/users/{i // 4}", "200" if i % 4 < 2 else "404")
        child.inc(1 + i % 1000 + float(fraction))


for _ in range(workers):
    if os.fork() == 0:
        fill()
        os._exit(0)
    os.wait()
print("ready", flush=True)

for _ in sys.stdin:
    start = time.perf_counter()
    registry = CollectorRegistry()
    multiprocess.MultiProcessCollector(registry)
    generate_latest(registry)
    print((time.perf_counter() - start) * 1e3, flush=True)
