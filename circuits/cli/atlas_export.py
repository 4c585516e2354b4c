"""`circuits atlas export`: an atlas as tables, for what reads tables."""

from pathlib import Path

from circuits.cli._atlas_given import opened_atlas
from circuits.cli.console import output, print_json, progress, say
from circuits.cli.options import AS_JSON, argument, file_option
from circuits.errors import InputError
from circuits.report.text import size_in_words


def atlas_export(
    atlas: Path | None = argument(
        "[ATLAS]",
        "The folder of an atlas, from circuits atlas; by default the one that comes with the built-in network.",
        default=None,
        readable=False,
    ),
    parquet: Path | None = file_option("Write the tables as Parquet files into a folder.", metavar="DIR"),
    csv: Path | None = file_option("Write the tables as CSV files into a folder.", "--csv", metavar="DIR"),
    as_json: bool = AS_JSON,
) -> None:
    """Write the classes, units and links of an atlas as tables, for pandas, DuckDB, a spreadsheet or R."""
    if parquet is None and csv is None:
        raise InputError("--parquet and --csv are missing; give the folder that the tables are to be written into.")
    from circuits.atlas.tables import write_csv, write_parquet

    opened = opened_atlas(atlas)
    files: list[Path] = []
    with progress("Writing tables") as report:
        for folder, write in ((parquet, write_parquet), (csv, write_csv)):
            if folder is not None:
                files += write(opened, folder, report)
    if as_json:
        print_json({"files": [str(file) for file in files]})
        return
    for file in files:
        say(output(), f"Wrote {file}, {size_in_words(file.stat().st_size)}.")
