"""Contains the benchmarks. Each benchmark compares Windowshop with a baseline in the same run, and keeps the figures in
`results/`."""
