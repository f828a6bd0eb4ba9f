"""Figure: what methods gain over another along splits, such as shares of the training rows."""

from talking_models.report.figures.base import Figure, Need


class Shares(Figure):
    """One panel for each data set: a line for each experiment, with a band."""

    title = "Gain along splits"
    caption = """\
The metric minus that of the experiment at 0, as a mean over tasks, along shares of a task's
training rows; everything else is the same, also the teacher, which has all rows. Bands are 95%
intervals over users and seeds, each point's own. A line on the better side of 0 pays, as far as
its band leaves 0 out."""

    @classmethod
    def needs(cls, plan, id):
        curve = plan.config.curves.get(id)
        if curve is None or not curve.splits:
            return None
        splits = [(value, plan.config.parts(split)) for value, split in curve.splits.items()]
        params = {
            "lines": curve.lines,
            "against": curve.against,
            "metric": plan.config.metric_of(curve),
            "splits": {part: value for value, parts in splits for part in parts},
            "names": {data: plan.config.data[data].name or data for data in curve.data},
        }
        predictions = plan.evidence("predictions.parquet", plan.jobs(curve))
        return Need({"predictions": predictions}, params)

    @classmethod
    def draw(cls, predictions, lines, against, metric, splits, names):
        from talking_models.metrics import METRICS
        from talking_models.report.figures import style

        found = gains(predictions, lines, against, metric, splits)
        values = list(dict.fromkeys(splits.values()))
        drawn, panels = style.panels(len(names), 3, 2.4, 0.6)
        looks = style.looks(lines)
        for data, panel in zip(names, panels, strict=True):
            panel.axhline(0, color=style.GREY, linewidth=0.8)
            for row in lines:
                own = found[(found["data"] == data) & (found["line"] == row)]
                own = own.set_index("split").reindex(values)
                panel.plot(range(len(values)), own["gain"], label=row, **looks[row])
                band = {"color": looks[row]["color"], "alpha": 0.15, "linewidth": 0}
                panel.fill_between(range(len(values)), own["low"], own["high"], **band)
            panel.set(title=names[data])
            panel.set_xticks(range(len(values)), values)
        drawn.supxlabel("share of the task's training rows")
        drawn.supylabel(f"{METRICS.get(metric).title} minus that of {against}")
        style.legend(panels[0], 4)
        return drawn


def gains(predictions, lines, against, metric, splits):
    """One row per data set, value of the splits and line: `gain`, `low` and `high`, means over
    tasks, from prediction files; `splits` are ids in paths with their values.
    """
    import pandas as pd

    from talking_models.evidence.intervals import collect, difference

    groups = {}
    for path in predictions:
        data, split = str(path).split("/")[-5 if "/seed" not in str(path) else -6 :][:2]
        groups.setdefault((data, splits[split]), []).append(path)
    rows = []
    for (data, value), files in groups.items():
        evidence = collect(files, metric)
        for row, id in lines.items():
            change = difference(evidence, id, against)
            low, high = (end[-1] for end in change.interval())
            rows.append((data, value, row, change.estimate[-1], low, high))
    return pd.DataFrame(rows, columns=["data", "split", "line", "gain", "low", "high"])
