"""CodeSearchNet as a TFDS dataset: six configurations, four splits, ArrayRecord, no tensorflow."""
