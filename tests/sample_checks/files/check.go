package main

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
)

func main() {
	that := func(ok bool, task string) {
		if !ok {
			panic(task)
		}
	}
	base, err := os.MkdirTemp("", "check")
	that(err == nil, "temporary directory")
	defer os.RemoveAll(base)
	put := func(name, text string) string {
		full := filepath.Join(base, name)
		that(os.WriteFile(full, []byte(text), 0o600) == nil, name)
		return full
	}
	log := put("log.txt", "one\n\n  \ntwo\nthree")
	empty := put("empty.txt", "")
	short := put("abc.bin", "abc")
	missing := filepath.Join(base, "missing")

	n, err := countLines(log)
	that(n == 5 && err == nil, "lines")
	n, err = countLines(empty)
	that(n == 0 && err == nil, "lines empty")
	_, err = countLines(missing)
	that(err != nil, "lines missing")
	n, err = countNonBlank(log)
	that(n == 3 && err == nil, "nonblank")
	n, err = countNonBlank(empty)
	that(n == 0 && err == nil, "nonblank empty")
	sum, err := fileSHA256(short)
	that(err == nil && sum == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad", "sha")
	sum, err = fileSHA256(empty)
	that(err == nil && strings.HasPrefix(sum, "e3b0c44298fc1c14"), "sha empty")
	that(os.MkdirAll(filepath.Join(base, "sub", "deep"), 0o700) == nil, "mkdir")
	note := put("sub/deep/note.TXT", "x")
	found, err := findByExt(base, ".txt")
	that(err == nil && reflect.DeepEqual(found, []string{empty, log, note}), "extension")
	found, err = findByExt(base, ".md")
	that(err == nil && len(found) == 0, "extension none")
	target := filepath.Join(base, "out.bin")
	that(writeAtomic(target, []byte("first"), 0o600) == nil, "atomic")
	that(writeAtomic(target, []byte("second"), 0o600) == nil, "atomic again")
	data, _ := os.ReadFile(target)
	that(string(data) == "second", "atomic content")
	that(writeAtomic(filepath.Join(missing, "x"), nil, 0o600) != nil, "atomic error")
	left, _ := filepath.Glob(filepath.Join(base, ".partial-*"))
	that(len(left) == 0, "atomic leftovers")
	lines, err := tail(log, 2)
	that(err == nil && reflect.DeepEqual(lines, []string{"two", "three"}), "tail")
	lines, err = tail(log, 99)
	that(err == nil && len(lines) == 5, "tail all")
	lines, err = tail(empty, 3)
	that(err == nil && len(lines) == 0, "tail empty")
}
