"""Rule draw_losses: TD's loss parts over training."""

from talking_models.job import start
from talking_models.report.figures.losses import run

start(snakemake)
run(snakemake.input.histories, png=snakemake.output.png, svg=snakemake.output.svg)
