import java.util.List;

class Check {
    static void that(boolean ok, String task) {
        if (!ok) {
            throw new AssertionError(task);
        }
    }

    public static void main(String[] a) {
        that(TextStrings.isPalindrome("level") && TextStrings.isPalindrome("noon"), "word");
        that(TextStrings.isPalindrome(""), "word empty");
        that(!TextStrings.isPalindrome("Level") && !TextStrings.isPalindrome("ab"), "word negative");
        that(TextStrings.readsSameBackwards("A man, a plan, a canal: Panama!"), "phrase");
        that(TextStrings.readsSameBackwards("?!"), "phrase empty");
        that(!TextStrings.readsSameBackwards("almost a palindrome"), "phrase negative");
        that(TextStrings.toSnakeCase("parseHTTPResponse").equals("parse_http_response"), "snake");
        that(TextStrings.toSnakeCase("").equals(""), "snake empty");
        that(TextStrings.wrap("the quick  brown fox jumps", 10)
            .equals(List.of("the quick", "brown fox", "jumps")), "wrap");
        that(TextStrings.wrap("ab cd", 5).equals(List.of("ab cd")), "wrap exact");
        that(TextStrings.wrap("extraordinary day", 5)
            .equals(List.of("extraordinary", "day")), "wrap long");
        that(TextStrings.reverseWords("one two  three").equals("three two one"), "reverse");
        that(TextStrings.reverseWords("").equals(""), "reverse empty");
        that(TextStrings.commonPrefix(List.of("flower", "flow", "flight")).equals("fl"), "prefix");
        that(TextStrings.commonPrefix(List.of("dog", "cat")).equals(""), "prefix none");
        that(TextStrings.commonPrefix(List.of()).equals(""), "prefix empty");
    }
}
