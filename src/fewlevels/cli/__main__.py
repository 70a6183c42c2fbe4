"""`python -m fewlevels.cli`."""

from fewlevels.cli.main import main

if __name__ == "__main__":  # not where a worker process looks at what started it
    main()
