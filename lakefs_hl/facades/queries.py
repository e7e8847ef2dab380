"""What people type to search: read as words and phrases, and compared with texts. Nothing here is a database.

A text is a sequence of words, of letters and digits. Everything else separates them, so that a path is its parts. Case
and diacritics mean nothing. `SensorData2024` is one word, and also three: `Sensor`, `Data` and `2024`.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Final, NamedTuple

from lakefs_hl.facades import arguments

#: Maximum length of a query, in characters. A path has at most 1,024 bytes.
MAX_LENGTH: Final = 4096
#: Words and phrases of a query that count. What follows them is ignored.
MAX_WORDS: Final = 64
#: Length of an excerpt, in characters.
EXCERPT: Final = 160
_LOWER: Final = "a-z\u00df-\u00f6\u00f8-\u00ff\u03b1-\u03c9\u0430-\u044f\u0451"
_UPPER: Final = "A-Z\u00c0-\u00d6\u00d8-\u00de\u0391-\u03a9\u0410-\u042f\u0401"
_LETTER: Final = r"[^\W\d_]"
#: Where a word has parts. A single letter beside digits is no part: hashes are full of them.
_BOUNDARY: Final = re.compile(
    f"(?<=[{_LOWER}])(?=[{_UPPER}])|(?<=[{_UPPER}])(?=[{_UPPER}][{_LOWER}])"
    rf"|(?<={_LETTER}{_LETTER})(?=\d)|(?<=\d)(?={_LETTER}{_LETTER})"
)
_PIECE: Final = re.compile(r'"([^"]*)"?|([^\s"]+)')
_WORD: Final = re.compile(r"[^\W_]+")
_URI: Final = re.compile(r"lakefs://([^/]+)(?:/([^/]*)(?:/(.*))?)?", re.DOTALL)


class Query(NamedTuple):
    """A query, read.

    Attributes:
        given: What was typed.
        text: The same without space around it, or what follows the repository and the reference of a URI.
        match: The expression for FTS5. None if there is no word in it.
        words: Its words, folded.
        repository: The repository of a URI that was typed, else None.
    """

    given: str
    text: str
    match: str | None
    words: tuple[str, ...]
    repository: str | None = None


def read(query: object) -> Query:
    """Read what was typed. Nothing in it is syntax, except quotes around a phrase.

    Raises:
        TypeError: It is no text.
        ValueError: It is empty, or too long.
    """
    given = arguments.text(query, "query")
    text = given.strip()
    if not text:
        msg = "query must not be empty: give words, a path, a URI or a phrase in double quotes"
        raise ValueError(msg)
    if len(text) > MAX_LENGTH:
        msg = f"query has {len(text):,} characters, and at most {MAX_LENGTH:,} are searched for: {text:.60}…"
        raise ValueError(msg)
    repository = None
    if uri := _URI.fullmatch(text):
        repository = uri[1]
        text = uri[3] or uri[2] or uri[1]
    begun = _is_letter(given[-1:])  # a word that is being typed, or a phrase
    match, words = _match(text, begun=begun, whole=repository is not None)
    return Query(given, text, match, words, repository)


def _match(text: str, *, begun: bool, whole: bool) -> tuple[str | None, tuple[str, ...]]:
    """Return the expression of a text, and its words."""
    found = [text] if whole else [quoted or word for quoted, word in _PIECE.findall(text)]
    pieces = [piece for piece in map(clean, found) if _WORD.search(piece)][:MAX_WORDS]
    terms, words = list[str](), list[str]()
    for number, piece in enumerate(pieces, 1):
        terms.append(_term(piece, "*" if begun and number == len(pieces) else ""))
        words += _WORD.findall(fold(piece))
    return " AND ".join(terms) or None, tuple(dict.fromkeys(words))


def _term(piece: str, prefix: str) -> str:
    """Return a piece as it is written in FTS5: a phrase of its words, or of the parts of these."""
    forms = [f'"{form}"{prefix}' for form in dict.fromkeys((piece, split(piece)))]
    return forms[0] if len(forms) == 1 else f"({' OR '.join(forms)})"


def _is_letter(character: str) -> bool:
    return _WORD.match(character) is not None


def clean(text: str) -> str:
    """Return a text without what SQLite or FTS5 cannot take: quotes, control characters, halves of surrogate pairs."""
    if text.isascii() and text.isprintable() and '"' not in text:
        return text
    plain = (" " if one == '"' or unicodedata.category(one) == "Cc" else one for one in text)
    return "".join(plain).encode("utf-8", "replace").decode()


def split(text: str) -> str:
    """Return a text with a space wherever a word has parts."""
    return _BOUNDARY.sub(" ", text)


def expand(text: str) -> str:
    """Return what is indexed of a text: its words, and the parts of words that have some."""
    parts = split(text)
    return text if parts == text else f"{text}\n{parts}"


def fold(text: str) -> str:
    """Return a text without case and diacritics."""
    if text.isascii():
        return text.lower()
    return "".join(map(_fold_one, text))


def _fold_one(character: str) -> str:
    """Fold a character to one character, so that positions stay."""
    if character.isascii():
        return character.lower()
    return unicodedata.normalize("NFKD", character)[:1].lower()[:1] or character


def score(query: Query, text: str, *, is_path: bool) -> float:
    """Return how well a text fits that has all words of a query, between 0 and 1.

    A text that is the query has 1. Else what counts is the share of the text that was typed, whether its words are
    whole, and, in a path, whether they are in its last part.
    """
    folded, wanted = fold(text), fold(query.text)
    if folded == wanted:
        return 1.0
    share = min(1.0, sum(map(len, query.words)) / (len(folded) or 1))
    found, last = share * 0.5, folded.rpartition("/")[2] if is_path else ""
    if query.words and _has_word(folded, query.words[-1]):
        found += 0.2
    if last == wanted:
        return found + 0.3
    return found + 0.2 if is_path and all(word in last for word in query.words) else found


def _has_word(folded: str, word: str) -> bool:
    """Return whether a text has a word at its first occurrence that does not go on."""
    at = folded.find(word)
    return at >= 0 and not folded[at + len(word) : at + len(word) + 1].isalnum()


def excerpt(query: Query, text: str) -> str:
    """Return the line of a text with the first word that was found, in at most 160 characters."""
    folded = fold(text)
    places = [place for place in (folded.find(word) for word in query.words) if place >= 0]
    at = min(places, default=0)
    begin = text.rfind("\n", 0, at) + 1
    end = text.find("\n", at)
    line = text[begin : end if end >= 0 else len(text)]
    if len(line) <= EXCERPT:
        return line
    room = EXCERPT - 2
    start = max(0, min(at - begin - EXCERPT // 4, len(line) - room))
    shown = line[start : start + room]
    return f"{'…' if start else ''}{shown}{'…' if start + room < len(line) else ''}"
