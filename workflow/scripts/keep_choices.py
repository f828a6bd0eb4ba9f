"""What searches chose, put where the repository keeps it; `make tuned` calls this.

python workflow/scripts/keep_choices.py results/ml-100k/latest/tuning/td/choice.yaml ...
"""

import sys

from talking_models.tuning.keep import keep

if __name__ == "__main__":
    keep(sys.argv[1:])
