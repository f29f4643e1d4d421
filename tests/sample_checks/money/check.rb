def expect(wanted, got)
  raise "wanted #{wanted.inspect}, got #{got.inspect}" unless wanted == got
end

def expect_error(kind)
  yield
rescue kind
  nil
else
  raise "no #{kind}"
end

expect 126.83, compound_interest(1000, 0.12, 1)
expect 102.5, compound_interest(1000, 0.05, 2, times_per_year: 1)
expect_error(ArgumentError) { compound_interest(-1, 0.1, 1) }
expect 1102.5, savings_balance(1000, 5, 2)
expect 250.0, savings_balance(250, 3, 0)
expect({ 200 => 1, 50 => 1, 20 => 2, 1 => 1 }, make_change(291))
expect({}, make_change(0))
expect_error(ArgumentError) { make_change(3, [2, 5]) }
expect [334, 333, 333], split_bill(1000, 3)
expect [550, 550], split_bill(1000, 2, tip: 10)
expect_error(ArgumentError) { split_bill(10, 0) }
expect "$1,234,567.89", format_money(123_456_789)
expect "-€0.05", format_money(-5, "€")
bands = [[10_000, 0.1], [40_000, 0.2], [nil, 0.4]]
expect 11_000.0, income_tax(50_000, bands)
expect 1000.0, income_tax(10_000, bands)
expect 0.0, income_tax(0, bands)
