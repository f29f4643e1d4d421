import operator
import re
from datetime import datetime
from itertools import pairwise
from urllib.parse import unquote_plus


# task: csv_line_split
def split_csv_line(line, delimiter=","):
    fields = [""]
    quoted = False
    previous = None
    for char in line:
        if char == '"':
            if previous == '"' and not quoted:
                fields[-1] += char
            quoted = not quoted
        elif char == delimiter and not quoted:
            fields.append("")
        else:
            fields[-1] += char
        previous = char
    return fields


# task: csv_line_regex
def csv_cells(record):
    pattern = re.compile(r'(?:^|,)(?:"((?:[^"]|"")*)"|([^,]*))')
    cells = []
    for match in pattern.finditer(record):
        inner, bare = match.groups()
        cells.append(bare if inner is None else inner.replace('""', '"'))
    return cells


# task: query_string_params
def query_params(url):
    query = url.partition("#")[0].partition("?")[2]
    params = {}
    for pair in re.split("[&;]", query):
        if pair:
            name, _, value = pair.partition("=")
            params.setdefault(unquote_plus(name), []).append(unquote_plus(value))
    return params


# task: arithmetic_expression_value
def evaluate(expression):
    tokens = re.findall(r"\d+(?:\.\d+)?|[-+*/()]", expression)[::-1]
    levels = [
        {"+": operator.add, "-": operator.sub},
        {"*": operator.mul, "/": operator.truediv},
    ]

    def parse(level):
        if level < len(levels):
            left = parse(level + 1)
            while tokens and tokens[-1] in levels[level]:
                left = levels[level][tokens.pop()](left, parse(level + 1))
            return left
        token = tokens.pop()
        if token == "-":
            return -parse(level)
        if token != "(":
            return float(token)
        inside = parse(0)
        tokens.pop()
        return inside

    return parse(0)


# task: roman_numeral_to_integer
def roman_to_int(numeral):
    digits = dict(I=1, V=5, X=10, L=50, C=100, D=500, M=1000)
    amounts = [digits[letter] for letter in numeral.upper()]
    total = 0
    for here, following in pairwise([*amounts, 0]):
        total += -here if here < following else here
    return total


# task: access_log_line
def parse_access_log(entry):
    found = re.match(
        r"(?P<ip>\S+) \S+ (?P<user>\S+) \[(?P<time>[^\]]+)\] "
        r'"(?P<method>[A-Z]+) (?P<path>\S+)[^"]*" (?P<status>\d{3}) (?P<size>\d+|-)',
        entry,
    )
    if found is None:
        return None
    info = found.groupdict()
    info["time"] = datetime.strptime(info["time"], "%d/%b/%Y:%H:%M:%S %z")
    info["status"] = int(info["status"])
    info["size"] = 0 if info["size"] == "-" else int(info["size"])
    return info


# end
