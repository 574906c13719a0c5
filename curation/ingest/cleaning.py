"""Product descriptions as plain text."""

from __future__ import annotations

import re

_TAGS = (
    "a|abbr|article|aside|b|big|blockquote|body|br|button|caption|center|code|col|dd|del|div|dl|dt|em|figcaption|"
    "figure|font|footer|form|h[1-6]|head|header|hr|html|i|iframe|img|input|ins|label|li|link|main|meta|nav|noscript|"
    "ol|option|p|picture|pre|s|script|section|select|small|source|span|strike|strong|style|sub|sup|svg|table|tbody|"
    "td|template|textarea|tfoot|th|thead|title|tr|u|ul|video"
)
_FLAGS = "allowfullscreen|async|checked|compact|controls|defer|disabled|hidden|noshade|nowrap|selected"
# What follows the "<" of markup proper, so that "a<b and c>d" or "5<6 inch" stay text.
_OPENED = (
    rf"(?:/?(?:{_TAGS})\s*/?>|(?:{_TAGS})\s+(?:[\w:.-]+\s*=|(?:{_FLAGS})\b)|"
    r"/?\w+:\w+[\s/>]|!--|!doctype\b|\?xml\b)"
)
_MARKUP = re.compile(
    rf"<{_OPENED}|&(?:[a-z][a-z0-9]{{1,31}}|#\d{{1,7}}|#x[0-9a-f]{{1,6}});", re.IGNORECASE | re.ASCII
)
_STRAY = re.compile(rf"<(?!{_OPENED})", re.IGNORECASE | re.ASCII)

_UNSEEN = re.compile(r"<(?:script|style|noscript|template|iframe|head)\b", re.IGNORECASE)
_BLOCK = re.compile(
    r"<(?=/?(?:address|article|aside|blockquote|br|caption|center|dd|div|dl|dt|figcaption|figure|footer|form|h[1-6]|"
    r"header|hr|li|main|nav|ol|option|p|pre|section|table|tr|ul)\b)",
    re.IGNORECASE,
)
_TABLE_CELL = re.compile(r"<(?=t[dh]\b)", re.IGNORECASE)


def clean_description(raw: str) -> str:
    """`raw` without HTML: tags and entities resolved, scripts, styles and comments dropped.

    Blocks and table rows stand on lines of their own. A text that carries no markup comes back untouched, its
    line breaks and stray ``<`` included.
    """
    # Two scans by memchr spare most texts the pattern.
    if not ("<" in raw or "&" in raw) or not _MARKUP.search(raw):
        return raw
    from selectolax.lexbor import LexborHTMLParser

    html = _STRAY.sub("&lt;", raw)
    # Separated in the source: a walk over the parsed tree costs several times as much.
    html = _TABLE_CELL.sub(" <", _BLOCK.sub("\n<", html))
    body = LexborHTMLParser(html).body
    if body is None:
        return ""
    if _UNSEEN.search(html):
        for node in body.css("script, style, noscript, template, iframe, head"):
            node.decompose()
    lines = (" ".join(line.split()) for line in body.text(separator="").split("\n"))
    return "\n".join(filter(None, lines))
