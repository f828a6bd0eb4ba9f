"""Figure: what methods gain over another against what their training takes."""

import math

from talking_models.report.figures.base import Figure, Need


class Cost(Figure):
    """A panel for each data set and split; numbers are lines, dark where they are told apart."""

    title = "Quality against the cost of training"
    caption = """\
The metric minus that of the experiment at 0, as a mean over tasks with its 95% interval over users
and seeds, against the operations in the products of a student's training, in units of that
experiment's; without its teachers' training. Blue: better, and the interval leaves 0 out; orange:
worse, likewise; grey: neither. Of two lines of the same gain the left one is cheaper; those of the
same cost stand side by side, up to a fifth away from their place."""

    @classmethod
    def needs(cls, plan, id):
        curves = plan.config.curves
        shown = [each for each, curve in curves.items() if curve.costs]
        shown.sort(key=lambda each: not curves[each].in_all)
        return Need.of_gains(plan, shown[0]) if shown else None

    @classmethod
    def draw(cls, gains, lines, against, metric, names):
        from talking_models.metrics import METRICS
        from talking_models.report.figures import style

        found, metric = style.read(gains), METRICS.get(metric)
        groups = dict(list(found.groupby(["data", "split"], sort=False)))
        drawn, panels = style.panels(len(groups), 2, 3.2, 0.35 + 0.12 * len(lines) / 3)
        for ((data, split), cells), panel in zip(groups.items(), panels, strict=True):
            panel.axhline(0, color="black", linewidth=0.6)
            cells = cells.set_index("line")
            times = beside(cells["flops"] / cells["flops"][against], cells["gain"])
            for number, row in enumerate(lines, 1):
                own = cells.loc[row]
                low, high = own["low"], own["high"]
                good, bad = (high < 0, low > 0) if not metric.maximize else (low > 0, high < 0)
                color = style.COLORS[1] if good else style.COLORS[0] if bad else style.GREY
                panel.vlines(times[row], low, high, color=color, linewidth=0.6, alpha=0.6)
                look = {"marker": f"${number}$", "markersize": 6, "color": color}
                look["markeredgewidth"] = 0.2
                panel.plot(times[row], own["gain"], **look | style.NO_LINE)
                look["color"] = "black"
                panel.plot([], [], **look | style.NO_LINE, label=row)
            panel.set_xscale("log")
            panel.xaxis.set_major_formatter("{x:g}×")
            panel.set_title(f"{names[data]}, {split}" if len(names) > 1 else split)
        drawn.supxlabel(f"operations in training, those of {against} as 1")
        drawn.supylabel(f"{metric.title} minus that of {against}")
        style.legend(panels[0], 3)
        return drawn


def beside(times, gains):
    """Costs that are nearly the same, a little apart, so that no mark covers another."""
    found = times.copy()
    for _, same in times.groupby((times.map(math.log10) * 20).round()):
        for place, line in enumerate(gains[same.index].sort_values().index):
            found[line] = times[line] * 1.09 ** (place % 5 - 2) if len(same) > 1 else times[line]
    return found
