"""Which languages are highlighted, and by which of Pygments' lexers.

The languages are those that documents of software teams have. Python's regular expressions cannot
be stopped, and those of some lexers take time that doubles with each character. So a lexer is here
only if tests/rendering/test_lexers.py finds no such pattern in it.
"""

import re
import sys
from collections.abc import Callable, Iterator
from functools import lru_cache
from importlib import import_module
from typing import Any, Final, Protocol


class TokenReader(Protocol):
    """What is used of a lexer of Pygments."""

    def get_tokens(self, text: str) -> Iterator[tuple[Any, str]]:
        """Yield each token's type and text."""
        ...


# By language: the module in pygments.lexers, and the lexer in it.
_LEXERS: Final = {
    "bash": ("shell", "BashLexer"),
    "c": ("c_cpp", "CLexer"),
    "console": ("shell", "BashSessionLexer"),
    "cpp": ("c_cpp", "CppLexer"),
    "csharp": ("dotnet", "CSharpLexer"),
    "css": ("css", "CssLexer"),
    "diff": ("diff", "DiffLexer"),
    "dockerfile": ("configs", "DockerLexer"),
    "gherkin": ("testing", "GherkinLexer"),
    "go": ("go", "GoLexer"),
    "graphql": ("graphql", "GraphQLLexer"),
    "hcl": ("configs", "TerraformLexer"),
    "html": ("html", "HtmlLexer"),
    "ini": ("configs", "IniLexer"),
    "java": ("jvm", "JavaLexer"),
    "javascript": ("javascript", "JavascriptLexer"),
    "json": ("data", "JsonLexer"),
    "kotlin": ("jvm", "KotlinLexer"),
    "make": ("make", "MakefileLexer"),
    "markdown": ("markup", "MarkdownLexer"),
    "nginx": ("configs", "NginxConfLexer"),
    "php": ("php", "PhpLexer"),
    "powershell": ("shell", "PowerShellLexer"),
    "properties": ("configs", "PropertiesLexer"),
    "proto": ("dsls", "ProtoBufLexer"),
    "python": ("python", "PythonLexer"),
    "ruby": ("ruby", "RubyLexer"),
    "rust": ("rust", "RustLexer"),
    "scala": ("jvm", "ScalaLexer"),
    "scss": ("css", "ScssLexer"),
    "sql": ("sql", "SqlLexer"),
    "swift": ("objective", "SwiftLexer"),
    "toml": ("configs", "TOMLLexer"),
    "typescript": ("javascript", "TypeScriptLexer"),
    "xml": ("html", "XmlLexer"),
    "yaml": ("data", "YamlLexer"),
}
LANGUAGES: Final = frozenset(_LEXERS)

# Other words for them after the fence.
_OTHER_WORDS: Final = {
    "c#": "csharp",
    "c++": "cpp",
    "cs": "csharp",
    "docker": "dockerfile",
    "dotenv": "properties",
    "env": "properties",
    "feature": "gherkin",
    "golang": "go",
    "h": "c",
    "htm": "html",
    "hpp": "cpp",
    "js": "javascript",
    "json5": "json",
    "jsonc": "json",
    "jsx": "javascript",
    "kt": "kotlin",
    "makefile": "make",
    "md": "markdown",
    "mjs": "javascript",
    "node": "javascript",
    "patch": "diff",
    "postgres": "sql",
    "postgresql": "sql",
    "protobuf": "proto",
    "ps1": "powershell",
    "pwsh": "powershell",
    "py": "python",
    "python3": "python",
    "rb": "ruby",
    "rs": "rust",
    "sass": "scss",
    "sh": "bash",
    "shell": "bash",
    "shell-session": "console",
    "sh-session": "console",
    "svg": "xml",
    "terraform": "hcl",
    "tf": "hcl",
    "ts": "typescript",
    "tsx": "typescript",
    "vue": "html",
    "xhtml": "html",
    "yml": "yaml",
    "zsh": "bash",
}

# Markdown in Markdown: not the code in it, which could be of any of Pygments' languages.
_OPTIONS: Final = {"markdown": {"handlecodeblocks": False}}


_PHP_NAME: Final = r"(?:[_a-z]|[^\x00-\x7f])(?:\w|[^\x00-\x7f])"
# Patterns that a hostile text makes slow, by module and lexer, and what matches the same in linear
# time: a possessive repetition gives nothing back.
SAFE_PATTERNS: Final = {
    ("shell", "BashLexer"): {
        r"(?s)\$'(\\\\|\\[0-7]+|\\.|[^'\\])*'": r"(?s)\$'(\\.|[^'\\])*+'",
        r"<<-?\s*(\'?)\\?(\w+)[\w\W]+?\2": r"<<-?\s*(\'?)\\?(\w++)[\w\W]+?\2",
    },
    ("php", "PhpLexer"): {
        rf"""(<<<)([\'"]?)({_PHP_NAME}*)(\2\n.*?\n\s*)(\3)(;?)(\n)""": (
            rf"""(<<<)([\'"]?)({_PHP_NAME}*+)(\2\n.*?\n\s*)(\3)(;?)(\n)"""
        ),
    },
    ("jvm", "ScalaLexer"): {
        r'"(\\\\|\\"|[^"])*"': r'"(\\\\|\\"|[^"])*+"',
        r'raw"(\\\\|\\"|[^"])*"': r'raw"(\\\\|\\"|[^"])*+"',
    },
}


def language_of(word: str) -> str | None:
    """Return the language that a word after a fence means, if it is highlighted."""
    word = word.lower()
    language = _OTHER_WORDS.get(word, word)
    return language if language in LANGUAGES else None


@lru_cache(maxsize=len(LANGUAGES))
def lexer_of(language: str) -> TokenReader:
    """Return the lexer of a language, loaded when its first text comes."""
    module, name = _LEXERS[language]
    lexer: Callable[..., TokenReader] = getattr(import_module(f"pygments.lexers.{module}"), name)
    made = lexer(stripnl=False, ensurenl=False, **_OPTIONS.get(language, {}))
    _make_patterns_safe()
    return made


def _make_patterns_safe() -> None:
    """Replace the slow patterns of the lexers that are loaded, some of them by others."""
    for (module, name), patterns in SAFE_PATTERNS.items():
        if not (loaded := sys.modules.get(f"pygments.lexers.{module}")):
            continue
        lexer = getattr(loaded, name)
        lexer()  # compiles its patterns
        for rules in lexer._tokens.values():
            for place, (match, *action) in enumerate(rules):
                pattern = match.__self__
                if safe := patterns.get(pattern.pattern):
                    rules[place] = (re.compile(safe, pattern.flags).match, *action)
