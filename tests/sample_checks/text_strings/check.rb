raise 'word' unless palindrome?('level') && palindrome?('noon') && palindrome?('')
raise 'word negative' if palindrome?('Level') || palindrome?('ab')
raise 'phrase' unless same_backwards?('A man, a plan, a canal: Panama!') && same_backwards?('?!')
raise 'phrase negative' if same_backwards?('almost a palindrome')
raise 'snake' unless underscore('parseHTTPResponse') == 'parse_http_response'
raise 'snake digits' unless underscore('UserName2Id') == 'user_name2_id'
raise 'snake empty' unless underscore('') == ''
raise 'wrap' unless wrap('the quick  brown fox jumps', 10) == ['the quick', 'brown fox', 'jumps']
raise 'wrap exact' unless wrap('ab cd', 5) == ['ab cd'] && wrap('ab cd', 4) == %w[ab cd]
raise 'wrap long' unless wrap('extraordinary day', 5) == %w[extraordinary day]
raise 'wrap empty' unless wrap('  ', 5) == []
raise 'reverse' unless reverse_words('one two  three') == 'three two one'
raise 'reverse empty' unless reverse_words('') == ''
raise 'prefix' unless common_prefix(%w[flower flow flight]) == 'fl'
raise 'prefix none' unless common_prefix(%w[dog cat]) == ''
raise 'prefix whole' unless common_prefix(%w[flows flow]) == 'flow'
raise 'prefix empty' unless common_prefix([]) == ''
