"""Figure: a metric along the values of a setting, such as TD's by the number of rounds."""

from talking_models.report.figures.base import Figure, Need


class CurveFigure(Figure):
    """One panel for each task, all with the same span, so that slopes compare."""

    title = "A curve"
    caption = """\
The metric along the values of a setting, task by task; each point trains for as many steps as are
best for it, and has what else a search chose for it.
Bars are standard errors over seeds, which know nothing of how the users were drawn; all panels
span the same range. The dashed line is what the curve is compared with."""

    @classmethod
    def needs(cls, plan, id):
        curve = plan.config.curves.get(id)
        if curve is None or curve.splits:
            return None
        rows = [row for table in plan.config.tables.values() for row in table.rows.items()]
        names = {each: row for row, each in reversed(rows)}  # the first table's are meant
        against = curve.against and (names.get(curve.against, curve.against), curve.against)
        params = {
            "points": curve.points,
            "against": against,
            "metric": plan.config.metric_of(curve),
            "setting": next(iter(curve.over), id).replace("_", " "),
        }
        return Need({"metrics": plan.evidence("metrics.csv", curve)}, params, curve.in_all)

    @classmethod
    def draw(cls, metrics, points, against, metric, setting):
        """See `Figure.draw`; `against` is the name of the line and its experiment."""
        from talking_models.metrics import METRICS
        from talking_models.report.figures import style

        found = style.read(metrics)
        groups = found[found["metric"] == metric].groupby(["task", "experiment"], sort=False)
        cells = groups["value"].agg(["mean", "sem"]).fillna(0.0)
        tasks, places = list(dict.fromkeys(found["task"])), range(len(points))
        drawn, panels = style.panels(len(tasks), 4, 1.7, 0.7, sharex=True)
        for task, panel in zip(tasks, panels, strict=True):
            if against:
                level = cells["mean"][task, against[1]]
                panel.axhline(level, color=style.GREY, linestyle="--", label=against[0])
            own = cells.loc[task].loc[list(points.values())]
            bars = style.LOOKS[0] | {"capsize": 2, "label": "with standard error over seeds"}
            panel.errorbar(places, own["mean"], own["sem"], **bars)
            panel.set(title=task, xlim=(-0.4, len(points) - 0.6))
            panel.set_xticks(places, list(points))
        spans = [panel.get_ylim() for panel in panels]
        half = max(high - low for low, high in spans) / 2
        for panel, (low, high) in zip(panels, spans, strict=True):
            panel.set_ylim((low + high) / 2 - half, (low + high) / 2 + half)
        drawn.supxlabel(setting)
        drawn.supylabel(METRICS.get(metric).title)
        style.legend(panels[0], 2)
        return drawn
