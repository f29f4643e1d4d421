<?php

// task: count_file_lines
function countLines(string $path): int
{
    $lines = 0;
    $handle = fopen($path, 'rb');
    while (fgets($handle) !== false) {
        $lines++;
    }
    fclose($handle);

    return $lines;
}

// task: count_nonblank_lines
function countNonBlankLines(string $filename): int
{
    $rows = file($filename, FILE_IGNORE_NEW_LINES);
    $filled = array_filter($rows, fn ($row) => trim($row) !== '');

    return count($filled);
}

// task: file_sha256
function fileChecksum(string $path, int $chunkSize = 65536): string
{
    $context = hash_init('sha256');
    $source = new SplFileObject($path, 'rb');
    while (!$source->eof()) {
        hash_update($context, $source->fread($chunkSize));
    }

    return hash_final($context);
}

// task: find_files_by_extension
function findByExtension(string $root, string $extension): array
{
    $matches = [];
    $tree = new RecursiveIteratorIterator(
        new RecursiveDirectoryIterator($root, FilesystemIterator::SKIP_DOTS)
    );
    foreach ($tree as $entry) {
        if ($entry->isFile() && strcasecmp($entry->getExtension(), $extension) === 0) {
            $matches[] = $entry->getPathname();
        }
    }
    sort($matches);

    return $matches;
}

// task: atomic_file_write
function writeAtomic(string $target, string $data): void
{
    $temporary = tempnam(dirname($target), 'tmp');
    $written = file_put_contents($temporary, $data, LOCK_EX);
    if ($written !== strlen($data) || !rename($temporary, $target)) {
        @unlink($temporary);
        throw new RuntimeException("Could not write $target");
    }
}

// task: last_lines_of_file
function tailFile(string $logPath, int $limit = 10): array
{
    $log = fopen($logPath, 'r');
    fseek($log, 0, SEEK_END);
    $position = ftell($log);
    $text = '';
    while ($position > 0 && substr_count($text, "\n") <= $limit) {
        $step = min(4096, $position);
        $position -= $step;
        fseek($log, $position);
        $text = fread($log, $step) . $text;
    }
    fclose($log);
    $lines = $text === '' ? [] : explode("\n", rtrim($text, "\n"));

    return array_slice($lines, -$limit);
}
// end
