# Results: tables of them, and what students cost who made them.
# Nothing here trains; `measure_sizes` alone predicts, to time it. Predictions take 22 times as much
# memory as their files.
#
# Needs: evaluate.smk's and references.smk's evidence; CONFIG.tables, .curves, .paper;
#        config/paper/*.csv.
# Makes: {RESULTS}/tables/{table}.md and .csv
#        {RESULTS}/tables/{curve}.md and .csv, of a curve along splits, perhaps with costs
#        {RESULTS}/tables/sizes.md and .csv
#            what students and teachers weigh and cost when they predict


rule make_table:
    """Set a table from the metrics of its jobs, with the reference lines and the paper's numbers."""
    input:
        lambda wildcards: in_repository(PLAN.paper_files(wildcards.table)),
        metrics=lambda wildcards: PLAN.table_files("metrics.csv", wildcards.table),
        references=lambda wildcards: PLAN.references("metrics.csv", wildcards.table),
        predictions=lambda wildcards: PLAN.table_files("predictions.parquet", wildcards.table),
        lines=lambda wildcards: PLAN.references("predictions.parquet", wildcards.table),
        choices=lambda wildcards: choice_inputs(wildcards.table),
        histories=lambda wildcards: PLAN.histories(wildcards.table),
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
        about=lambda wildcards: PLAN.about(wildcards.table),
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
            "predictions.parquet", PLAN.config.curves[wildcards.curve]
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
