"""Rule make_page: a Markdown table as a page for the report."""

from talking_models.running.job import start
from talking_models.report.pages import run

start(snakemake)
run(md=snakemake.input.md, html=snakemake.output.html)
