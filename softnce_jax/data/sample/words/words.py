import re
from collections import Counter, defaultdict


# task: most_common_word
def most_common_word(text):
    counts = {}
    best = None
    for word in re.findall(r"[a-z']+", text.lower()):
        counts[word] = counts.get(word, 0) + 1
        if best is None or counts[word] > counts[best]:
            best = word
    return best


# task: top_words
def top_words(document, limit=10, ignore=()):
    tokens = re.split(r"\W+", document.casefold())
    tally = Counter(filter(None, tokens))
    for skipped in ignore:
        tally.pop(skipped, None)
    ranked = sorted(tally.items(), key=lambda item: (-item[1], item[0]))
    return ranked[:limit]


# task: longest_word
def longest_word(sentence):
    longest = ""
    for raw in sentence.split():
        candidate = raw.strip(".,;:!?\"'()")
        if len(candidate) > len(longest):
            longest = candidate
    return longest


# task: group_anagrams
def group_anagrams(words):
    groups = defaultdict(list)
    for word in words:
        signature = "".join(sorted(word.lower()))
        groups[signature].append(word)
    return [members for members in groups.values() if len(members) > 1]


# task: word_ngrams
def word_ngrams(text, n=2):
    if n < 1:
        raise ValueError("n must be at least 1")
    tokens = text.lower().split()
    windows = [tokens[i:] for i in range(n)]
    return [" ".join(gram) for gram in zip(*windows, strict=False)]


# task: split_sentences
def split_sentences(paragraph, abbreviations=("Mr.", "Mrs.", "Dr.", "e.g.", "i.e.")):
    sentences = []
    current = []
    for chunk in paragraph.split():
        current.append(chunk)
        if chunk.endswith((".", "!", "?")) and chunk not in abbreviations:
            sentences.append(" ".join(current))
            current = []
    if current:
        sentences.append(" ".join(current))
    return sentences


# end
