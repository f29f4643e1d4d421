from decimal import ROUND_HALF_UP, Decimal


# task: compound_interest
def compound_interest(principal, annual_rate, years, periods_per_year=12):
    if principal < 0 or periods_per_year < 1:
        raise ValueError("principal and compounding periods must be positive")
    periodic = annual_rate / periods_per_year
    factor = (1 + periodic) ** (periods_per_year * years)
    return round(principal * factor - principal, 2)


# task: savings_balance
def savings_balance(deposit, percent, years):
    balance = Decimal(str(deposit))
    growth = Decimal(str(percent)) / 100
    cent = Decimal("0.01")
    for _ in range(years):
        interest = (balance * growth).quantize(cent, rounding=ROUND_HALF_UP)
        balance += interest
    return float(balance)


# task: make_change
def make_change(amount, denominations=(200, 100, 50, 20, 10, 5, 2, 1)):
    handed_out = {}
    for value in sorted(denominations, reverse=True):
        count, amount = divmod(amount, value)
        if count:
            handed_out[value] = count
    if amount:
        raise ValueError(f"{amount} left over")
    return handed_out


# task: split_bill
def split_bill(bill_cents, people, tip_percent=0):
    if people <= 0:
        raise ValueError("nobody to pay")
    total = bill_cents + bill_cents * tip_percent // 100
    share, leftover = divmod(total, people)
    shares = [share] * people
    for i in range(leftover):
        shares[i] += 1
    return shares


# task: format_money
def format_money(cents, symbol="$"):
    sign = "-" if cents < 0 else ""
    whole, fraction = divmod(abs(cents), 100)
    text = f"{symbol}{whole:,}.{fraction:02d}"
    if sign:
        text = sign + text
    return text


# task: income_tax
def income_tax(income, brackets):
    owed = 0.0
    lower = 0
    for upper, rate in brackets:
        if income <= lower:
            break
        top = income if upper is None else min(income, upper)
        owed += (top - lower) * rate
        lower = upper
        if upper is None:
            break
    return round(owed, 2)


# end
