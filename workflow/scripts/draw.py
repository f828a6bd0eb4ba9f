"""Rule draw: one figure."""

from talking_models.running.job import start
from talking_models.report.figures import FIGURES
from talking_models.report.figures.style import write

start(snakemake)
inputs, outputs = dict(snakemake.input.items()), dict(snakemake.output.items())
write(FIGURES.get(snakemake.params.name).draw, **inputs, **outputs, **snakemake.params.about)
