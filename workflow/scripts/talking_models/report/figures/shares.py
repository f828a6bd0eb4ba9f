"""Figure: what methods gain over another along splits, such as shares of the training rows."""

from talking_models.report.figures.base import Figure, Need

APART = 0.07  # lines beside each other, so that their intervals can be seen
MOST = 8  # lines that can be told apart; more are a table, and the figure `cost`


class Shares(Figure):
    """One panel for each data set: a line for each experiment, with intervals."""

    title = "Gain along splits"
    caption = """\
The metric minus that of the experiment at 0, as a mean over tasks, along shares of a task's
training examples. Teachers have all of them. The page of the same name says where settings were
searched: those of all examples are not those of a share. Bars are 95% intervals over users (or
images) and seeds. A method pays where its bar lies on the better side of 0."""

    @classmethod
    def needs(cls, plan, id):
        curve = plan.config.curves.get(id)
        if curve is None or not curve.splits or len(curve.lines) > MOST:
            return None
        return Need.of_gains(plan, id)

    @classmethod
    def draw(cls, gains, lines, against, metric, names):
        from talking_models.metrics import METRICS
        from talking_models.report.figures import style

        found = style.read(gains)
        values = list(dict.fromkeys(found["split"]))
        drawn, panels = style.panels(len(names), 3, 2.4, 0.6)
        looks = style.looks(lines)
        for data, panel in zip(names, panels, strict=True):
            panel.axhline(0, color=style.GREY, linewidth=0.8)
            for n, row in enumerate(lines):
                own = found[(found["data"] == data) & (found["line"] == row)]
                own = own.set_index("split").reindex(values)
                places = [x + APART * (n - (len(lines) - 1) / 2) for x in range(len(values))]
                panel.plot(places, own["gain"], label=row, **looks[row])
                panel.vlines(places, own["low"], own["high"], looks[row]["color"], linewidth=1)
            panel.set(title=names[data])
            panel.set_xticks(range(len(values)), values)
        drawn.supxlabel("share of the task's training examples")
        drawn.supylabel(f"{METRICS.get(metric).title} minus that of {against}")
        style.legend(panels[0], 4)
        return drawn
