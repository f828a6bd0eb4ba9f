# Statistics: what the differences in the tables are worth, and what is left of the paper's claims.
#
# Needs: evaluation.smk's predictions; CONFIG.tables, CONFIG.experiments, with an experiment `td` for
#        the first rule; config/paper/*.csv, the published numbers.
# Makes: {RESULTS}/tables/significance.md and .csv
#            every row of every table against TD: difference, interval, tests, ranks
#        {RESULTS}/claims.md and .csv
#            the verdict on each claim, with its evidence


rule test_significance:
    """Compare every row of every table with TD, over users and seeds drawn again."""
    input:
        predictions=predictions_of(COMPARED_WITH, *SHOWN),
        references=expand(
            f"{RESULTS}/movielens/{CONFIG.movielens.variant}/references/{{task}}/predictions.parquet",
            task=GENRES,
        ),
        papers=published_tables(),
    output:
        csv=report(
            f"{RESULTS}/tables/significance.csv",
            caption="../report/significance.rst",
            category="Data",
            labels={"table": "significance"},
        ),
        md=f"{RESULTS}/tables/significance.md",
    log:
        f"{RESULTS}/logs/test_significance.log",
    benchmark:
        f"{RESULTS}/benchmarks/test_significance.tsv"
    conda:
        "../../envs/results.yaml"
    container:
        image("results")
    threads: 1
    resources:
        mem_mb=per_attempt(1000),
        runtime=per_attempt(10),
    params:
        tables={
            id: table.model_dump(include={"title", "rows", "paper"})
            for id, table in CONFIG.tables.items()
        },
        references=REFERENCES,
        settings=settings_of(COMPARED_WITH),
        against=COMPARED_WITH,
        genres=list(GENRES.values()),
        stamp=stamp(CONFIG),
        code=fingerprint("talking_models.report.significance"),
    script:
        "../scripts/test_significance.py"


rule judge_claims:
    """Judge each of the paper's claims by the experiments that the configuration has."""
    input:
        predictions=predictions_of(*JUDGED),
        papers=local(expand("config/paper/table{number}.csv", number=PAPER_TABLES)),
    output:
        csv=report(
            f"{RESULTS}/claims.csv",
            caption="../report/claims.rst",
            category="Data",
            labels={"table": "claims"},
        ),
        md=f"{RESULTS}/claims.md",
    log:
        f"{RESULTS}/logs/judge_claims.log",
    benchmark:
        f"{RESULTS}/benchmarks/judge_claims.tsv"
    conda:
        "../../envs/results.yaml"
    container:
        image("results")
    threads: 1
    resources:
        mem_mb=per_attempt(1000),
        runtime=per_attempt(10),
    params:
        genres=list(GENRES.values()),
        stamp=stamp(CONFIG),
        code=fingerprint("talking_models.report.claims"),
    script:
        "../scripts/judge_claims.py"
