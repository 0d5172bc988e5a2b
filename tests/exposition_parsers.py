# Parses expositions with client_python's parsers: a JSON list of [format, text] comes in, a list of
# {error} or {families: [[name, type, unit, help, [[sample, labels, value, time, exemplar]]]]} goes out.

import json
import sys

from prometheus_client.openmetrics.parser import (
    text_string_to_metric_families as open_metrics,
)
from prometheus_client.parser import text_string_to_metric_families as text


def number(value):
    return None if value is None else repr(float(value))


def exemplar(found):
    if found is None:
        return None
    return [found.labels, number(found.value), number(found.timestamp)]


def sample(s):
    return [s.name, s.labels, number(s.value), number(s.timestamp), exemplar(s.exemplar)]


def parse(kind, exposition):
    try:
        families = list((open_metrics if kind == "openmetrics" else text)(exposition))
    except Exception as error:
        return {"error": f"{type(error).__name__}: {error}"}
    return {
        "families": [
            [f.name, f.type, f.unit, f.documentation, [sample(s) for s in f.samples]]
            for f in families
        ]
    }


json.dump([parse(*each) for each in json.load(sys.stdin)], sys.stdout)
