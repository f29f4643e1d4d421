# task: format_byte_size
def human_readable_size(num_bytes):
    size = float(num_bytes)
    for unit in ("B", "KB", "MB", "GB", "TB"):
        if size < 1024 or unit == "TB":
            break
        size /= 1024
    return f"{num_bytes} B" if unit == "B" else f"{size:.1f} {unit}"


# task: file_size_unit
def describe_file_size(length, decimals=2):
    if length <= 0:
        return "0 bytes"
    prefixes = ["bytes", "KiB", "MiB", "GiB", "TiB", "PiB"]
    exponent = min((length.bit_length() - 1) // 10, len(prefixes) - 1)
    scaled = length / (1 << (10 * exponent))
    return f"{scaled:.{decimals if exponent else 0}f} {prefixes[exponent]}"


# task: ordinal_number
def ordinal(number):
    last_two = abs(number) % 100
    if 11 <= last_two <= 13:
        return f"{number}th"
    return f"{number}{ {1: 'st', 2: 'nd', 3: 'rd'}.get(last_two % 10, 'th') }"


# task: thousands_separator
def group_digits(value, separator=","):
    sign = "-" if value < 0 else ""
    whole, point, fraction = str(abs(value)).partition(".")
    groups = []
    while whole:
        groups.append(whole[-3:])
        whole = whole[:-3]
    return sign + separator.join(reversed(groups)) + point + fraction


# task: progress_bar
def progress_bar(done, total, width=20):
    ratio = done / total if total else 1.0
    ratio = min(max(ratio, 0.0), 1.0)
    filled = round(ratio * width)
    bar = "#" * filled + "." * (width - filled)
    return f"[{bar}] {ratio:.0%}"


# task: text_table
def render_table(header, rows):
    lines = [[str(cell) for cell in row] for row in [header, *rows]]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    lines.insert(1, ["-" * width for width in widths])
    rendered = []
    for line in lines:
        cells = (cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        rendered.append(" | ".join(cells).rstrip())
    return "\n".join(rendered)


# end
