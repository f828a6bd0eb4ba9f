"""Rules tune, tune_images and try_images: a search on the training rows, and a trial of one."""

from pathlib import Path

from talking_models.running.job import placed, start
from talking_models.tuning.space import beside, grid, grid_spaces, settings_alone, spaces, trials


def searched(n, training=False):
    """The first `n` settings to try, and what they are drawn from; `training` says whether how to
    train is searched, too.
    """
    params = snakemake.params
    if taken := snakemake.input.get("settings"):
        return settings_alone(taken[0]), {}
    if params.like:
        few = grid(params.choose)
        before = snakemake.input.get("chosen")  # not of images
        few = beside(before[0], params.own, few) if before else few
        return few, grid_spaces(params.choose)
    found = spaces(params.config, params.own, training=training)
    return trials(params.config, n, found, params.seed), found


def common(training=False):
    """What both searches are told."""
    listed, found = searched(snakemake.params.search["trials"], training)
    return {
        "trials": listed,
        "spaces": found,
        "search": snakemake.params.search,
        "about": snakemake.params.about,
        "outputs": dict(snakemake.output.items()),
        "log": log,
    }


def ratings():
    """On folds of all tasks."""
    from talking_models.tuning.jobs import configs_of_tasks, search

    params, files = snakemake.params, dict(snakemake.input.items())
    search(
        rows=snakemake.input.rows,
        items=snakemake.input.item_table,
        tasks=params.tasks["tasks"],
        by=params.tasks["by"],
        configs=configs_of_tasks(
            params.config, params.tasks["on"], files["chosen"], params.own if params.like else None
        ),
        teachers={id: files[f"teacher{i}"] for i, id in enumerate(params.config["teachers"])},
        begun=params.config,
        journal=Path(snakemake.output.curves).with_name("journal.log"),
        code=params.scored,
        **common(training=not files["chosen"]),
    )


def trial():
    """One, on the val slice."""
    from talking_models.training.images import Inputs
    from talking_models.tuning.images import try_settings

    params, config = snakemake.params, placed(snakemake, snakemake.params.config)
    number = int(snakemake.wildcards.trial)
    settings = searched(number + 1)[0][number]
    inputs = Inputs.of(config, dict(snakemake.input.items()))
    try_settings(
        inputs, config, settings, params.search, params.scored, snakemake.output.curves, log
    )


def images():
    """From all trials."""
    from talking_models.tuning.choose import take_trials

    take_trials(snakemake.input.trials, snakemake.params.config, **common())


if __name__ == "__main__":  # with several devices, each of their processes imports this file
    log = start(snakemake)
    if "device" not in snakemake.params.config:
        ratings()
    elif hasattr(snakemake.wildcards, "trial"):
        trial()
    else:
        images()
