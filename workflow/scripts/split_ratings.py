"""Rules split_*: fit, val and eval rows of every task of a data set."""

from talking_models.running.job import start
from talking_models.data.splits import split_ratings

start(snakemake)
split_ratings(
    ratings_path=snakemake.input.ratings,
    items_path=snakemake.input.item_table,
    protocol=snakemake.params.protocol,
    **snakemake.params.tasks,
    outputs=snakemake.output,
)
