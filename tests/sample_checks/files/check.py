def run_checks():
    abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    nothing = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    with tempfile.TemporaryDirectory() as folder:
        base = Path(folder)
        log, empty, short = base / "log.txt", base / "empty.txt", base / "abc.bin"
        log.write_text("one\n\n  \ntwo\nthree")
        empty.write_text("")
        short.write_bytes(b"abc")
        assert count_lines(log) == 5
        assert count_lines(empty) == 0
        assert count_lines(short) == 1
        assert count_filled_lines(log) == 3
        assert count_filled_lines(empty) == 0
        assert sha256_of_file(short) == abc
        assert sha256_of_file(short, chunk_size=2) == abc
        assert sha256_of_file(empty) == nothing
        (base / "sub" / "deep").mkdir(parents=True)
        (base / "sub" / "deep" / "note.TXT").write_text("x")
        found = [p.name for p in find_by_extension(base, "txt")]
        assert sorted(found) == ["empty.txt", "log.txt", "note.TXT"]
        assert find_by_extension(base, ".md") == []
        target = base / "out.bin"
        write_atomic(target, b"first")
        write_atomic(target, b"second")
        assert target.read_bytes() == b"second"
        before = sorted(os.listdir(base))
        try:
            write_atomic(target, None)
        except TypeError:
            pass
        else:
            raise AssertionError("atomic_file_write")
        assert target.read_bytes() == b"second"
        assert sorted(os.listdir(base)) == before
        assert tail(log, 2) == ["two", "three"]
        assert tail(log, 99) == ["one", "", "  ", "two", "three"]
        assert tail(empty, 3) == []


run_checks()
