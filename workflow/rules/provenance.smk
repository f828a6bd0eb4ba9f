# Provenance: what made the results, from the records that all jobs leave beside their logs.
#
# Needs: {RESULTS}/provenance/, written by the jobs themselves (talking_models.provenance); all that
#        `all` makes but this.
# Makes: {RESULTS}/provenance.csv, one row per job
#        {RESULTS}/provenance.rst, their summary, which the report's front page includes


rule collect_provenance:
    """Collect what made every result: commit, configuration, data, code, packages, machine, time."""
    input:
        expand(f"{RESULTS}/tables/{{table}}.md", table=[*CONFIG.tables, "compute"]),
        f"{RESULTS}/metrics.json",
        statistics(),
        figures(),
        expand(f"{RESULTS}/pages/{{page}}.html", page=pages()),
    output:
        csv=report(
            f"{RESULTS}/provenance.csv",
            caption="../report/provenance.rst",
            category="Data",
            labels={"table": "provenance"},
        ),
        rst=f"{RESULTS}/provenance.rst",
    log:
        f"{RESULTS}/logs/collect_provenance.log",
    benchmark:
        f"{RESULTS}/benchmarks/collect_provenance.tsv"
    conda:
        "../../envs/results.yaml"
    container:
        image("results")
    threads: 1
    resources:
        mem_mb=per_attempt(500),
        runtime=per_attempt(5),
    params:
        results=lambda wildcards, output: str(Path(output.csv).parent),
        code=fingerprint("talking_models.report.provenance"),
    script:
        "../scripts/collect_provenance.py"
