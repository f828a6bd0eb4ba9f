# Statistics: what the tables' differences are worth, and what is left of the paper's claims.
# Nothing here trains or predicts. Predictions take 22 times as much memory as their files.
#
# Needs: evaluate.smk's and references.smk's evidence; CONFIG.tables, .paper, .claims.
# Makes: {RESULTS}/tables/significance.md and .csv
#            every row of every table against the one that it names
#        {RESULTS}/claims.md and .csv, and .rst, which the report's front page includes
#            the verdict on each claim, with its evidence
#        {RESULTS}/metrics.json
#            the mean of each row of each table, for `dvc metrics`


rule test_significance:
    """Compare every row of every table with the one that it names, over units and seeds."""
    input:
        in_repository(PLAN.paper_files(*PLAN.compared)),
        predictions=PLAN.table_files("predictions.parquet", *PLAN.compared),
        references=PLAN.references("predictions.parquet", *PLAN.compared),
    output:
        csv=report(
            f"{RESULTS}/tables/significance.csv",
            caption="../report/significance.rst",
            category="Data",
            labels={"table": "significance"},
        ),
        md=f"{RESULTS}/tables/significance.md",
    log:
        f"{LOGS}/test_significance.log",
    benchmark:
        f"{BENCHMARKS}/test_significance.tsv"
    conda:
        "../../envs/results.yaml"
    container:
        image("results")
    threads: 1
    resources:
        mem_mb=per_attempt(1000, per_mb=50),
        runtime=per_attempt(10, per_mb=0.1),
    params:
        tables={id: PLAN.about(id) for id in PLAN.compared},
        facts=lambda wildcards: CONFIG.paper,
        stamp=PLAN.stamp(*PLAN.compared),
        code=fingerprint("talking_models.report.significance", *PLAN.metric_code(PLAN.metrics)),
    script:
        "../scripts/test_significance.py"


rule judge_claims:
    """Judge each of the paper's claims by the experiments that the configuration has."""
    input:
        in_repository(filter(None, [*PLAN.paper_files(*PLAN.judged), CONFIG.claims])),
        predictions=PLAN.table_files("predictions.parquet", *PLAN.judged),
        histories=PLAN.histories(*PLAN.judged),
    output:
        csv=report(
            f"{RESULTS}/claims.csv",
            caption="../report/claims.rst",
            category="Data",
            labels={"table": "claims"},
        ),
        md=f"{RESULTS}/claims.md",
        rst=f"{RESULTS}/claims.rst",
    log:
        f"{LOGS}/judge_claims.log",
    benchmark:
        f"{BENCHMARKS}/judge_claims.tsv"
    conda:
        "../../envs/results.yaml"
    container:
        image("results")
    threads: 1
    resources:
        mem_mb=per_attempt(1000, per_mb=50),
        runtime=per_attempt(10, per_mb=0.1),
    params:
        tables=PLAN.judged_on(),
        claims=lambda wildcards: CONFIG.claims,
        facts=lambda wildcards: CONFIG.paper,
        stamp=PLAN.stamp(*PLAN.judged),
        trial=CONFIG.trial,
        code=fingerprint("talking_models.report.claims", *PLAN.metric_code(PLAN.metrics)),
    script:
        "../scripts/judge_claims.py"


rule collect_metrics:
    """Collect the mean of every row of every table."""
    input:
        csvs=expand(f"{RESULTS}/tables/{{table}}.csv", table=PLAN.tables_of_all),
    output:
        out=f"{RESULTS}/metrics.json",
    log:
        f"{LOGS}/collect_metrics.log",
    benchmark:
        f"{BENCHMARKS}/collect_metrics.tsv"
    conda:
        "../../envs/results.yaml"
    container:
        image("results")
    threads: 1
    resources:
        mem_mb=per_attempt(500),
        runtime=per_attempt(5),
    params:
        code=fingerprint("talking_models.report.scores"),
    script:
        "../scripts/collect_metrics.py"
