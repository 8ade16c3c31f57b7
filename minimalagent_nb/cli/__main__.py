"""``python -m minimalagent_nb.cli``: the same as ``minimalagent-nb``."""

import sys

from minimalagent_nb.cli import main

sys.exit(main())
