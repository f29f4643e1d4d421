require 'digest'
require 'find'
require 'securerandom'

# task: count_file_lines
def count_lines(path)
  File.open(path) do |io|
    nil while io.gets
    io.lineno
  end
end

# task: count_nonblank_lines
def nonblank_line_count(path)
  total = 0
  File.foreach(path, chomp: true) do |line|
    total += 1 if line =~ /\S/
  end
  total
end

# task: file_sha256
def sha256_file(path, chunk_size = 64 * 1024)
  digest = Digest::SHA256.new
  File.open(path, 'rb') do |file|
    while (chunk = file.read(chunk_size))
      digest.update(chunk)
    end
  end
  digest.hexdigest
end

# task: find_files_by_extension
def files_with_extension(root, extension)
  wanted = ".#{extension.delete_prefix('.').downcase}"
  matches = Find.find(root).select do |entry|
    File.file?(entry) && File.extname(entry).downcase == wanted
  end
  matches.sort
end

# task: atomic_file_write
def atomic_write(target, content)
  temporary = "#{target}.#{SecureRandom.hex(6)}.tmp"
  File.open(temporary, 'wb', 0o644) do |out|
    out.write(content)
    out.fsync
  end
  File.rename(temporary, target)
rescue StandardError
  File.delete(temporary) if File.exist?(temporary)
  raise
end

# task: last_lines_of_file
def tail(path, count = 10)
  buffer = []
  IO.readlines(path).reverse_each do |text|
    break if buffer.size == count

    buffer.unshift(text.chomp)
  end
  buffer
end
# end
