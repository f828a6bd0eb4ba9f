"""What a table says that its numbers were made from."""

import pytest
from talking_models.report.stamp import stamp

from talking_models.config import Config


@pytest.mark.parametrize(
    ("config", "settings"),
    [
        ({"tuning": "none", "student": {"training": {"steps": 7}}}, "7 student steps"),
        ({"tuning": "committed", "tuned": "mine.yaml"}, "the settings of `mine.yaml`"),
        ({"tuning": "search", "search": {"trials": 3}}, "3 trials for each method"),
    ],
)
def test_the_stamp_tells_where_the_settings_come_from(config, settings):
    said = stamp(Config(seeds=4, **config))
    assert settings in said
    assert "4 seeds" in said
    assert ("7 student steps" in said) == (config["tuning"] == "none")
