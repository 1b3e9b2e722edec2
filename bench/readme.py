"""Tables of bench/README.md, between <!-- a name --> and the next <!-- end -->."""

from pathlib import Path

README = Path(__file__).with_name("README.md")


def replace(name: str, text: str, path: Path = README) -> None:
    """Put text in the place of a table; a name that the file does not have changes nothing."""
    head, mark, rest = path.read_text().partition(f"<!-- {name} -->\n")
    if mark:
        path.write_text(f"{head}{mark}{text}<!-- end -->{rest.partition('<!-- end -->')[2]}")


def rows(name: str, path: Path = README) -> list[list[str]]:
    """The cells of a table as it was written last, without its head; none if there is none."""
    inside = path.read_text().partition(f"<!-- {name} -->\n")[2].partition("<!-- end -->")[0]
    lines = [line for line in inside.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]
