# Results: tables, what their differences are worth, and what is left of the paper's claims.
# Nothing here trains or predicts. Predictions take 22 times as much memory as their files.
#
# Needs: evaluate.smk's evidence; CONFIG.tables, .paper, .claims; config/paper/*.csv.
# Makes: {RESULTS}/tables/{table}.md and .csv
#        {RESULTS}/tables/{curve}.md and .csv, of a curve along splits, perhaps with costs
#        {RESULTS}/tables/significance.md and .csv
#            every row of every table against the one that it names
#        {RESULTS}/claims.md and .csv, and .rst, which the report's front page includes
#            the verdict on each claim, with its evidence
#        {RESULTS}/tables/sizes.md and .csv
#            what students and teachers weigh and cost when they predict
#        {RESULTS}/metrics.json
#            the mean of each row of each table, for `dvc metrics`


rule make_table:
    """Set a table from the metrics of its jobs, with the reference lines and the paper's numbers."""
    input:
        metrics=lambda wildcards: PLAN.table_files("metrics.csv", wildcards.table),
        references=lambda wildcards: PLAN.references("metrics.csv", wildcards.table),
        predictions=lambda wildcards: PLAN.table_files("predictions.parquet", wildcards.table),
        lines=lambda wildcards: PLAN.references("predictions.parquet", wildcards.table),
        choices=lambda wildcards: choice_inputs(wildcards.table),
        histories=lambda wildcards: PLAN.histories(wildcards.table),
        paper=lambda wildcards: in_repository(
            filter(None, [CONFIG.tables[wildcards.table].paper, CONFIG.paper])
        ),
    output:
        csv=report(
            f"{RESULTS}/tables/{{table}}.csv",
            caption="../report/table.rst",
            category="Data",
            labels={"table": "{table}"},
        ),
        md=f"{RESULTS}/tables/{{table}}.md",
    log:
        f"{LOGS}/make_table/{{table}}.log",
    benchmark:
        f"{BENCHMARKS}/make_table/{{table}}.tsv"
    conda:
        "../../envs/results.yaml"
    container:
        image("results")
    threads: 1
    resources:
        mem_mb=per_attempt(1000, per_mb=50),
        runtime=per_attempt(10, per_mb=0.1),
    params:
        table=lambda wildcards: PLAN.about(wildcards.table),
        facts=CONFIG.paper,
        stamp=lambda wildcards: PLAN.stamp(wildcards.table),
        code=lambda wildcards: fingerprint(
            "talking_models.report.tables",
            *PLAN.metric_code([CONFIG.metric_of(CONFIG.tables[wildcards.table])]),
        ),
    script:
        "../scripts/make_table.py"


rule make_curve:
    """Set what a curve's lines gain along splits, with intervals, as a table."""
    input:
        predictions=lambda wildcards: PLAN.evidence(
            "predictions.parquet",
            PLAN.jobs(PLAN.config.curves[wildcards.curve]),
            PLAN.config.curves[wildcards.curve],
        ),
        costs=lambda wildcards: PLAN.costs(wildcards.curve),
        choices=lambda wildcards: choice_inputs(wildcards.curve),
    output:
        csv=report(
            f"{RESULTS}/tables/{{curve}}.csv",
            caption="../report/curve.rst",
            category="Data",
            labels={"table": "{curve}"},
        ),
        md=f"{RESULTS}/tables/{{curve}}.md",
    log:
        f"{LOGS}/make_curve/{{curve}}.log",
    benchmark:
        f"{BENCHMARKS}/make_curve/{{curve}}.tsv"
    conda:
        "../../envs/results.yaml"
    container:
        image("results")
    threads: 1
    resources:
        mem_mb=per_attempt(1000, per_mb=50),
        runtime=per_attempt(10, per_mb=0.1),
    params:
        about=lambda wildcards: PLAN.along(wildcards.curve),
        stamp=lambda wildcards: PLAN.stamp(wildcards.curve),
        code=fingerprint("talking_models.report.curves", *PLAN.metric_code(PLAN.metrics)),
    script:
        "../scripts/make_curve.py"


rule test_significance:
    """Compare every row of every table with the one that it names, over units and seeds."""
    input:
        predictions=PLAN.table_files("predictions.parquet", *PLAN.compared),
        references=PLAN.references("predictions.parquet", *PLAN.compared),
        paper=in_repository(PLAN.paper_files(*PLAN.compared)),
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
        predictions=PLAN.table_files("predictions.parquet", *PLAN.judged),
        histories=PLAN.histories(*PLAN.judged),
        paper=in_repository(filter(None, [*PLAN.paper_files(*PLAN.judged), CONFIG.claims])),
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
        expand(f"{RESULTS}/tables/{{table}}.csv", table=PLAN.tables_of_all),
    output:
        f"{RESULTS}/metrics.json",
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


rule measure_sizes:
    """Measure what the main table's students and teachers weigh and what a prediction costs."""
    input:
        models=list(PLAN.sized),
    output:
        csv=report(
            f"{RESULTS}/tables/sizes.csv",
            caption="../report/sizes.rst",
            category="Data",
            labels={"table": "sizes"},
        ),
        md=f"{RESULTS}/tables/sizes.md",
    log:
        f"{LOGS}/measure_sizes.log",
    benchmark:
        f"{BENCHMARKS}/measure_sizes.tsv"
    conda:
        f"../../envs/{PLAN.sizes_step}.yaml"
    container:
        image(PLAN.sizes_step)
    threads: 1
    resources:
        mem_mb=per_attempt(4000),
        runtime=per_attempt(10),
    params:
        jobs=list(PLAN.sized.values()),
        stamp=PLAN.stamp(*filter(None, [PLAN.main_id])),
        forms={model: CONFIG.form(model) for model, _ in PLAN.sized.values()},
        code=fingerprint(
            "talking_models.report.sizes",
            *PLAN.code_of_models(*(model for model, _ in PLAN.sized.values())),
        ),
    script:
        "../scripts/measure_sizes.py"
