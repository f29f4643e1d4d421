$equal = function ($want, $got): void {
    if ($want !== $got) {
        throw new Exception('want ' . var_export($want, true) . ', got ' . var_export($got, true));
    }
};

$equal('0 B', humanFileSize(0));
$equal('1.5 KB', humanFileSize(1536));
$equal('5120.0 TB', humanFileSize(5 * 1024 ** 5));

$equal('0 bytes', describeLength(0));
$equal('1 KiB', describeLength(1024));
$equal('1.25 MiB', describeLength(1310720));

$equal(['1st', '2nd', '3rd', '4th'], array_map('ordinal', [1, 2, 3, 4]));
$equal(['11th', '12th', '113th', '121st'], array_map('ordinal', [11, 12, 113, 121]));

$equal('1,234,567', groupThousands(1234567));
$equal('-100', groupThousands(-100));
$equal('12 345.25', groupThousands('12345.25', ' '));

$equal('[=====.....]  50%', progressBar(1, 2, 10));
$equal('[....]   0%', progressBar(-1, 4, 4));
$equal('[====] 100%', progressBar(9, 4, 4));
$equal('[====] 100%', progressBar(0, 0, 4));

$equal("id | name\n-- | ----\n1  | ann\n22 | bo", renderTable(['id', 'name'], [['1', 'ann'], ['22', 'bo']]));
$equal("a\n-", renderTable(['a'], []));
