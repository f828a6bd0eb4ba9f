"""Rule draw: one figure."""

from talking_models.running.job import start
from talking_models.report.figures import FIGURES
from talking_models.report.figures.style import write

start(snakemake)
draw, about = FIGURES.get(snakemake.params.name).draw, snakemake.params.about
write(draw, **snakemake.input, **snakemake.output, **about)
