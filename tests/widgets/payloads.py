"""Texts that try to become something else in a page, and runs full of them."""

from __future__ import annotations

from dataclasses import replace
from typing import get_args

from minimalagent_nb.events import (
    Event,
    Notice,
    StepReset,
    ToolCallEnded,
    ToolStatus,
    Usage,
)
from tests.widgets.rich_run import JPEG, Storyteller, png
from tests.widgets.sample_run import Teller

PAYLOADS = (
    "<script>alert(1)</script>",
    "<SCRIPT SRC=//evil.example/x.js></SCRIPT>",
    "<script\n>alert(1)</script\n>",
    "<scr<script>ipt>alert(1)</scr</script>ipt>",
    "</script><script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    '<img src="x" onerror="alert(1)"/>',
    "<img/src=x/onerror=alert(1)>",
    "<img src=https://evil.example/pixel.png>",
    "<svg onload=alert(1)>",
    "<svg><script>alert(1)</script></svg>",
    '<svg><a xlink:href="javascript:alert(1)"><text>x</text></a></svg>',
    "<math><mtext></p><style><img src=x onerror=alert(1)></style></mtext></math>",
    "<iframe src=javascript:alert(1)></iframe>",
    '<iframe srcdoc="<script>alert(1)</script>"></iframe>',
    "<object data=javascript:alert(1)></object>",
    "<embed src=//evil.example/x.swf>",
    "<body onload=alert(1)>",
    "<input autofocus onfocus=alert(1)>",
    "<details open ontoggle=alert(1)><summary>x</summary></details>",
    "<video><source onerror=alert(1)></video>",
    "<audio src=x onerror=alert(1)>",
    "<marquee onstart=alert(1)>x</marquee>",
    "<a href=javascript:alert(1)>x</a>",
    '<a href="java\tscript:alert(1)">x</a>',
    "<form action=javascript:alert(1)><button>x</button></form>",
    "<button formaction=javascript:alert(1)>x</button>",
    '<meta http-equiv=refresh content="0;url=javascript:alert(1)">',
    "<base href=//evil.example/>",
    "<link rel=stylesheet href=//evil.example/x.css>",
    "<style>@import '//evil.example/x.css'; * { display: none }</style>",
    "<div style=\"background:url('//evil.example/x.png')\">x</div>",
    "<template><script>alert(1)</script></template>",
    '<noscript><p title="</noscript><img src=x onerror=alert(1)>">',
    "<!--><script>alert(1)</script>-->",
    "<![CDATA[<script>alert(1)</script>]]>",
    "<?xml-stylesheet href='javascript:alert(1)'?>",
    "<x onclick=alert(1) tabindex=1 autofocus>x</x>",
    "<button data-commandlinker-command=notebook:run-all-cells>x</button>",
    '" onmouseover=alert(1) x="',
    "' onmouseover=alert(1) x='",
    "` onmouseover=alert(1) x=`",
    '"><script>alert(1)</script>',
    "</pre></code></details></ul></div><script>alert(1)</script>",
    "</summary><img src=x onerror=alert(1)>",
    "</style><script>alert(1)</script>",
    "&lt;script&gt;alert(1)&lt;/script&gt;",
    "&#60;script&#62;alert(1)&#60;/script&#62;",
    "\\u003cscript\\u003ealert(1)\\u003c/script\\u003e",
    "[x](javascript:alert(1))",
    "[x](JaVaScRiPt:alert(1))",
    "[x](javascript&colon;alert(1))",
    "[x](&#106;avascript:alert(1))",
    "[x](java\nscript:alert(1))",
    "[x](data:text/html;base64,PHNjcmlwdD5hbGVydCgxKTwvc2NyaXB0Pg==)",
    "[x](vbscript:msgbox(1))",
    "[x](file:///etc/passwd)",
    '[x](https://evil.example/"onmouseover="alert(1))',
    '[x](https://evil.example "x\\" onmouseover=alert(1)")',
    "[x]: javascript:alert(1)\n\n[x]",
    "<javascript:alert(1)>",
    '<https://evil.example/"onmouseover=alert(1)>',
    "![x](https://evil.example/pixel.png)",
    "![x](javascript:alert(1))",
    "![x](data:image/svg+xml;base64,PHN2ZyBvbmxvYWQ9YWxlcnQoMSk+)",
    '![x"onerror="alert(1)](x)',
    "```<script>\nalert(1)\n```</script>",
    "```\n</code></pre><script>alert(1)</script>\n```",
    '``` "><script>alert(1)</script>\ncode\n```',
    "~~~\n```\n<script>alert(1)</script>\n~~~",
    "    </code></pre><script>alert(1)</script>",
    "`</code><script>alert(1)</script>`",
    "`` ` <img src=x onerror=alert(1)> ``",
    "| a |\n|---|\n| <img src=x onerror=alert(1)> |",
    '| a |\n|:--" onmouseover="alert(1)|\n| b |',
    "- item\n\n  <script>alert(1)</script>",
    "> <script>alert(1)</script>",
    "> ```\n<script>alert(1)</script>",
    "# <img src=x onerror=alert(1)>",
    "<div>\n\n<script>alert(1)</script>\n\n</div>",
    "\\<script>alert(1)\\</script>",
    "$\\href{javascript:alert(1)}{x}$",
    "$$\\unicode{<img src=x onerror=alert(1)>}$$",
    "\\(\\style{background:url(//evil.example)}{x}\\)",
    "\x00<scr\x00ipt>alert(1)</scr\x00ipt>",
    "\x1b]8;;https://evil.example\x1b\\x\x1b]8;;\x1b\\",
    "\x1b[2J\x1b[31mred",
    "\x9b31mred",
    "\u202egpj.exe",
    "\ufeff<script>alert(1)</script>",
    "\uff1cscript\uff1ealert(1)\uff1c/script\uff1e",
    "\ud800<script>alert(1)</script>",
    "[bold red]x[/] [link=https://evil.example]x[/link]",
    "{{constructor.constructor('alert(1)')()}}",
    "${alert(1)}",
    "__proto__",
    "%3Cscript%3Ealert(1)%3C/script%3E",
    "<a href=https://evil.example target=_self>x</a>",
    "<plaintext>",
    "<xmp><script>alert(1)</script></xmp>",
    "<textarea><script>alert(1)</script>",
    "<title><script>alert(1)</script>",
    "data:image/svg+xml;base64,PHN2ZyBvbmxvYWQ9YWxlcnQoMSk+",
    "data:text/html,<script>alert(1)</script>",
    "constructor",
    "toString",
    "\u2066hidden\u2069\u202d",
)


def hostile_run(payload: str) -> list[Event]:
    """A run with the payload in every place where a model or a tool can write."""
    teller = Teller()
    events: list[Event] = [teller.begin(payload, model=payload, agent=payload)]
    events += teller.turn(payload, payload, calls=3, tokens=Usage(7, 3))
    events += [teller.call(payload, {payload: payload, "list": [payload, {payload: payload}]})]
    events += [teller.call("tool", {"text": payload * 40}), teller.call("tool", {})]
    events += [teller.returned("call-1", {payload: [payload], "deep": {"deeper": payload}})]
    events += [teller.returned("call-2", payload * 40), teller.raised("call-3", payload)]
    events += teller.open_turn(payload, payload)
    events += [StepReset(at=teller.at, step=2, reason=payload, attempt=2)]
    events += teller.close_turn(payload, payload, 0, Usage(7, 3))
    events += [Notice(at=teller.at, kind="memory", text=payload)]
    return [*events, teller.end(payload, stop_reason="end_turn")]


def hostile_failure(payload: str) -> list[Event]:
    """A run that fails with the payload as its error."""
    teller = Teller()
    return [teller.begin(payload), teller.end(status="failed", error=payload)]


def hostile_calls(payload: str) -> list[Event]:
    """Calls with the payload in all that can happen to one, and in a sub-agent's whole run."""
    teller = Storyteller()
    events: list[Event] = [teller.begin(payload)]
    events += teller.turn(payload, payload, calls=3)
    events += [teller.call(payload, {payload: payload}) for _ in range(3)]
    events += [teller.asked("call-1")]
    edited = {payload: payload, "__proto__": {"status": payload}}
    events += [teller.decided("call-1", "edited", inputs=edited, reason=payload, by=payload)]
    events += [teller.progress("call-1", payload, 0.5)]
    for kind in ("stdout", "stderr", payload):
        events += [teller.printed("call-1", payload, kind), teller.printed("call-1", payload, kind)]
    for mime in ("image/png", "image/jpeg", "image/svg+xml", "text/html", "text/markdown", payload):
        events += [teller.displayed("call-1", **{mime: payload})]
        events += [teller.displayed("call-1", **{mime: payload, "text/plain": payload})]
    events += [teller.displayed("call-1", **{"application/json": {payload: [payload]}})]
    events += [teller.displayed("call-1", **{"image/png": png(4, 4), "text/plain": payload})]
    events += [teller.displayed("call-1", **{"image/jpeg": JPEG, "text/plain": payload})]
    events += [teller.returned("call-1", payload, left_behind=True)]
    events += [teller.asked("call-2"), teller.decided("call-2", payload, reason=payload)]
    events += [teller.returned("call-2", None, status="denied", error=payload)]
    events += teller.delegated("call-3", hostile_run(payload))
    events += [teller.returned("call-3", payload, status=payload)]
    events += [Notice(at=teller.at, kind=payload, text=payload)]
    return [*events, teller.end(payload, stop_reason=payload)]


def as_stored(events: list[Event]) -> list[Event]:
    """The same for a store, which takes a call with a status that there is not for damaged."""
    known = get_args(ToolStatus)
    return [
        replace(event, status="success")
        if isinstance(event, ToolCallEnded) and event.status not in known
        else event
        for event in events
    ]
