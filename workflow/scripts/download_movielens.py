"""Rule download_movielens: MovieLens in its canonical form."""

from talking_models.job import start
from talking_models.data.sources import download

log = start(snakemake)
download(
    variant=snakemake.wildcards.variant,
    source=snakemake.params.source,
    ratings_path=snakemake.output.ratings,
    movies_path=snakemake.output.movies,
)
