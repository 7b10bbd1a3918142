"""The sentences of stories, in six languages."""

from __future__ import annotations

import pytest

from tests.bmad.story_text import story_of


@pytest.mark.parametrize(
    ("sentence", "parts"),
    [
        ("As a user,\nI want to pay,\nso that I own it.", ("user", "to pay", "I own it")),
        (
            "**As a** user,\n**I want** to pay,\n**so that** I own it.",
            ("user", "to pay", "I own it"),
        ),
        ("As an **admin**, I want to pay, so that I own it.", ("admin", "to pay", "I own it")),
        (
            "- **As a** user\n- **I want** to pay\n- **So that** I own it",
            ("user", "to pay", "I own it"),
        ),
        (
            "**As a** user,\n\n**I want** to pay,\n\n**so that** I own it.",
            ("user", "to pay", "I own it"),
        ),
        ("**As a** user,\n\n**I want**\n\nto pay.\n\nText.", ("user", "to pay", None)),
        ("> As the system, I need to pay in order to own it.", ("system", "to pay", "own it")),
        ("As a user, I want to pay.", ("user", "to pay", None)),
        ("```\nAs a user\nI want to pay\nSo that I own it\n```", ("user", "to pay", "I own it")),
        (
            "**En tant que** client,\n**je veux** payer,\n**afin de** recevoir.",
            ("client", "payer", "recevoir"),
        ),
        ("En tant qu'admin, je souhaite payer, pour recevoir.", ("admin", "payer", "recevoir")),
        ("作为一名用户\uff0c我想要登录\uff0c以便查看订单\u3002", ("用户", "登录", "查看订单")),
        ("**作为** 用户\n**我希望** 登录\n**以便** 查看订单", ("用户", "登录", "查看订单")),
        ("Como usuario, quiero pagar, para que sea mío.", ("usuario", "pagar", "sea mío")),
        ("Como um cliente, eu quero pagar, para receber.", ("cliente", "pagar", "receber")),
        (
            "사용자로서, 나는 로그인하고 싶다, 그래서 주문을 본다.",
            ("사용자", "로그인하고 싶다", "주문을 본다"),
        ),
        (
            "**User Story:** As a user, I want to pay, so that I own it.",
            ("user", "to pay", "I own it"),
        ),
        ("- **Story Statement**: As a user, I want to pay.", ("user", "to pay", None)),
        ("Récit utilisateur : en tant que client, je veux payer.", ("client", "payer", None)),
        ("**Historia de usuario:** Como usuario, quiero pagar.", ("usuario", "pagar", None)),
        (
            "As developers, we want a linter, so that we see faults.",
            ("developers", "a linter", "we see faults"),
        ),
        (
            "En tant que client, je veux un reçu pour prouver l'achat.",
            ("client", "un reçu", "prouver l'achat"),
        ),
        (
            "En tant que client, je veux payer, de sorte que je reçoive.",
            ("client", "payer", "je reçoive"),
        ),
        (
            "En tant que client, je veux un reçu de façon à prouver.",
            ("client", "un reçu", "prouver"),
        ),
        (
            "En tant que client, je veux une page pour les reçus et pour notre banque.",
            ("client", "une page pour les reçus et pour notre banque", None),
        ),
        (
            "En tant que client, je veux une page pour payer afin de gagner du temps.",
            ("client", "une page pour payer", "gagner du temps"),
        ),
        (
            "Como usuario, quiero un recibo para probar la compra.",
            ("usuario", "un recibo", "probar la compra"),
        ),
        (
            "Como cliente, quero um recibo de modo que eu prove.",
            ("cliente", "um recibo", "eu prove"),
        ),
        (
            "Como usuario, quiero una página para los recibos.",
            ("usuario", "una página para los recibos", None),
        ),
        ("As first responders, we want maps.", ("first responders", "maps", None)),
        ("As part-time staff, we need a plan.", ("part-time staff", "a plan", None)),
        ("As needed, the team meets.", (None, None, None)),
        ("As noted above, I must say it.", (None, None, None)),
        ("As part of this, we should pay.", (None, None, None)),
        (
            "As discussed in the meeting, we should deploy.\n\nAs a user, I want to pay.",
            ("user", "to pay", None),
        ),
        ("As a result of the review, this is old.", (None, None, None)),
        ("Sign in.", (None, None, None)),
    ],
)
def test_a_sentence_has_three_parts(sentence: str, parts: tuple[str | None, ...]) -> None:
    story = story_of(f"# Story 1.2: T\n\n## Story\n\n{sentence}\n\n## Tasks\n\nAs a x, I want y.\n")
    assert (story["as_a"], story["i_want"], story["so_that"]) == parts
