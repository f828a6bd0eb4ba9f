"""Rule choose_best: the choice of whichever experiment validation finds best."""

from talking_models.running.job import start
from talking_models.tuning.choose import take_best

log = start(snakemake)
params = snakemake.params
take_best(
    members=dict(zip(params.own, snakemake.input.chosen, strict=True)),
    own=params.own,
    settings=next(iter(snakemake.input.get("settings", [])), None),
    about=params.about,
    begun=params.config,
    outputs=dict(snakemake.output.items()),
    log=log,
)
