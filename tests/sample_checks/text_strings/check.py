assert is_palindrome("level") and is_palindrome("noon")
assert is_palindrome("") and is_palindrome("x")
assert not is_palindrome("Level") and not is_palindrome("ab")
assert is_palindrome_phrase("A man, a plan, a canal: Panama!")
assert is_palindrome_phrase("?!")
assert not is_palindrome_phrase("almost a palindrome")
assert to_snake_case("parseHTTPResponse") == "parse_http_response"
assert to_snake_case("UserName2Id") == "user_name2_id"
assert to_snake_case("") == ""
assert wrap_text("the quick  brown fox jumps", 10) == ["the quick", "brown fox", "jumps"]
assert wrap_text("extraordinary day", 5) == ["extraordinary", "day"]
assert wrap_text("ab cd", 5) == ["ab cd"]
assert wrap_text("  ", 5) == []
assert reverse_words("one two  three") == "three two one"
assert reverse_words("solo") == "solo"
assert reverse_words("") == ""
assert common_prefix(["flower", "flow", "flight"]) == "fl"
assert common_prefix(["dog", "cat"]) == ""
assert common_prefix(["same", "same"]) == "same"
assert common_prefix([]) == ""
