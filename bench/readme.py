"""Tables of bench/README.md, between <!-- a name --> and the next <!-- end -->."""

from pathlib import Path

README = Path(__file__).with_name("README.md")


def replace(name: str, text: str, path: Path = README) -> None:
    """Put text in the place of a table; a name that the file does not have changes nothing."""
    head, mark, rest = path.read_text().partition(f"<!-- {name} -->\n")
    if mark:
        path.write_text(f"{head}{mark}{text}<!-- end -->{rest.partition('<!-- end -->')[2]}")
