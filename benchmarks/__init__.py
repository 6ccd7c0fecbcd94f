"""Contains the benchmarks. Most benchmarks compare Windowshop with a baseline in the same run. Each benchmark keeps its
figures in `results/`."""
