package main

import "fmt"

func main() {
	equal := func(got, want string) {
		if got != want {
			panic(fmt.Sprintf("got %q, want %q", got, want))
		}
	}
	equal(humanBytes(0), "0 B")
	equal(humanBytes(1536), "1.5 KB")
	equal(humanBytes(5<<50), "5120.0 TB")

	equal(sizeWithUnit(0), "0 bytes")
	equal(sizeWithUnit(1024), "1.00 KiB")
	equal(sizeWithUnit(1310720), "1.25 MiB")

	equal(ordinal(1)+ordinal(2)+ordinal(3)+ordinal(4), "1st2nd3rd4th")
	equal(ordinal(11)+ordinal(12)+ordinal(113)+ordinal(121), "11th12th113th121st")

	equal(groupThousands(1234567, ','), "1,234,567")
	equal(groupThousands(-100, ','), "-100")
	equal(groupThousands(-123456, ' '), "-123 456")

	equal(progressBar(1, 2, 10), "[=====     ] 50%")
	equal(progressBar(0, 4, 4), "[    ] 0%")
	equal(progressBar(9, 4, 4), "[====] 100%")
	equal(progressBar(-1, 4, 4), "[    ] 0%")
	equal(progressBar(0, 0, 4), "[====] 100%")

	equal(renderTable([][]string{{"id", "name"}, {"1", "ann"}, {"22", "bo"}}), "id | name\n1  | ann\n22 | bo\n")
	equal(renderTable([][]string{{""}}), "\n")
}
