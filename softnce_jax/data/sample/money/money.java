import java.math.BigDecimal;
import java.math.RoundingMode;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.TreeSet;

class Money {
    // task: compound_interest
    static double compoundInterest(double principal, double annualRate, int timesPerYear, int years) {
        if (principal < 0 || timesPerYear < 1) {
            throw new IllegalArgumentException("principal and periods must be positive");
        }
        double ratePerPeriod = annualRate / timesPerYear;
        double amount = principal * Math.pow(1 + ratePerPeriod, timesPerYear * years);
        return Math.round((amount - principal) * 100) / 100.0;
    }

    // task: savings_balance
    static BigDecimal savingsBalance(BigDecimal deposit, BigDecimal percent, int years) {
        BigDecimal growth = percent.movePointLeft(2);
        BigDecimal balance = deposit.setScale(2, RoundingMode.HALF_UP);
        for (int year = 1; year <= years; year++) {
            BigDecimal interest = balance.multiply(growth);
            balance = balance.add(interest.setScale(2, RoundingMode.HALF_UP));
        }
        return balance;
    }

    // task: make_change
    static Map<Integer, Integer> makeChange(int amount, TreeSet<Integer> denominations) {
        Map<Integer, Integer> change = new LinkedHashMap<>();
        int remaining = amount;
        for (Integer coin = denominations.floor(remaining); coin != null;
                coin = denominations.floor(remaining)) {
            change.merge(coin, 1, Integer::sum);
            remaining -= coin;
        }
        if (remaining > 0) {
            throw new IllegalStateException("cannot give back " + remaining);
        }
        return change;
    }

    // task: split_bill
    static long[] splitBill(long cents, int people, int tipPercent) {
        if (people <= 0) {
            throw new IllegalArgumentException("at least one guest is needed");
        }
        long total = cents + cents * tipPercent / 100;
        long[] shares = new long[people];
        for (int guest = 0; guest < people; guest++) {
            shares[guest] = total / (people - guest);
            total -= shares[guest];
        }
        return shares;
    }

    // task: format_money
    static String formatMoney(long cents, String symbol) {
        StringBuilder digits = new StringBuilder(Long.toString(Math.abs(cents) / 100));
        for (int i = digits.length() - 3; i > 0; i -= 3) {
            digits.insert(i, ',');
        }
        String fraction = String.format("%02d", Math.abs(cents) % 100);
        digits.append('.').append(fraction);
        return (cents < 0 ? "-" : "") + symbol + digits;
    }

    // task: income_tax
    static double incomeTax(double income, double[][] brackets) {
        double owed = 0;
        for (int i = 0; i < brackets.length && income > brackets[i][0]; i++) {
            double from = brackets[i][0];
            double to = i + 1 < brackets.length ? brackets[i + 1][0] : Double.MAX_VALUE;
            double taxable = Math.min(income, to) - from;
            owed += taxable * brackets[i][1];
        }
        return owed;
    }
    // end
}
