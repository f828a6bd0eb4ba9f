"""Rule split_movielens: fit, val and eval rows of every task."""

from pathlib import Path

from talking_models.job import start
from talking_models.data.splits import split

log = start(snakemake)
split(
    ratings_path=snakemake.input.ratings,
    movies_path=snakemake.input.movies,
    folder=Path(snakemake.output[0]).parent.parent,
    genres=snakemake.params.genres,
    eval_fraction=snakemake.params.eval_fraction,
    val_fraction=snakemake.params.val_fraction,
)
