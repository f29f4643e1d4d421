require 'tmpdir'
require 'fileutils'

abc = 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad'
Dir.mktmpdir do |base|
  log = File.join(base, 'log.txt')
  empty = File.join(base, 'empty.txt')
  short = File.join(base, 'abc.bin')
  File.write(log, "one\n\n  \ntwo\nthree")
  File.write(empty, '')
  File.write(short, 'abc')
  raise 'lines' unless count_lines(log) == 5
  raise 'lines empty' unless count_lines(empty).zero?
  raise 'nonblank' unless nonblank_line_count(log) == 3
  raise 'nonblank empty' unless nonblank_line_count(empty).zero?
  raise 'sha' unless sha256_file(short) == abc && sha256_file(short, 2) == abc
  raise 'sha empty' unless sha256_file(empty).start_with?('e3b0c44298fc1c14')
  FileUtils.mkdir_p(File.join(base, 'sub', 'deep'))
  File.write(File.join(base, 'sub', 'deep', 'note.TXT'), 'x')
  names = files_with_extension(base, 'txt').map { |f| File.basename(f) }
  raise 'extension' unless names.sort == %w[empty.txt log.txt note.TXT]
  raise 'extension none' unless files_with_extension(base, '.md') == []
  target = File.join(base, 'out.bin')
  atomic_write(target, 'first')
  atomic_write(target, 'second')
  raise 'atomic' unless File.read(target) == 'second'
  begin
    atomic_write(File.join(base, 'missing', 'x'), 'data')
  rescue Errno::ENOENT
    failed = true
  end
  raise 'atomic error' unless failed
  raise 'atomic leftovers' unless Dir.glob("#{base}/*.tmp").empty?
  raise 'tail' unless tail(log, 2) == %w[two three]
  raise 'tail all' unless tail(log, 99) == ['one', '', '  ', 'two', 'three']
  raise 'tail empty' unless tail(empty, 3) == []
end
