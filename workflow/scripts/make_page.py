"""Rule make_page: a Markdown table as a page for the report."""

from talking_models.running.job import start
from talking_models.report.pages import run

start(snakemake)
run(**snakemake.input, **snakemake.output)
