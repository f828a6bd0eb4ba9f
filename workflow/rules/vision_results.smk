# Tables of accuracies, from the predictions of all vision jobs. Nothing here trains or predicts.
#
# Needs: vision.smk's metrics, predictions and slices; CONFIG.vision.tables; config/paper/*.csv.
# Makes: {RESULTS}/tables/{table}.md and .csv


rule make_vision_table:
    """Set a table of accuracies, with intervals, tests against TD and the paper's numbers."""
    input:
        metrics=lambda wildcards: vision_files("metrics.csv", vision_rows(wildcards)),
        predictions=lambda wildcards: vision_files("predictions.parquet", vision_rows(wildcards)),
        slices=expand(
            f"{VISION}/{{dataset}}/slices/{{slice}}.yaml",
            dataset=CONFIG.vision.datasets,
            slice=["fit", "eval"],
        ),
        paper=lambda wildcards: vision_published(CONFIG.vision.tables[wildcards.table]),
    output:
        csv=report(
            f"{RESULTS}/tables/{{table}}.csv",
            caption="../report/vision_table.rst",
            category="Data",
            labels={"table": "{table}"},
        ),
        md=f"{RESULTS}/tables/{{table}}.md",
    log:
        f"{RESULTS}/logs/make_vision_table/{{table}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/make_vision_table/{{table}}.tsv"
    wildcard_constraints:
        table=VISION_TABLES,
    conda:
        "../../envs/results.yaml"
    container:
        image("results")
    threads: 1
    resources:
        mem_mb=per_attempt(1000),
        runtime=per_attempt(10),
    params:
        table=lambda wildcards: CONFIG.vision.tables[wildcards.table].model_dump(),
        against=vision_against(),
        stamp=vision_stamp(CONFIG),
        code=fingerprint("talking_models.report.accuracy"),
    script:
        "../scripts/make_vision_table.py"
