"""Figure: how each method differs from training from scratch, window by window."""

from talking_models.report.figures.base import Figure, Need


class Windows(Figure):
    """A panel for each window, means over tasks, and one for all of them together."""

    title = "Differences from training from scratch, window by window"
    caption = """\
How each method changes the metric of the student trained from scratch, as a mean over tasks, on
each window of the data and on all of them pooled. Bars are 95% intervals over users and seeds; a
mark is filled where its interval leaves out zero. A gain should not hang on the window."""

    @classmethod
    def needs(cls, plan, id):
        config, tables = plan.config, plan.config.tables
        # the main table's own windows before others
        ids = sorted(plan.tables_of_all, key=lambda id: tables[id].claims_of != plan.main_id)
        for table in (tables[id] for id in ids):
            splits = list(dict.fromkeys(split for _, split, _ in config.columns(table)))
            scratch = next((each for each in table.rows.values() if each == plan.scratch_row), None)
            if scratch and len(splits) > 1 and "window" in config.protocols[splits[0]]:
                rows = {row: each for row, each in table.rows.items() if each != scratch}
                params = {"rows": rows, "scratch": scratch, "metric": config.metric_of(table)}
                files = plan.evidence("predictions.parquet", table)
                return Need({"predictions": files}, params | {"splits": splits})
        return None

    @classmethod
    def draw(cls, predictions, rows, scratch, metric, splits):
        from talking_models.evidence.intervals import collect, difference
        from talking_models.metrics import METRICS
        from talking_models.report.figures import style

        groups = {f"window {number}": f"/{split}/" for number, split in enumerate(splits, 1)}
        groups["all windows"] = "/"
        drawn, panels = style.differences([*groups], rows, METRICS.get(metric), ticks=4)
        looks = style.looks(reversed(rows))
        for panel, place in zip(panels, groups.values(), strict=True):
            evidence = collect([path for path in predictions if place in str(path)], metric)
            panel.axvline(0, color="black", linewidth=0.8)
            for line, (row, experiment) in enumerate(rows.items()):
                change = difference(evidence, experiment, scratch)
                low, high = (end[-1] for end in change.interval())
                style.bar(panel, line, change.estimate[-1], low, high, looks[row])
        return drawn
