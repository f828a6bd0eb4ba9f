"""Rule draw_rounds: RMSE by number of rounds."""

from talking_models.job import start
from talking_models.report.figures.rounds import run

start(snakemake)
run(
    metrics=snakemake.input.metrics,
    rounds=snakemake.params.rounds,
    scratch=snakemake.params.scratch,
    genres=snakemake.params.genres,
    png=snakemake.output.png,
    svg=snakemake.output.svg,
)
