import java.math.BigDecimal;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.TreeSet;

class Check {
    static void expect(boolean ok, String task) {
        if (!ok) {
            throw new AssertionError(task);
        }
    }

    static void fails(Runnable body, String task) {
        try {
            body.run();
        } catch (RuntimeException e) {
            return;
        }
        throw new AssertionError(task);
    }

    public static void main(String[] a) {
        expect(Money.compoundInterest(1000, 0.12, 12, 1) == 126.83, "compound_interest");
        expect(Money.compoundInterest(1000, 0.05, 1, 2) == 102.5, "compound_interest");
        fails(() -> Money.compoundInterest(-1, 0.1, 1, 1), "compound_interest");
        BigDecimal five = new BigDecimal("5");
        expect(Money.savingsBalance(new BigDecimal("1000"), five, 2).toString().equals("1102.50"),
                "savings_balance");
        expect(Money.savingsBalance(new BigDecimal("250"), five, 0).toString().equals("250.00"),
                "savings_balance");
        TreeSet<Integer> coins = new TreeSet<>(List.of(1, 2, 5, 10, 20, 50, 100, 200));
        expect(Money.makeChange(291, coins).equals(Map.of(200, 1, 50, 1, 20, 2, 1, 1)), "make_change");
        expect(Money.makeChange(0, coins).isEmpty(), "make_change");
        fails(() -> Money.makeChange(3, new TreeSet<>(List.of(2, 5))), "make_change");
        expect(Arrays.equals(Money.splitBill(1000, 3, 0), new long[] {333, 333, 334}), "split_bill");
        expect(Arrays.equals(Money.splitBill(1000, 2, 10), new long[] {550, 550}), "split_bill");
        fails(() -> Money.splitBill(10, 0, 0), "split_bill");
        expect(Money.formatMoney(123456789, "$").equals("$1,234,567.89"), "format_money");
        expect(Money.formatMoney(-5, "€").equals("-€0.05"), "format_money");
        double[][] bands = {{0, 0.1}, {10000, 0.2}, {40000, 0.4}};
        expect(Math.abs(Money.incomeTax(50000, bands) - 11000) < 1e-6, "income_tax");
        expect(Money.incomeTax(10000, bands) == 1000, "income_tax");
        expect(Money.incomeTax(0, bands) == 0, "income_tax");
    }
}
