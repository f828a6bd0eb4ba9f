# What DVC asks for: a target for each stage of dvc.yaml, and one small file of metrics.
#
# Needs: common.smk; data.smk, movielens.smk and evaluation.smk's outputs; results.smk's tables.
# Makes: {RESULTS}/metrics.json
#            the mean RMSE of each row of each table, for `dvc metrics`
#        the targets data, teacher and students: what `all` needs of each and no more, so that each
#            stage has the whole of its folder. The stage of the rest is `all` itself.

NEEDED = [*SHOWN, *JUDGED, *([COMPARED_WITH] if COMPARED_WITH in CONFIG.experiments else [])]


rule data:
    """MovieLens in canonical form, and each task's rows."""
    input:
        expand(
            [*rules.download_movielens.output, *rules.split_movielens.output],
            variant=CONFIG.movielens.variant,
        ),
    localrule: True


rule teacher:
    """The teacher, and its predictions."""
    input:
        expand(rules.train_teacher.output, variant=CONFIG.movielens.variant),
        evaluated("metrics.csv", [configuration.TEACHER]),
    localrule: True


rule students:
    """The students of every experiment that a table or a claim needs, and their predictions."""
    input:
        evaluated("metrics.csv", [id for id in NEEDED if id != configuration.TEACHER]),
    localrule: True


rule collect_metrics:
    """Collect the mean RMSE of every row of every table."""
    input:
        expand(f"{RESULTS}/tables/{{table}}.csv", table=CONFIG.tables),
    output:
        f"{RESULTS}/metrics.json",
    log:
        f"{RESULTS}/logs/collect_metrics.log",
    benchmark:
        f"{RESULTS}/benchmarks/collect_metrics.tsv"
    conda:
        "../../envs/results.yaml"
    container:
        image("results")
    threads: 1
    resources:
        mem_mb=per_attempt(500),
        runtime=per_attempt(5),
    params:
        tables=list(CONFIG.tables),
        code=fingerprint("talking_models.report.scores"),
    script:
        "../scripts/collect_metrics.py"
