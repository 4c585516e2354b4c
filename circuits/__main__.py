"""Run the command line with `python -m circuits`."""

from circuits.cli.main import main

if __name__ == "__main__":
    main()
