# Choices that are no search of this run's: committed ones, and the best of some searches.
#
# Needs: config/tuned/; tune.smk's choice.yaml and trials.csv.
# Makes: tune.smk's chosen.yaml of these, and choice.yaml of the best of some.
#
# No rule here has an eval row among its inputs.


rule take_choice:
    """Take a committed choice for what a search in this run would choose."""
    input:
        lambda wildcards: in_repository(PLAN.takes(wildcards)),
    output:
        f"{TUNING}/chosen.yaml",
    log:
        f"{LOGS}/{{data}}/{{split}}/take_choice/{{experiment}}.log",
    wildcard_constraints:
        data=one_of(RATINGS),
    localrule: True
    conda:
        "../../envs/results.yaml"
    container:
        image("results")
    script:
        "../scripts/take_choice.py"


rule choose_best:
    """Choose the best of a few searches by validation, or the one that was before."""
    input:
        unpack(or_stop(PLAN.search_inputs)),
    output:
        **{name: f"{TUNING}/{name}.yaml" for name in ("chosen", "choice")},
    log:
        f"{LOGS}/{{data}}/{{split}}/choose_best/{{experiment}}.log",
    benchmark:
        f"{BENCHMARKS}/{{data}}/{{split}}/choose_best/{{experiment}}.tsv"
    wildcard_constraints:
        experiment=one_of(BEST),
    conda:
        "../../envs/movielens.yaml"
    container:
        image("movielens")
    threads: 1
    resources:
        mem_mb=per_attempt(1000),
        runtime=per_attempt(5),
    params:
        own=lambda wildcards: {
            id: CONFIG.own(id) for id in CONFIG.experiment(wildcards.experiment).best_of
        },
        config=lambda wildcards: CONFIG.training_job(wildcards.experiment, wildcards.data),
        about=lambda wildcards: PLAN.basis(wildcards.data, wildcards.split),
        code=fingerprint("talking_models.tuning.choose"),
    script:
        "../scripts/choose_best.py"
