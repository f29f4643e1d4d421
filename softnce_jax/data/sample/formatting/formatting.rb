# task: format_byte_size
def human_size(bytes)
  units = %w[B KB MB GB TB]
  size = bytes.to_f
  while size >= 1024 && units.length > 1
    size /= 1024
    units.shift
  end
  units.first == 'B' ? "#{bytes} B" : format('%.1f %s', size, units.first)
end

# task: file_size_unit
def file_size_label(length, precision: 2)
  return '0 bytes' unless length.positive?

  names = [:bytes, :KiB, :MiB, :GiB, :TiB, :PiB]
  power = [(length.bit_length - 1) / 10, names.size - 1].min
  return "#{length} bytes" if power.zero?

  scaled = length.fdiv(1024**power).round(precision)
  "#{scaled} #{names[power]}"
end

# task: ordinal_number
def ordinalize(number)
  return "#{number}th" if (11..13).cover?(number.abs % 100)

  case number.abs % 10
  when 1 then "#{number}st"
  when 2 then "#{number}nd"
  when 3 then "#{number}rd"
  else "#{number}th"
  end
end

# task: thousands_separator
def delimit_thousands(value, delimiter = ',')
  whole, fraction = value.to_s.split('.')
  grouped = whole.gsub(/(\d)(?=(\d{3})+\z)/) do |digit|
    digit + delimiter
  end
  [grouped, fraction].compact.join('.')
end

# task: progress_bar
def progress_bar(percent, width: 20)
  percent = percent.clamp(0, 100)
  filled = (percent * width / 100.0).floor
  arrow = '=' * filled
  arrow << '>' if filled.positive? && filled < width
  "[#{arrow.ljust(width)}] #{percent.round}%"
end

# task: text_table
def text_table(header, rows)
  table = [header, *rows].map { |row| row.map(&:to_s) }
  widths = table.transpose.map { |column| column.map(&:length).max }
  rule = widths.map { |width| '-' * width }
  table.insert(1, rule)
  lines = table.map do |row|
    row.zip(widths).map { |cell, width| cell.ljust(width) }.join(' | ').rstrip
  end
  lines.join("\n")
end

# end
