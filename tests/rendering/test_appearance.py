"""Rendered documents in Chromium with the style of the pages: accessible, light and dark, wide and
narrow."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from service import ROOT
from service.rendering.document import render_document
from tests.site.browser import (
    LOOKS,
    SIZES,
    Look,
    assert_accessible,
    assert_no_sideways_scroll,
    assert_works_by_keyboard,
    launched,
    needs_axe,
)
from tests.support.browser import needs_chromium

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, Page

pytestmark = needs_chromium

STYLE = (ROOT / "service/site/assets/hub.css").read_text()
LONG = "AVeryLongNameWithoutAnyPlaceToBreakIt" * 4
MARKDOWN = f"""---
title: Story 1.2
depends: [a, {{b: c}}, {LONG}]
---
## Render `documents` as GitHub does: {LONG}

*Text* with a [link](../a.md), a [foreign](https://a.b) one, a note[^1], ~~old~~, <kbd>Ctrl</kbd>.
![Architecture](img/a.png) [![Build](https://x/b.svg)](https://ci) {LONG} `{LONG}`

> [!NOTE]
> Useful `information` and [links](x).

> [!TIP]
> A tip.

> [!IMPORTANT]
> Important.

> [!WARNING]
> Take care.

> [!CAUTION]
> - one

### Tasks

- [x] Done
- [ ] Not done [link](x)
  - [ ] Nested
- [x] loose

  text

> A quote with a [link](x) and `code`

| Column | Right | Centre | {LONG} |
|---|--:|:-:|---|
| a | 1 | `x` | b |
| [y](z) | `c` | <mark>d</mark> | e |

```ts
// A comment that is longer than a telephone is wide, so that its block has to scroll sideways.
@decorate() export async function load(path: string): Promise<Number> {{
  const text = `template ${{path}}`; return 42;
}}
```

```diff
@@ -1 +1 @@
- old
+ new
```

```html
<a href="x">&amp;</a>
```

```bash
for x in $(ls); do echo "$x" 'y' # z
```

```mermaid
graph TD; A-->B
```

<details><summary>More</summary>

Hidden text

</details>
<dl><dt>Term</dt><dd>Text</dd></dl>

[^1]: The note, with a [link](x).
"""
DOCUMENTS = {
    "markdown": ("md", MARKDOWN),
    "broken front matter": ("md", "---\na: *b\n---\n## C\n"),
    "yaml": ("yaml", "# comment\na: 'b'\nlist:\n  - 1\n  - true\n" + f"c: {LONG}\n"),
    "csv": ("csv", f"Name;Count;{LONG}\nA;1;2\n"),
}


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with launched() as browser:
        yield browser


def page_of(browser: Browser, look: Look, file_type: str, text: str) -> Page:
    width, height = SIZES[look.width]
    page = browser.new_context(
        color_scheme=look.scheme,
        viewport={"width": width, "height": height},
        is_mobile=look.width != "wide",
    ).new_page()
    html = render_document(file_type, text, 1).html
    page.set_content(
        '<!doctype html><html lang="en"><meta name="viewport" content="width=device-width">'
        f'<title>Document</title><style>{STYLE}</style><main class="site-width"><h1>Title</h1>'
        f"{html}</main>"
    )
    return page


@needs_axe
@pytest.mark.parametrize("look", LOOKS, ids=str)
@pytest.mark.parametrize("name", DOCUMENTS)
def test_documents_are_accessible_in_every_look(browser: Browser, look: Look, name: str) -> None:
    page = page_of(browser, look, *DOCUMENTS[name])
    page.evaluate("document.querySelectorAll('details').forEach(element => element.open = true)")
    assert_accessible(page)
    assert_no_sideways_scroll(page)
    assert_works_by_keyboard(page)
    page.context.close()


def test_copied_lines_have_no_numbers(browser: Browser) -> None:
    text = "a: 1\n\n  b: [c]\n"
    page = page_of(browser, LOOKS[0], "yaml", text)
    copied = page.evaluate(
        "getSelection().selectAllChildren(document.querySelector('.lines')),"
        "getSelection().toString()"
    )
    assert copied.rstrip("\n") == text.rstrip("\n")
    numbers = page.eval_on_selector_all(
        ".line", "lines => lines.map(line => getComputedStyle(line, '::before').content)"
    )
    assert numbers == ['counter(line) / ""'] * 3
    page.context.close()
