"""The confusion matrix of the doctor: each scenario of the lab, and what it is found to be.

python -m bench.scenarios [seeds]
"""

from __future__ import annotations

import sys

from icws_explore.lab.scenarios import SCENARIOS


def main(seeds: int) -> int:
    """Print a row a scenario; return how many were named by anything but their own rule."""
    width = max(map(len, SCENARIOS))
    wrong = 0
    for name, each in SCENARIOS.items():
        for seed in range(1, seeds + 1):
            found = each.run(seed).doctor().ids
            wrong += found != (name,)
            print(f"{name:<{width}}  seed {seed}  {'✓' if found == (name,) else '✗'} {', '.join(found) or 'nothing'}")
    print(f"{len(SCENARIOS)} scenarios × {seeds} seeds: {wrong} not named by their own rule alone")
    return wrong


if __name__ == "__main__":
    sys.exit(1 if main(int(sys.argv[1]) if len(sys.argv) > 1 else 1) else 0)
