"""Strings that match the regular expressions of AWS' service models, which are Java's, at a wanted length."""

import functools
import itertools
import re
import sys
import unicodedata

try:
    from re import _constants as codes
    from re import _parser as parser
except ImportError:  # before Python 3.11
    import sre_constants as codes
    import sre_parse as parser

# More ways through a pattern than this add nothing.
MOST_SKELETONS = 64
PREFERRED = "ab01-"


@functools.cache
def _category(letter):
    """All characters of a Unicode category such as L, as ranges for a character class."""
    ranges, start = [], None
    for number in range(sys.maxunicode + 2):
        inside = number <= sys.maxunicode and unicodedata.category(chr(number)).startswith(letter)
        if inside and start is None:
            start = number
        elif not inside and start is not None:
            ranges.append(f"\\U{start:08x}-\\U{number - 1:08x}")
            start = None
    return "".join(ranges)


def translated(pattern):
    """A pattern of Java's in Python's syntax: `\\p{L}`, and a dot that stands for no line terminator of Unicode's."""
    result, in_class, index = "", False, 0
    while index < len(pattern):
        if match := re.match(r"\\p\{(\w)\}", pattern[index:]):
            assert in_class, pattern
            result += _category(match[1])
            index += len(match[0])
            continue
        character = pattern[index]
        if character == "\\":
            result += pattern[index : index + 2]
            index += 2
            continue
        in_class = character == "[" or (in_class and character != "]")
        result += r"[^\n\r\x85\u2028\u2029]" if character == "." and not in_class else character
        index += 1
    return result


@functools.cache
def compiled(pattern):
    return re.compile(translated(pattern), re.ASCII)


def matches(pattern, text):
    """Whether a whole text matches a pattern, as Java's `matches` has it."""
    return compiled(pattern).fullmatch(text) is not None


# A skeleton is a way through a pattern: a list of runs (character, least, most).


@functools.cache
def _skeletons(pattern):
    return list(itertools.islice(_ways(parser.parse(translated(pattern), re.ASCII)), MOST_SKELETONS))


def _ways(tree):
    """Every way through a parsed pattern, the least of repetitions first."""
    choices = [_choices(code, argument) for code, argument in tree]
    for way in _product(choices):
        yield [run for part in way for run in part]


def _product(choices):
    """Like itertools.product, but the first ones differ in every place, not only in the last."""
    plain = [choice[0] for choice in choices]
    yield plain
    for place, choice in enumerate(choices):
        for other in choice[1:]:
            yield plain[:place] + [other] + plain[place + 1 :]
    yield [choice[-1] for choice in choices]


def _choices(code, argument):
    if code is codes.LITERAL:
        return [[(chr(argument), 1, 1)]]
    if code in (codes.IN, codes.NOT_LITERAL, codes.ANY):
        return [[(_character(code, argument), 1, 1)]]
    if code is codes.SUBPATTERN:
        return list(itertools.islice(_ways(argument[-1]), MOST_SKELETONS))
    if code is codes.BRANCH:
        return [way for branch in argument[1] for way in itertools.islice(_ways(branch), MOST_SKELETONS)]
    if code in (codes.MAX_REPEAT, codes.MIN_REPEAT):
        least, most, body = argument
        most = 1 << 30 if most is codes.MAXREPEAT else int(most)
        ways = list(itertools.islice(_ways(body), MOST_SKELETONS))
        if all(len(way) == 1 and way[0][1:] == (1, 1) for way in ways):
            return [[(ways[0][0][0], int(least), most)]]
        once = [way * max(int(least), 1) for way in ways]
        return ([[]] if least == 0 else []) + once
    if code in (codes.AT, codes.ASSERT, codes.ASSERT_NOT):
        return [[]]
    raise NotImplementedError(f"{code} in a pattern")


def _character(code, argument):
    """One character out of a class, a plain one if there is."""
    if code is codes.ANY:
        return "a"
    items = [(codes.NEGATE, None), (codes.LITERAL, argument)] if code is codes.NOT_LITERAL else argument
    negated = items[0][0] is codes.NEGATE
    for character in itertools.chain(PREFERRED, map(chr, range(32, 127))):
        if any(_is_of(character, *item) for item in items[negated:]) != negated:
            return character
    raise NotImplementedError(f"no character for {argument}")


def _is_of(character, code, argument):
    if code is codes.LITERAL:
        return ord(character) == argument
    if code is codes.RANGE:
        return argument[0] <= ord(character) <= argument[1]
    return {
        codes.CATEGORY_DIGIT: "0" <= character <= "9",
        codes.CATEGORY_WORD: character == "_" or character.isascii() and character.isalnum(),
        codes.CATEGORY_SPACE: character in " \t\n\r\f\v",
        codes.CATEGORY_NOT_SPACE: character not in " \t\n\r\f\v",
    }[argument]


def samples(pattern, least=0, most=1 << 30):
    """Texts of different forms that match and have a length within bounds, each as short as that allows."""
    found = []
    for skeleton in _skeletons(pattern):
        text = _filled(skeleton, max(least, _shortest(skeleton)))
        if text is not None and len(text) <= most and text not in found and matches(pattern, text):
            found.append(text)
    return found


def _shortest(skeleton):
    return sum(least for _, least, _ in skeleton)


def of_length(pattern, length):
    """A text of exactly this length that matches, or None."""
    for skeleton in _skeletons(pattern):
        text = _filled(skeleton, length)
        if text is not None and matches(pattern, text):
            return text
    return None


def _filled(skeleton, length):
    missing = length - _shortest(skeleton)
    if missing < 0:
        return None
    text = ""
    for character, least, most in skeleton:
        more = min(missing, most - least)
        missing -= more
        text += character * (least + more)
    return text if missing == 0 else None
