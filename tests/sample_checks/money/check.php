function expect($wanted, $got, string $task): void
{
    if ($wanted !== $got) {
        throw new Exception($task . ': got ' . var_export($got, true));
    }
}

function fails(callable $body, string $task): void
{
    try {
        $body();
    } catch (InvalidArgumentException | RuntimeException $e) {
        return;
    }
    throw new Exception($task . ': no error');
}

expect(126.83, compoundInterest(1000, 0.12, 1), 'compound_interest');
expect(102.5, compoundInterest(1000, 0.05, 2, 1), 'compound_interest');
fails(fn () => compoundInterest(-1, 0.1, 1), 'compound_interest');
expect(1102.5, savingsBalance(1000, 5, 2), 'savings_balance');
expect(250.0, savingsBalance(250, 3, 0), 'savings_balance');
expect([200 => 1, 50 => 1, 20 => 2, 1 => 1], makeChange(291), 'make_change');
expect([], makeChange(0), 'make_change');
fails(fn () => makeChange(3, [2, 5]), 'make_change');
expect([334, 333, 333], splitBill(1000, 3), 'split_bill');
expect([550, 550], splitBill(1000, 2, 10), 'split_bill');
fails(fn () => splitBill(10, 0), 'split_bill');
expect('$1,234,567.89', formatMoney(123456789), 'format_money');
expect('-€0.05', formatMoney(-5, '€'), 'format_money');
$bands = [0 => 0.1, 10000 => 0.2, 40000 => 0.4];
expect(11000.0, incomeTax(50000, $bands), 'income_tax');
expect(1000.0, incomeTax(10000, $bands), 'income_tax');
expect(0.0, incomeTax(0, $bands), 'income_tax');
