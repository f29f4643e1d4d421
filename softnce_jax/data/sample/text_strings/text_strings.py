import re
from collections import deque


# task: palindrome_word
def is_palindrome(word):
    letters = deque(word)
    while len(letters) > 1:
        if letters.popleft() != letters.pop():
            return False
    return True


# task: palindrome_phrase
def is_palindrome_phrase(phrase):
    cleaned = []
    for character in phrase.casefold():
        if character.isalnum():
            cleaned.append(character)
    return cleaned == cleaned[::-1]


# task: camel_to_snake_case
def to_snake_case(identifier):
    if not identifier:
        return ""
    acronyms = re.sub(r"([A-Z]+)([A-Z][a-z])", r"\1_\2", identifier)
    separated = re.sub(r"([a-z\d])([A-Z])", r"\1_\2", acronyms)
    return separated.lower()


# task: wrap_text
def wrap_text(text, width):
    lines = []
    current = ""
    for word in text.split():
        if current and len(current) + 1 + len(word) > width:
            lines.append(current)
            current = word
        else:
            current = f"{current} {word}".lstrip()
    if current:
        lines.append(current)
    return lines


# task: reverse_word_order
def reverse_words(sentence):
    tokens = sentence.split()
    tokens.reverse()
    if not tokens:
        return sentence
    return " ".join(tokens)


# task: longest_common_prefix
def common_prefix(strings):
    prefix = []
    for column in zip(*strings, strict=False):
        if len(set(column)) > 1:
            break
        prefix.append(column[0])
    return "".join(prefix)


# end
