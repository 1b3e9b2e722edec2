"""Clean text that came from outside: no markup, one normal form, no odd white space."""

import html
import re
import unicodedata

import nh3

# NUL and lone surrogates cannot be stored; other control and format characters only mislead.
_UNWANTED = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b\u200e\u200f\u202a-\u202e\ufeff\ud800-\udfff]"
)
_SPACE = re.compile(r"\s+")


def clean(text: str, limit: int | None = None) -> str:
    """Text without tags, in NFKC, with single spaces, cut to `limit` characters.

    >>> clean("<b>Ｓｔａｒ</b>&nbsp;&amp;\\n Moon<script>alert(1)</script>")
    'Star & Moon'
    """
    if text.isascii() and text.isprintable() and "<" not in text and "&" not in text:
        return " ".join(text.split())[:limit]  # nothing else can be wrong with it
    text = _UNWANTED.sub("", text)  # first: nh3 refuses lone surrogates
    if "<" in text:
        text = nh3.clean(text, tags=set(), clean_content_tags={"script", "style"})
    if "&" in text:
        text = _UNWANTED.sub("", html.unescape(text))
    text = unicodedata.normalize("NFKC", text)
    return _SPACE.sub(" ", text).strip()[:limit]
