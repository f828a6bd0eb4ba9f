"""Rule draw_cka: likeness of student and teacher states, by method."""

from talking_models.job import start
from talking_models.report.figures.cka import run

start(snakemake)
run(
    similarity=snakemake.input.similarity,
    methods=snakemake.params.methods,
    genres=snakemake.params.genres,
    png=snakemake.output.png,
    svg=snakemake.output.svg,
)
