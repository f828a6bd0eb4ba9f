"""Rules tune and tune_images: a search on the training rows."""

from pathlib import Path

from talking_models.running.job import start
from talking_models.tuning.space import grid, grid_spaces, spaces, trials


def common(training):
    """What both searches are told; `training` says whether how to train is searched, too."""
    params, outputs = snakemake.params, dict(snakemake.output.items())
    searched = spaces(params.config["method"], params.own, training=training)
    listed = trials(params.config, params.search["trials"], searched, params.seed)
    return {
        "trials": grid(params.choose) or listed,
        "spaces": grid_spaces(params.choose) if params.choose else searched,
        "search": params.search,
        "journal": Path(outputs["curves"]).with_name("journal.log"),
        "code": params.scored,
        "about": params.about,
        "outputs": outputs,
        "log": log,
    }


def ratings():
    """On folds of all tasks."""
    from talking_models.tuning.jobs import configs_of_tasks, search

    params, files = snakemake.params, dict(snakemake.input.items())
    tasks = params.tasks["tasks"]
    search(
        rows=snakemake.input.rows,
        items=snakemake.input.item_table,
        **params.tasks,
        configs=configs_of_tasks(params.config, tasks, files["chosen"], bool(params.choose)),
        teachers={id: files[f"teacher{i}"] for i, id in enumerate(params.config["teachers"])},
        begun=params.config,
        **common(training=not files["chosen"]),
    )


def images():
    """On the val slice."""
    from talking_models.training.images import Inputs
    from talking_models.tuning.images import search

    config = snakemake.params.config
    search(Inputs.of(config, dict(snakemake.input.items())), config, **common(training=False))


if __name__ == "__main__":  # with several devices, each of their processes imports this file
    log = start(snakemake)
    images() if "device" in snakemake.params.config else ratings()
