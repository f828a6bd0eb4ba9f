"""Rule draw: one figure."""

from talking_models.running.job import start
from talking_models.report.figures import FIGURES

start(snakemake)
inputs, outputs = dict(snakemake.input.items()), dict(snakemake.output.items())
FIGURES.get(snakemake.params.name).run(**inputs, **outputs, **snakemake.params.about)
