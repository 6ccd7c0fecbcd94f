"""The benchmarks. Each benchmark compares Windowshop with a baseline in the same run, and keeps its figures in
`results/`."""
