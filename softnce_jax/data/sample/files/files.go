package main

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// task: count_file_lines
func countLines(path string) (int, error) {
	f, err := os.Open(path)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	total := 0
	for scanner := bufio.NewScanner(f); ; total++ {
		if !scanner.Scan() {
			return total, scanner.Err()
		}
	}
}

// task: count_nonblank_lines
func countNonBlank(name string) (count int, err error) {
	content, err := os.ReadFile(name)
	for _, line := range bytes.Split(content, []byte("\n")) {
		if len(bytes.TrimSpace(line)) > 0 {
			count++
		}
	}
	return count, err
}

// task: file_sha256
func fileSHA256(filename string) (string, error) {
	file, err := os.Open(filename)
	if err != nil {
		return "", err
	}
	defer file.Close()
	hash := sha256.New()
	if _, err := io.Copy(hash, file); err != nil {
		return "", err
	}
	return hex.EncodeToString(hash.Sum(nil)), nil
}

// task: find_files_by_extension
func findByExt(root, ext string) ([]string, error) {
	var matches []string
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if !entry.IsDir() && strings.EqualFold(filepath.Ext(path), ext) {
			matches = append(matches, path)
		}
		return nil
	})
	return matches, err
}

// task: atomic_file_write
func writeAtomic(target string, data []byte, perm os.FileMode) error {
	tmp, err := os.CreateTemp(filepath.Dir(target), ".partial-*")
	if err != nil {
		return err
	}
	defer os.Remove(tmp.Name())
	_, err = tmp.Write(data)
	if err == nil {
		err = tmp.Sync()
	}
	if closeErr := tmp.Close(); err == nil {
		err = closeErr
	}
	if err == nil {
		err = os.Chmod(tmp.Name(), perm)
	}
	if err != nil {
		return err
	}
	return os.Rename(tmp.Name(), target)
}

// task: last_lines_of_file
func tail(logPath string, n int) ([]string, error) {
	raw, err := os.ReadFile(logPath)
	if err != nil || len(raw) == 0 || n <= 0 {
		return nil, err
	}
	lines := strings.Split(strings.TrimSuffix(string(raw), "\n"), "\n")
	if extra := len(lines) - n; extra > 0 {
		lines = lines[extra:]
	}
	return lines, nil
}

// end
