require "strscan"
require "time"
require "uri"

# task: csv_line_split
def parse_csv_row(row)
  cells = [+""]
  in_quotes = false
  row.each_char.with_index do |c, i|
    case c
    when '"'
      in_quotes = !in_quotes
      cells.last << c if in_quotes && i.positive? && row[i - 1] == c
    when ","
      in_quotes ? cells.last << c : cells << +""
    else
      cells.last << c
    end
  end
  cells
end

# task: csv_line_regex
def csv_columns(line)
  cell = /\G(?:"((?:[^"]|"")*)"|([^,"]*)),/
  "#{line},".scan(cell).map do |quoted, plain|
    next plain.strip if quoted.nil?

    quoted.gsub('""', '"')
  end
end

# task: query_string_params
def parse_query(query_string)
  pairs = query_string.delete_prefix("?").split("&").reject(&:empty?)
  pairs.each_with_object({}) do |pair, params|
    key, value = pair.split("=", 2).map { |part| URI.decode_www_form_component(part) }
    if params.key?(key)
      params[key] = Array(params[key]).push(value)
    else
      params[key] = value
    end
  end
end

# task: arithmetic_expression_value
def calculate(formula)
  scanner = StringScanner.new(formula.delete(" "))
  expression = term = nil
  factor = lambda do
    next -factor.call if scanner.skip(/-/)
    next scanner.scan(/\d+(\.\d+)?/).to_r unless scanner.skip(/\(/)

    expression.call.tap { scanner.skip(/\)/) || raise(ArgumentError, "missing )") }
  end
  fold = lambda do |operand, symbols|
    value = operand.call
    while (symbol = scanner.scan(symbols))
      value = value.public_send(symbol, operand.call)
    end
    value
  end
  term = -> { fold.call(factor, %r{[*/]}) }
  expression = -> { fold.call(term, /[+-]/) }
  expression.call.to_f
end

# task: roman_numeral_to_integer
def from_roman(text)
  table = {
    "CM" => 900, "CD" => 400, "XC" => 90, "XL" => 40, "IX" => 9, "IV" => 4,
    "M" => 1000, "D" => 500, "C" => 100, "L" => 50, "X" => 10, "V" => 5, "I" => 1
  }
  symbols = text.upcase.scan(Regexp.union(table.keys))
  raise ArgumentError, "not a roman numeral: #{text}" if symbols.join != text.upcase

  symbols.sum { |symbol| table[symbol] }
end

# task: access_log_line
def parse_log_line(line)
  format = /^(?<ip>\S+) \S+ \S+ \[(?<at>.+?)\] "(?<verb>\w+) (?<path>\S+)[^"]*" (?<code>\d+) (?<bytes>\S+)/
  found = format.match(line) or return
  {
    ip: found[:ip],
    at: Time.strptime(found[:at], "%d/%b/%Y:%H:%M:%S %z"),
    request: [found[:verb], found[:path]],
    status: found[:code].to_i,
    bytes: found[:bytes].to_i
  }
end
# end
