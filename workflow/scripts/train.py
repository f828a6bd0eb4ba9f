"""Rules train and train_images: one model, of ratings with all its seeds, of images with one; and
measure_cost: what that takes, of ratings.
"""

from pathlib import Path

from talking_models.running.job import placed, start


def inputs():
    """What training on ratings reads."""
    from talking_models.changes import with_chosen

    files, params = snakemake.input, snakemake.params
    return {
        "rows": files.rows,
        "items": files.item_table,
        "config": with_chosen(params.config, files.chosen, snakemake.wildcards.task, params.own),
        "teachers": dict(zip(params.config["teachers"], files.teachers, strict=True)),
    }


def ratings(log):
    """Train on ratings."""
    from talking_models.training.ratings import run

    run(**inputs(), outputs=dict(snakemake.output.items()), log=log)


def cost():
    """Count what that takes."""
    from talking_models.evidence.cost import run

    run(**inputs(), csv=snakemake.output.csv)


def images():
    """Train on images."""
    from talking_models.training.images import Inputs, run

    config = placed(snakemake, snakemake.params.config)
    board = Path(snakemake.log[0]).with_suffix("")
    run(
        inputs=Inputs.of(config, dict(snakemake.input.items())),
        config=config,
        code=snakemake.params.code,
        outputs={**dict(snakemake.output.items()), "board": board},
    )


if __name__ == "__main__":  # with several devices, each of their processes imports this file
    log = start(snakemake)
    if "device" in snakemake.params.config:
        images()
    elif hasattr(snakemake.output, "csv"):
        cost()
    else:
        ratings(log)
