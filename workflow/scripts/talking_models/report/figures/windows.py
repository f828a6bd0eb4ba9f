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
                files = plan.evidence("predictions.parquet", plan.jobs(table))
                return Need({"predictions": files}, params | {"splits": splits})
        return None

    @classmethod
    def draw(cls, predictions, rows, scratch, metric, splits):
        from matplotlib.ticker import MaxNLocator

        from talking_models.evidence.intervals import collect, difference
        from talking_models.report.figures import style

        groups = {f"window {number}": f"/{split}/" for number, split in enumerate(splits, 1)}
        groups["all windows"] = "/"
        drawn, panels = style.panels(
            len(groups), 3, 0.45 + 0.17 * len(rows), 0.5, sharex=True, sharey=True
        )
        looks = style.looks(reversed(rows))
        for panel, (title, place) in zip(panels, groups.items(), strict=True):
            evidence = collect([path for path in predictions if place in str(path)], metric)
            panel.axvline(0, color="black", linewidth=0.8)
            panel.set_title(title, fontweight="bold" if place == "/" else "normal")
            for line, (row, experiment) in enumerate(rows.items()):
                change, look = difference(evidence, experiment, scratch), looks[row]
                low, high = (end[-1] for end in change.interval())
                value = change.estimate[-1]
                fill = look["color"] if low > 0 or high < 0 else "white"
                bar = {"xerr": [[value - low], [high - value]], "capsize": 2}
                panel.errorbar(value, line, **bar, **look, markerfacecolor=fill)
            panel.set_yticks(range(len(rows)), list(rows))
            panel.grid(False, axis="y")
        panels[0].set_ylim(len(rows) - 0.4, -0.6)
        panels[0].xaxis.set_major_locator(MaxNLocator(4, steps=[1, 2, 5, 10]))
        metric = evidence.metric
        side = "right" if metric.maximize else "left"
        drawn.supxlabel(
            f"{metric.title} minus that of the student from scratch: {side} of the line is better"
        )
        return drawn
