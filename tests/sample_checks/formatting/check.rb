def check_equal(expected, actual)
  raise "expected #{expected.inspect}, got #{actual.inspect}" unless expected == actual
end

check_equal '0 B', human_size(0)
check_equal '1.5 KB', human_size(1536)
check_equal '5120.0 TB', human_size(5 * 1024**5)

check_equal '0 bytes', file_size_label(0)
check_equal '1023 bytes', file_size_label(1023)
check_equal '1.0 KiB', file_size_label(1024)
check_equal '1.25 MiB', file_size_label(1_310_720)

check_equal %w[1st 2nd 3rd 4th], [1, 2, 3, 4].map { |n| ordinalize(n) }
check_equal %w[11th 12th 113th 121st], [11, 12, 113, 121].map { |n| ordinalize(n) }

check_equal '1,234,567', delimit_thousands(1_234_567)
check_equal '-100', delimit_thousands(-100)
check_equal '12 345.25', delimit_thousands(12_345.25, ' ')

check_equal '[=====>    ] 50%', progress_bar(50, width: 10)
check_equal '[    ] 0%', progress_bar(-3, width: 4)
check_equal '[====] 100%', progress_bar(250, width: 4)

check_equal "id | name\n-- | ----\n1  | ann\n22 | bo", text_table(%w[id name], [[1, 'ann'], [22, 'bo']])
check_equal "a\n-", text_table(['a'], [])
