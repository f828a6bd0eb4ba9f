"""Rules train and train_images: one model, of ratings with all its seeds, of images with one."""

from pathlib import Path

from talking_models.running.job import start


def ratings(log):
    """Train on ratings."""
    from talking_models.changes import with_chosen
    from talking_models.training.ratings import run

    files, params = snakemake.input, snakemake.params
    run(
        rows=files.rows,
        items=files.item_table,
        config=with_chosen(params.config, files.chosen, snakemake.wildcards.task, params.own),
        outputs=dict(snakemake.output.items()),
        log=log,
        teachers=dict(zip(params.config["teachers"], files.teachers, strict=True)),
    )


def images():
    """Train on images."""
    from talking_models.training.images import Inputs, run

    config, board = snakemake.params.config, Path(snakemake.log[0]).with_suffix("")
    run(
        inputs=Inputs.of(config, dict(snakemake.input.items())),
        config=config,
        code=snakemake.params.code,
        outputs={**dict(snakemake.output.items()), "board": board},
    )


if __name__ == "__main__":  # with several devices, each of their processes imports this file
    log = start(snakemake)
    images() if "device" in snakemake.params.config else ratings(log)
