"""`python -m icws_explore.cli` is `icws`."""

from .main import main

if __name__ == "__main__":
    main()
