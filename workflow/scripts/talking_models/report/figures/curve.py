"""Figure: a metric along the values of a setting, such as TD's by the number of rounds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from talking_models.report.figures.base import Figure, Need

PER_ROW = 4
ROW_HEIGHT = 1.7  # inches


class CurveFigure(Figure):
    """One panel for each task, all with the same span, so that slopes compare."""

    title = "A curve"
    caption = """\
The metric along the values of a setting, task by task; nothing else differs between the points.
Bars are standard errors over seeds, which know nothing of how the users were drawn; all panels
span the same range. The dashed line is what the curve is compared with."""

    @classmethod
    def needs(cls, plan, id):
        """See `Figure.needs`."""
        curve = plan.config.curves.get(id)
        if curve is None:
            return None
        params = {
            "points": curve.points,
            "against": curve.against,
            "metric": plan.config.metric_of(curve),
            "label": curve.title,
        }
        return Need({"metrics": plan.evidence("metrics.csv", plan.jobs(curve))}, params)

    @classmethod
    def run(
        cls,
        *,
        metrics: Sequence[str],
        points: Mapping[str, str],
        against: str | None,
        metric: str,
        label: str,
        png: str,
        svg: str,
    ) -> None:
        """See `Figure.run`."""
        import pandas as pd

        from talking_models.metrics import METRICS
        from talking_models.report.figures import style

        scores = pd.concat([pd.read_csv(path) for path in metrics], ignore_index=True)
        scores = scores[scores["metric"] == metric]
        panels = scores["task"].nunique()
        rows = -(-panels // PER_ROW)
        with style.figure(png, svg, style.PAGE, 0.7 + ROW_HEIGHT * rows) as drawn:
            draw(drawn, scores, points, against, METRICS.get(metric).title, label)


def draw(drawn, scores, points: Mapping[str, str], against: str | None, title: str, label: str):
    """Draw into an empty figure.

    Args:
        drawn: the figure.
        scores: columns experiment, task, seed, value.
        points: experiment ids by what is printed for each.
        against: the experiment that is a line.
        title: of the metric.
        label: of the curve.
    """
    from talking_models.report.figures import style

    cells = scores.groupby(["experiment", "task"])["value"].agg(["mean", "sem"]).fillna(0.0)
    shown = [*points.values(), *([against] if against else [])]
    tasks, look, spans = list(dict.fromkeys(scores["task"])), style.LOOKS[0], {}
    for task in tasks:
        own = cells.xs(task, level="task").loc[shown]
        spans[task] = (own["mean"] - own["sem"]).min(), (own["mean"] + own["sem"]).max()
    half = 0.55 * max(high - low for low, high in spans.values()) or 1e-3
    panels = style.grid(drawn, len(tasks), PER_ROW, sharex=True)
    for task, axes in zip(tasks, panels, strict=True):
        own = cells.xs(task, level="task")
        if against:
            line = own["mean"][against]
            axes.axhline(line, color=style.GREY, linestyle="--", label=against)
        values = own.loc[list(points.values())]
        axes.errorbar(
            range(len(points)),
            values["mean"],
            values["sem"],
            color=look.color,
            marker=look.marker,
            capsize=2,
            label="with standard error over seeds",
        )
        middle = sum(spans[task]) / 2
        axes.set_ylim(middle - half, middle + half)
        axes.set_xlim(-0.4, len(points) - 0.6)
        axes.set_xticks(range(len(points)), list(points))
        axes.set_title(task)
    drawn.supxlabel(label, fontsize=8)
    drawn.supylabel(title, fontsize=8)
    handles, labels = panels[0].get_legend_handles_labels()
    drawn.legend(handles, labels, loc="outside upper center", ncols=2)
