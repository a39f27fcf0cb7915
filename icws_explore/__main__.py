"""`python -m icws_explore` runs `icws`."""

from .cli.main import main

if __name__ == "__main__":
    main()
