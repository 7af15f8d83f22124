"""From records to facts: tables, statistics, comparisons. Pure: nothing is written, drawn or measured here."""
