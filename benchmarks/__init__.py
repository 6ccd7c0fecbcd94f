"""Contains the benchmarks. Each compares Windowshop with a baseline in the same run, and keeps its figures in
`results/`."""
