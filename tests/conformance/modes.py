"""client_python in its multiprocess mode, told by lines of JSON: python3 modes.py FOLDER

{"start": lane}, {"step": {...}, "lane": lane}, {"kill": lane} are answered by "done",
{"show": true} by the samples.
"""
import json
import os
import signal
import sys

os.environ["PROMETHEUS_MULTIPROC_DIR"] = sys.argv[1]

from prometheus_client import CollectorRegistry, Gauge, multiprocess  # noqa: E402


def work(lines, answers):
    gauges = {}
    for line in lines:
        step = json.loads(line)
        name, mode, labels = step["name"], step["mode"], step.get("labels", {})
        if name not in gauges:
            gauges[name] = Gauge(name, "help", sorted(labels), multiprocess_mode=mode)
        child = gauges[name].labels(**labels) if labels else gauges[name]
        if "set" in step:
            child.set(step["set"])
        if "inc" in step:
            child.inc(step["inc"])
        answers.write("done\n")
        answers.flush()


def start():
    lines_in, lines_out = os.pipe()
    answers_in, answers_out = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(lines_out)
        os.close(answers_in)
        work(os.fdopen(lines_in), os.fdopen(answers_out, "w"))
        os._exit(0)
    os.close(lines_in)
    os.close(answers_out)
    return pid, os.fdopen(lines_out, "w"), os.fdopen(answers_in)


def show():
    registry = CollectorRegistry()
    multiprocess.MultiProcessCollector(registry)
    return [
        [sample.name, sample.labels, sample.value]
        for family in registry.collect()
        for sample in family.samples
    ]


workers = {}
for line in sys.stdin:
    order = json.loads(line)
    if "start" in order:
        workers[order["start"]] = start()
    elif "step" in order:
        _, lines, answers = workers[order["lane"]]
        lines.write(json.dumps(order["step"]) + "\n")
        lines.flush()
        answers.readline()
    elif "kill" in order:
        pid, lines, answers = workers.pop(order["kill"])
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        multiprocess.mark_process_dead(pid)
        lines.close()
        answers.close()
    print(json.dumps(show()) if "show" in order else "done", flush=True)

for pid, _, _ in workers.values():
    os.kill(pid, signal.SIGKILL)
