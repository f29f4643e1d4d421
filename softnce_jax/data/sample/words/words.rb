# task: most_common_word
def most_common_word(text)
  words = text.downcase.scan(/[a-z']+/)
  return nil if words.empty?

  winner, = words.tally.max_by { |_, count| count }
  winner
end

# task: top_words
def top_words(document, limit = 10, ignore: [])
  frequencies = Hash.new(0)
  document.downcase.split(/\W+/).each do |token|
    next if token.empty? || ignore.include?(token)

    frequencies[token] += 1
  end
  frequencies.sort_by { |token, uses| [-uses, token] }.first(limit)
end

# task: longest_word
def longest_word(sentence)
  cleaned = sentence.split.map do |raw|
    raw.gsub(/\A[[:punct:]]+|[[:punct:]]+\z/, "")
  end
  cleaned.max_by(&:length) || ""
end

# task: group_anagrams
def anagram_groups(words)
  words
    .group_by { |word| word.downcase.chars.sort }
    .values
    .select { |group| group.size > 1 }
end

# task: word_ngrams
def ngrams(text, size = 2)
  raise ArgumentError, "size must be positive" if size < 1

  text.downcase
      .split
      .each_cons(size)
      .map { |gram| gram.join(" ") }
end

# task: split_sentences
def sentences(paragraph, abbreviations = %w[Mr. Mrs. Dr. e.g. i.e.])
  pieces = paragraph.split.slice_after do |chunk|
    chunk.end_with?(".", "!", "?") && !abbreviations.include?(chunk)
  end
  pieces.map do |piece|
    piece.join(" ")
  end
end
# end
