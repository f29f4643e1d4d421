$same = function (string $task, $got, $want): void {
    if ($got !== $want) {
        throw new Exception($task . ': ' . json_encode($got));
    }
};
$base = sys_get_temp_dir() . '/check-' . bin2hex(random_bytes(8));
mkdir("$base/sub/deep", 0700, true);
try {
    $log = "$base/log.txt";
    $empty = "$base/empty.txt";
    $short = "$base/abc.bin";
    file_put_contents($log, "one\n\n  \ntwo\nthree");
    file_put_contents($empty, '');
    file_put_contents($short, 'abc');
    $same('lines', array_map('countLines', [$log, $empty, $short]), [5, 0, 1]);
    $same('nonblank', array_map('countNonBlankLines', [$log, $empty, $short]), [3, 0, 1]);
    $abc = 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad';
    $same('sha', fileChecksum($short), $abc);
    $same('sha chunks', fileChecksum($short, 2), $abc);
    $same('sha empty', fileChecksum($empty), hash('sha256', ''));
    $note = "$base/sub/deep/note.TXT";
    file_put_contents($note, 'x');
    $same('extension', findByExtension($base, 'txt'), [$empty, $log, $note]);
    $same('extension none', findByExtension($base, 'md'), []);
    $target = "$base/out.bin";
    writeAtomic($target, 'first');
    writeAtomic($target, 'second');
    $same('atomic', file_get_contents($target), 'second');
    $before = scandir($base);
    try {
        @writeAtomic("$base/sub", 'data');
        $same('atomic error', 'nothing thrown', 'exception');
    } catch (RuntimeException $e) {
        $same('atomic leftovers', scandir($base), $before);
    }
    $same('tail', tailFile($log, 2), ['two', 'three']);
    $same('tail all', tailFile($log, 99), ['one', '', '  ', 'two', 'three']);
    $same('tail empty', tailFile($empty, 3), []);
} finally {
    foreach (['sub/deep/note.TXT', 'log.txt', 'empty.txt', 'abc.bin', 'out.bin'] as $name) {
        @unlink("$base/$name");
    }
    rmdir("$base/sub/deep");
    rmdir("$base/sub");
    rmdir($base);
}
