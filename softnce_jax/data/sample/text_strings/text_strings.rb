# task: palindrome_word
def palindrome?(word)
  half = word.length / 2
  half.times do |i|
    return false if word[i] != word[-1 - i]
  end
  true
end

# task: palindrome_phrase
def same_backwards?(phrase)
  letters = phrase.downcase.gsub(/[^[:alnum:]]/, '')
  return true if letters.empty?

  letters == letters.reverse
end

# task: camel_to_snake_case
def underscore(identifier)
  identifier
    .gsub(/([A-Z]+)([A-Z][a-z])/, '\1_\2')
    .gsub(/([a-z\d])([A-Z])/, '\1_\2')
    .tr('-', '_')
    .downcase
end

# task: wrap_text
def wrap(text, width)
  text.split.each_with_object([]) do |word, lines|
    if lines.empty? || lines.last.size + word.size >= width
      lines.push(word.dup)
    else
      lines.last << ' ' << word
    end
  end
end

# task: reverse_word_order
def reverse_words(sentence)
  ordered = []
  sentence.scan(/\S+/) do |token|
    ordered.unshift(token)
  end
  ordered.join(' ')
end

# task: longest_common_prefix
def common_prefix(strings)
  return '' if strings.empty?

  shortest, longest = strings.minmax
  stop = shortest.each_char.with_index.find { |char, at| longest[at] != char }
  stop ? shortest[0, stop.last] : shortest
end
# end
