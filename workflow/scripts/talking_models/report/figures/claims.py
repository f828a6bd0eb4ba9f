"""Figure: where the paper's difference lies against our interval, for every claim."""

from talking_models.report.figures.base import Figure, Need


class Claims(Figure):
    """A line for each comparison: our interval on each set of rows, and what the paper prints."""

    title = "The paper's claims beside our intervals"
    caption = """\
For each comparison that a claim rests on, the mean difference over tasks with its 95% interval over
users and seeds, positive where it is as claimed, and what the paper prints (diamond). Left of the
line at 0 it is the other way round. A filled mark is an interval that leaves 0 out."""

    @classmethod
    def needs(cls, plan, id):
        return Need({"verdicts": [plan.path("claims.csv")]}, {}) if plan.judged else None

    @classmethod
    def draw(cls, verdicts):
        from talking_models.report.figures import style

        found = style.read(verdicts).dropna(subset="estimate")
        found["line"] = found["claim"].astype(str) + ". " + found["quantity"].astype(str)
        lines = list(dict.fromkeys(found["line"]))[::-1]
        looks = style.looks(found["on"])
        height = 0.5 + 0.24 * max(len(lines), 1)
        drawn, (panel,) = style.panels(1, 1, height, 0.5, width=style.PAGE)
        panel.axvline(0, color=style.GREY, linewidth=0.8)
        for number, (on, own) in enumerate(found.groupby("on", sort=False)):
            shift = 0.22 * (number - (len(looks) - 1) / 2)
            for row in own.itertuples():
                place = lines.index(row.line) - shift
                color, marker = looks[on]["color"], looks[on]["marker"]
                panel.hlines(place, row.low, row.high, color=color)
                apart = row.low > 0 or row.high < 0
                face = color if apart else "white"
                own_look = {"color": color, "marker": marker, "markerfacecolor": face}
                panel.plot(row.estimate, place, label=on, **own_look, **style.NO_LINE)
        paper = found.drop_duplicates("line")
        places = [lines.index(line) for line in paper["line"]]
        look = {"color": "black", "marker": "D", "markersize": 4}
        panel.plot(paper["paper"], places, label="the paper", **look, **style.NO_LINE)
        panel.set_yticks(range(len(lines)), lines)
        panel.set_xlabel("difference, as claimed")
        style.legend(panel, len(looks) + 1)
        return drawn
