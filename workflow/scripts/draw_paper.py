"""Rule draw_paper: our cells against the paper's."""

from talking_models.job import start
from talking_models.report.figures.paper import run

start(snakemake)
run(snakemake.input.tables, png=snakemake.output.png, svg=snakemake.output.svg)
