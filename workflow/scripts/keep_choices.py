"""What searches chose, put where the repository keeps it; `make tuned` calls this.

python workflow/scripts/keep_choices.py results/ml-100k/latest/tuning/td/choice.yaml ...
"""

import argparse

from talking_models.tuning.keep import keep

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("choices", nargs="+", help="files of searches")
    parser.add_argument("--into", default="config/tuned", help="the configuration's `tuned`")
    keep(**vars(parser.parse_args()))
