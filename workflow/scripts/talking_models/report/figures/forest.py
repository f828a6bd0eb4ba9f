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
        return Need({"predictions": plan.evidence("predictions.parquet", main)}, params)

    @classmethod
    def draw(cls, predictions, rows, scratch, metric):
        from talking_models.evidence.intervals import collect, difference
        from talking_models.report.figures import style
        from talking_models.report.markdown import MEAN

        evidence = collect(predictions, metric)
        titles = [data if task == "all" else task for data, task in evidence.columns] + [MEAN]
        drawn, panels = style.differences(titles, rows, evidence.metric, ticks=6)
        looks = style.looks(reversed(rows))
        for place, (row, experiment) in enumerate(rows.items()):
            change = difference(evidence, experiment, scratch)
            ends = change.interval()
            for panel, value, low, high in zip(panels, change.estimate, *ends, strict=True):
                style.bar(panel, place, value, low, high, looks[row])
        for panel in panels:
            panel.axvline(0, color="black", linewidth=0.8)
        return drawn
