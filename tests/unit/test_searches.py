"""What a page says of the searches behind its rows."""

import yaml

from talking_models.report.searches import said


def choice(path, **search):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump({"about": {"search": search}, "chosen": {}}))
    return path


def done(complete=24, bounds=()):
    return {"trials": 24, "complete": complete, "at_bound": list(bounds)}


def test_trials_and_bounds_are_said_by_row(tmp_path):
    files = [
        choice(tmp_path / "ld.yaml", **done()),
        choice(tmp_path / "fd/choice.yaml", **done(23, ["settings.weight", "training.steps"])),
        choice(tmp_path / "td.yaml", best="one", scores={"one": 1.0, "two": 1.1}),
        choice(tmp_path / "one.yaml", **done()),
    ]
    rows = {"LD": "ld", "FD": "fd", "TD": "td", "By hand": "hand"}
    assert said(rows, files) == (
        "Searched: 24 of 24 trials complete (LD, TD); 23 of 24 trials complete (FD). At an end of "
        "what was searched: FD's weight, FD's steps."
    )


def test_nothing_is_said_of_what_was_not_searched(tmp_path):
    assert said({"By hand": "hand"}, []) == ""
    assert said({"TD": "td"}, [choice(tmp_path / "td.yaml", trials=8)]) == ""
