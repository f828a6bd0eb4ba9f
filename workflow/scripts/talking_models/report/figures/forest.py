"""Figure: how each row of the main table differs from training from scratch, with intervals."""

from talking_models.report.figures.base import Figure, Need


class Forest(Figure):
    """A panel for each task; a filled mark where the interval leaves out zero."""

    title = "Differences from training from scratch"
    caption = """\
How each method changes the metric of the student trained from scratch. Bars are 95% intervals
over users (or images) and seeds, as in the table "significance"; a mark is filled where its
interval leaves out zero. They are not corrected for their number: among 50 intervals, two or
three leave out zero by chance."""

    @classmethod
    def needs(cls, plan, id):
        main, scratch = plan.main, plan.scratch_row
        if main is None or scratch is None or len(main.rows) < 2:
            return None
        others = {row: each for row, each in main.rows.items() if each != scratch}
        params = {"rows": others, "scratch": scratch, "metric": plan.config.metric_of(main)}
        return Need({"predictions": plan.evidence("predictions.parquet", plan.jobs(main))}, params)

    @classmethod
    def draw(cls, predictions, rows, scratch, metric):
        from matplotlib.ticker import MaxNLocator

        from talking_models.evidence.intervals import collect, difference
        from talking_models.report.figures import style
        from talking_models.report.markdown import MEAN

        evidence = collect(predictions, metric)
        titles = [data if task == "all" else task for data, task in evidence.columns] + [MEAN]
        height = 0.45 + 0.17 * len(rows)
        drawn, panels = style.panels(len(titles), 3, height, 0.5, sharex=True, sharey=True)
        looks = style.looks(reversed(rows))
        for place, (row, experiment) in enumerate(rows.items()):
            change, look = difference(evidence, experiment, scratch), looks[row]
            ends = change.interval()
            for panel, value, low, high in zip(panels, change.estimate, *ends, strict=True):
                fill = look["color"] if low > 0 or high < 0 else "white"
                bar = {"xerr": [[value - low], [high - value]], "capsize": 2}
                panel.errorbar(value, place, **bar, **look, markerfacecolor=fill)
        for panel, title in zip(panels, titles, strict=True):
            panel.axvline(0, color="black", linewidth=0.8)
            panel.set_title(title, fontweight="bold" if title == MEAN else "normal")
            panel.set_yticks(range(len(rows)), list(rows))
            panel.grid(False, axis="y")
        panels[0].xaxis.set_major_locator(MaxNLocator(6, steps=[1, 2, 5, 10]))
        panels[0].set_ylim(len(rows) - 0.4, -0.6)
        metric = evidence.metric
        label = f"{metric.title} minus that of the student from scratch: "
        label += "right" if metric.maximize else "left"
        drawn.supxlabel(f"{label} of the line is better")
        return drawn
