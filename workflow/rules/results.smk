# Results: tables from the metrics of all jobs. Nothing here trains or predicts.
#
# Needs: evaluation.smk's metrics; CONFIG.tables; config/paper/*.csv, the published numbers.
# Makes: {RESULTS}/tables/{table}.md and .csv


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
        csv=report(
            f"{RESULTS}/tables/{{table}}.csv",
            caption="../report/table.rst",
            category="Data",
            labels={"table": "{table}"},
        ),
        md=f"{RESULTS}/tables/{{table}}.md",
    log:
        f"{RESULTS}/logs/make_table/{{table}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/make_table/{{table}}.tsv"
    conda:
        "../../envs/results.yaml"
    container:
        image("results")
    threads: 1
    resources:
        mem_mb=per_attempt(500),
        runtime=per_attempt(5),
    params:
        table=lambda wildcards: CONFIG.tables[wildcards.table].model_dump(),
        genres=list(GENRES.values()),
        references=REFERENCES,
        stamp=stamp(CONFIG),
        code=fingerprint("talking_models.report.tables"),
    script:
        "../scripts/make_table.py"
