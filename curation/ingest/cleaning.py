"""Product descriptions as plain text."""

from __future__ import annotations

import re

_TAGS = (
    "a|abbr|article|aside|b|big|blockquote|body|br|button|caption|center|code|col|dd|del|div|dl|dt|em|figure|font|"
    "footer|form|h[1-6]|head|header|hr|html|i|iframe|img|input|ins|label|li|link|main|meta|nav|noscript|ol|option|p|"
    "picture|pre|s|script|section|select|small|source|span|strike|strong|style|sub|sup|svg|table|tbody|td|textarea|"
    "tfoot|th|thead|title|tr|u|ul|video"
)
# A tag proper, so that "a<b and c>d" or "5<6 inch" stay text.
_MARKUP = re.compile(
    rf"</?(?:{_TAGS})\s*/?>|<(?:{_TAGS})\s[^<>]*=[^<>]*>|<!--|<!doctype|&(?:[a-z]{{2,8}}|#\d{{1,7}}|#x[0-9a-f]{{1,6}});",
    re.IGNORECASE,
)
_BLANKS = re.compile(r"[^\S\n]+")
_NEWLINES = re.compile(r"\s*\n\s*")


def clean_description(raw: str) -> str:
    """`raw` without HTML: tags and entities resolved, scripts, styles and comments dropped.

    A text that carries no markup comes back untouched, its line breaks and stray ``<`` included.
    """
    if not _MARKUP.search(raw):
        return raw
    from selectolax.lexbor import LexborHTMLParser

    tree = LexborHTMLParser(raw)
    for node in tree.css("script, style, noscript, template, iframe, head"):
        node.decompose()
    body = tree.body
    text = body.text(separator="\n") if body else ""
    return _NEWLINES.sub("\n", _BLANKS.sub(" ", text)).strip()
