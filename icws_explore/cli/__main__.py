"""`python -m icws_explore.cli` runs `icws`."""

from .main import main

if __name__ == "__main__":
    main()
