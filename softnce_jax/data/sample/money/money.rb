# task: compound_interest
def compound_interest(principal, rate, years, times_per_year: 12)
  raise ArgumentError, "negative principal" if principal.negative?

  per_period = rate.to_f / times_per_year
  final = principal * (1 + per_period)**(times_per_year * years)
  (final - principal).round(2)
end

# task: savings_balance
def savings_balance(deposit, percent, years)
  growth = Rational(percent.to_s) / 100
  start = Rational(deposit.to_s)
  balance = years.times.reduce(start) do |saved, _|
    saved + (saved * growth).round(2)
  end
  balance.to_f
end

# task: make_change
def make_change(amount, coins = [200, 100, 50, 20, 10, 5, 2, 1])
  remaining = amount
  change = coins.sort.reverse.each_with_object({}) do |coin, pile|
    next if coin > remaining

    pile[coin], remaining = remaining.divmod(coin)
  end
  raise ArgumentError, "cannot pay out #{remaining}" unless remaining.zero?

  change
end

# task: split_bill
def split_bill(cents, people, tip: 0)
  raise ArgumentError, "need at least one person" unless people.positive?

  total = cents + cents * tip / 100
  share, extra = total.divmod(people)
  Array.new(people) { |i| i < extra ? share + 1 : share }
end

# task: format_money
def format_money(cents, symbol = "$")
  dollars, rest = cents.abs.divmod(100)
  grouped = dollars.to_s.reverse.scan(/\d{1,3}/).join(",").reverse
  prefix = cents.negative? ? "-#{symbol}" : symbol
  format("%s%s.%02d", prefix, grouped, rest)
end

# task: income_tax
def income_tax(income, brackets)
  floor = 0
  owed = brackets.sum do |limit, rate|
    ceiling = [income, limit || Float::INFINITY].min
    taxable = [ceiling - floor, 0].max
    floor = limit
    taxable * rate
  end
  owed.round(2)
end
# end
