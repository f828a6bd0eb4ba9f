"""A plan of the small configuration, and wildcards of its jobs."""

from configs import at, table, whole

from talking_models.config import load
from talking_models.config.merge import merge
from talking_models.plan import Plan

ROWS = {"rows": {"Scratch": "scratch", "Teacher": "teacher", "Talk": "talk"}, "against": "talk"}
SEEN = {"title": "S", "data": ["digits"], "rows": {"See": "see"}, "against": "see"}


def plan(*layers, tuning="none"):
    over = merge(table(**ROWS), {"tuning": tuning, "seeds": 2})
    for layer in layers:
        over = merge(over, layer)
    return Plan(load(whole(over)), over)


def of(experiment="talk", **place):
    base = {"data": "ml", "split": "latest", "task": "war", "experiment": experiment}
    return Wildcards(base | place)


class Wildcards(dict):
    """As Snakemake's: a mapping with attributes."""

    def __getattr__(self, name):
        if name not in self:
            raise AttributeError(name)
        return self[name]


FIRST = at("teacher_seed", "first")
IMAGES = {"data": "digits", "split": "given", "task": "all"}
