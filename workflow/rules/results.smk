# Results: tables from the metrics of all jobs. Nothing here trains or predicts.
#
# Needs: movielens.smk's metrics; CONFIG.tables; config/paper/*.csv, the published numbers.
# Makes: {RESULTS}/tables/{table}.md and .csv

from talking_models.report.stamp import stamp
from talking_models.evaluation.names import REFERENCES


def table_metrics(wildcards):
    """The metrics of every cell of a table."""
    base = f"{RESULTS}/movielens/{CONFIG.movielens.variant}"
    return [
        (
            f"{base}/{configuration.TEACHER}/{task}/metrics.csv"
            if experiment == configuration.TEACHER
            else f"{base}/students/{experiment}/{task}/metrics.csv"
        )
        for experiment in CONFIG.tables[wildcards.table].rows.values()
        for task in GENRES
    ]


def published(wildcards):
    """The paper's numbers, which are about 100k alone."""
    paper = CONFIG.tables[wildcards.table].paper
    return [paper] if paper and CONFIG.movielens.variant == "100k" else []


rule make_table:
    """Set a table from the metrics of its jobs, with the reference lines and the paper's numbers."""
    input:
        metrics=table_metrics,
        references=expand(
            f"{RESULTS}/movielens/{CONFIG.movielens.variant}/references/{{task}}/metrics.csv",
            task=GENRES,
        ),
        paper=published,
    output:
        csv=f"{RESULTS}/tables/{{table}}.csv",
        md=f"{RESULTS}/tables/{{table}}.md",
    log:
        f"{RESULTS}/logs/make_table/{{table}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/make_table/{{table}}.tsv"
    threads: 1
    resources:
        mem_mb=500,
        runtime=5,
    params:
        table=lambda wildcards: CONFIG.tables[wildcards.table].model_dump(),
        genres=list(GENRES.values()),
        references=REFERENCES,
        stamp=stamp(CONFIG),
        code=fingerprint("talking_models.report.tables"),
    script:
        "../scripts/make_table.py"
