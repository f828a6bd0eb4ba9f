# What the rules of figures share.
#
# Needs: common.smk.
# Makes: PLAN, which figures the configuration can have, and of what; FIGURES, where they go; their
#        files, and the trials that one of them shows.

from talking_models.report.figures.plan import plan

PLAN = plan(CONFIG)
FIGURES = f"{RESULTS}/figures"


def figures():
    """The figures that the configuration can have."""
    return expand(f"{FIGURES}/{{name}}.{{form}}", name=PLAN.figures, form=["png", "svg"])


def drawing(name, what):
    """The two files of a figure, as the report shows them."""
    return {
        form: report(
            f"{FIGURES}/{name}.{form}",
            caption=f"../report/{name}.rst",
            category="Figures",
            labels={"figure": what, "format": form.upper()},
        )
        for form in ("png", "svg")
    }


def trials_shown():
    """The trials of the search for settings, if there was one."""
    if not PLAN.trials:
        return []
    # local: as the published tables
    return local(PLAN.trials) if CONFIG.tuning == "committed" else PLAN.trials
