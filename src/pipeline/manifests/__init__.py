"""One row per image: schema, vocabulary of findings, patient-level splits, leakage audit."""
