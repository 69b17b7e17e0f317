"""What tests share: naive twins, tables of cases, small data, and ways to run things."""
