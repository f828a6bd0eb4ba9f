"""Rule draw_forest: RMSE of each method against training from scratch, with intervals."""

from talking_models.job import start
from talking_models.report.figures.forest import run

start(snakemake)
run(
    predictions=snakemake.input.predictions,
    methods=snakemake.params.methods,
    scratch=snakemake.params.scratch,
    genres=snakemake.params.genres,
    csv=snakemake.output.csv,
    png=snakemake.output.png,
    svg=snakemake.output.svg,
)
