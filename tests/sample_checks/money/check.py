assert compound_interest(1000, 0.12, 1) == 126.83
assert compound_interest(1000, 0.05, 2, 1) == 102.5
assert compound_interest(0, 0.05, 2) == 0
assert savings_balance(1000, 5, 2) == 1102.5
assert savings_balance(250, 3, 0) == 250
assert make_change(388) == {200: 1, 100: 1, 50: 1, 20: 1, 10: 1, 5: 1, 2: 1, 1: 1}
assert make_change(0) == {}
try:
    make_change(3, (2, 5))
except ValueError:
    pass
else:
    raise AssertionError("make_change")
assert split_bill(1000, 3) == [334, 333, 333]
assert split_bill(1000, 2, 10) == [550, 550]
try:
    split_bill(10, 0)
except ValueError:
    pass
else:
    raise AssertionError("split_bill")
assert format_money(123456789) == "$1,234,567.89"
assert format_money(-5, "€") == "-€0.05"
assert format_money(0) == "$0.00"
BANDS = [(10000, 0.1), (40000, 0.2), (None, 0.4)]
assert income_tax(50000, BANDS) == 11000
assert income_tax(10000, BANDS) == 1000
assert income_tax(0, BANDS) == 0
