"""Rule prepare_ratings: ratings in canonical form."""

from talking_models.running.job import start
from talking_models.data.canonical import prepare

start(snakemake)
prepare(
    snakemake.params.settings,
    ratings_path=snakemake.output.ratings,
    items_path=snakemake.output.item_table,
)
